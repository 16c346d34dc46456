package import Core

extension ICEAgent {
    /// A transport of ours. A further candidate on the same transport (a server-reflexive address) replaces nothing and
    /// makes no pairs of its own (RFC 8445 §6.1.2.4).
    package mutating func addLocalCandidate(_ id: LocalCandidateID, _ candidate: Candidate, now: Instant) {
        guard state != .closed, !localCandidates.contains(where: { $0.id == id }) else { return }
        localCandidates.append((id, candidate))
        for remote in remoteCandidates { pair(id, candidate, with: remote) }
        advance(now: now)
    }

    /// The transport is gone, and every pair on it; a relay allocation that was lost, say.
    package mutating func removeLocalCandidate(_ id: LocalCandidateID, now: Instant) {
        localCandidates.removeAll { $0.id == id }
        checks.remove { $0.pair.local == id }
        checkList.remove { $0.key.local == id }
        if selection?.pair.local == id { selection = nil }
        reviseSelection(now: now)
        advance(now: now)
    }

    /// A candidate that the peer names, in its description or by trickle.
    package mutating func addRemoteCandidate(_ candidate: Candidate, now: Instant) -> AddOutcome {
        guard isActive else { return .refused(.inactive) }
        if let refusal = refusal(of: candidate) { return .refused(refusal) }
        var candidate = candidate
        candidate.address.ip = candidate.address.ip.unmapped
        if let known = remoteCandidates.firstIndex(where: { $0.address == candidate.address }) {
            guard remoteCandidates[known].type == .peerReflexive, candidate.type != .peerReflexive else {
                return .duplicate
            }
            remoteCandidates[known] = candidate
            checkList.rename(remote: candidate)
            if selection?.isOfThisGeneration == true, selection?.pair.remote == candidate.address {
                selection?.pair.remoteType = candidate.type
            }
            return .added
        }
        let named = remoteCandidates.count { $0.type != .peerReflexive }
        guard named < configuration.maximumRemoteCandidates else { return .limit }
        remoteCandidates.append(candidate)
        if !hasEndOfRemoteCandidates, remoteCredentials != nil, selection == nil {
            // More may come: patience begins anew with each (RFC 8863 §4).
            patienceEnds = now + configuration.patience
        }
        for local in localCandidates { pair(local.id, local.candidate, with: candidate) }
        advance(now: now)
        return .added
    }

    /// The peer has no more to name (RFC 8838 §14). Late ones are taken all the same: browsers say so per media line.
    package mutating func endOfRemoteCandidates() {
        hasEndOfRemoteCandidates = true
    }

    private func refusal(of candidate: Candidate) -> CandidateRefusal? {
        if candidate.transport != .udp { return .transport }
        if candidate.component != 1 { return .component }
        if !Self.isRoutable(candidate.address) { return .unroutable }
        if !configuration.acceptsRemote(candidate.address.ip.unmapped) { return .policy }
        if let fragment = candidate.usernameFragment, let remote = remoteCredentials,
            fragment != remote.usernameFragment
        {
            return .otherGeneration
        }
        return nil
    }

    /// Whether a datagram may be sent there at all.
    static func isRoutable(_ address: SocketAddress) -> Bool {
        let ip = address.ip.unmapped
        return address.port != 0 && !ip.isUnspecified && !ip.isMulticast && !ip.isReserved
    }

    private mutating func pair(_ id: LocalCandidateID, _ local: Candidate, with remote: Candidate) {
        guard local.address.ip.unmapped.isIPv4 == remote.address.ip.unmapped.isIPv4 else { return }
        // A nomination ends the search; what comes later waits for the peer to ask for it, or for a restart.
        guard selection?.isConcluded != true else { return }
        _ = checkList.insert(CandidatePair.Key(local: id, remote: remote.address), local: local, remote: remote)
    }

    /// The pair that a check came in on, learnt as peer-reflexive where its source is new (RFC 8445 §7.3.1.3).
    mutating func heardPair(
        on id: LocalCandidateID, from source: SocketAddress, priority: UInt32
    ) -> CandidatePair.Key? {
        guard let local = localCandidates.first(where: { $0.id == id })?.candidate else { return nil }
        let key = CandidatePair.Key(local: id, remote: source)
        if checkList[key] != nil { return key }
        let remote: Candidate
        if let known = remoteCandidates.first(where: { $0.address == source }) {
            remote = known
        } else {
            let seen = remoteCandidates.count { $0.type == .peerReflexive }
            if seen >= max(1, configuration.maximumRemoteCandidates / 2) { forgetSilentPeerReflexive() }
            remote = Candidate(
                foundation: "prflx\(random.uint32())", priority: min(max(priority, 1), UInt32(Int32.max)),
                address: source, type: .peerReflexive)
            remoteCandidates.append(remote)
        }
        return checkList.insert(key, local: local, remote: remote, isHeard: true) == .full ? nil : key
    }

    /// Makes room: a peer whose NAT gives it ever new ports must not be locked out by its own past.
    private mutating func forgetSilentPeerReflexive() {
        let inUse = selection?.pair.remote
        guard
            let oldest = remoteCandidates.firstIndex(where: { $0.type == .peerReflexive && $0.address != inUse })
        else { return }
        let address = remoteCandidates.remove(at: oldest).address
        checks.remove { $0.pair.remote == address }
        checkList.remove { $0.key.remote == address }
    }
}
