package import Core

extension ICEAgent {
    /// A valid check that came before the peer's credentials; answered already, acted upon once they are known.
    struct EarlyRequest: Sendable {
        let local: LocalCandidateID
        let source: SocketAddress
        let priority: UInt32
        var usesCandidate: Bool
    }

    private static let maximumEarlyRequests = 16

    /// Takes a STUN datagram that came from `source` (for a relayed viewer: its relayed address) on `local`.
    ///
    /// What is not authenticated is neither answered nor acted upon: no error is sent to strangers.
    package mutating func handleSTUN(
        _ bytes: Span<UInt8>, from source: SocketAddress, on local: LocalCandidateID, now: Instant
    ) -> STUNOutcome {
        guard isActive else { return .refused(.inactive) }
        var source = source
        source.ip = source.ip.unmapped
        let message: STUNMessage
        do { message = try STUNMessage(bytes) } catch { return .refused(.malformed) }
        guard message.method == .binding else { return .refused(.unexpectedMethod) }
        // Demanded of checks (RFC 8445 §7.1.1); aiortc and browsers always have it. A present but wrong one is damage.
        if message.carriesFingerprint, !STUNMessage.hasValidFingerprint(bytes) { return .refused(.wrongFingerprint) }

        let outcome: STUNOutcome
        switch message.messageClass {
        case .indication: return .indication
        case .request: outcome = handleRequest(message, bytes, from: source, on: local, now: now)
        case .successResponse, .errorResponse:
            outcome = handleResponse(message, bytes, from: source, on: local, now: now)
        }
        advance(now: now)
        return outcome
    }

    /// RFC 8445 §7.3.
    private mutating func handleRequest(
        _ request: STUNMessage, _ bytes: Span<UInt8>, from source: SocketAddress, on local: LocalCandidateID,
        now: Instant
    ) -> STUNOutcome {
        guard let username = request.username, request.carriesIntegrity else { return .refused(.missingCredentials) }
        guard let credentials = localCredentials(for: username) else { return .refused(.unknownUsername) }
        guard STUNMessage.hasValidIntegrity(bytes, key: credentials.key) else { return .refused(.wrongIntegrity) }
        guard Self.isRoutable(source) else { return .refused(.unroutableSource) }
        guard localCandidates.contains(where: { $0.id == local }) else { return .refused(.unknownLocalCandidate) }

        func respond(_ response: STUNMessage) {
            transmits.append(
                Transmit(
                    bytes: response.encoded(key: credentials.key, fingerprint: true), destination: source,
                    local: local))
        }
        let unknown = request.unknownComprehensionRequired
        guard unknown.isEmpty else {
            respond(
                .error(
                    to: request, code: 420, reason: "Unknown Attribute", attributes: [.unknownAttributes(unknown)]))
            return .refused(.unknownAttribute)
        }
        guard settleRole(with: request, now: now) else {
            respond(.error(to: request, code: 487, reason: "Role Conflict"))
            return .refused(.roleConflict)
        }
        respond(.success(to: request, attributes: [.xorMappedAddress(source)]))

        // A check of the generation before keeps the old pair going, and says nothing of the new one.
        guard credentials == localCredentials else {
            noteHeard(on: CandidatePair.Key(local: local, remote: source), now: now)
            return .authenticatedRequest
        }
        let early = EarlyRequest(
            local: local, source: source, priority: request.priority ?? 1, usesCandidate: request.useCandidate)
        if remoteCredentials == nil {
            return remember(early) ? .authenticatedRequest : .refused(.limit)
        }
        return take(early, now: now) ? .authenticatedRequest : .refused(.limit)
    }

    private mutating func remember(_ early: EarlyRequest) -> Bool {
        let known = earlyRequests.firstIndex { $0.local == early.local && $0.source == early.source }
        if let known {
            earlyRequests[known].usesCandidate = earlyRequests[known].usesCandidate || early.usesCandidate
            return true
        }
        guard earlyRequests.count < Self.maximumEarlyRequests else { return false }
        earlyRequests.append(early)
        return true
    }

    private func localCredentials(for username: String) -> ICECredentials? {
        guard let colon = username.utf8.firstIndex(of: 0x3A) else { return nil }
        let fragment = username[..<colon]
        if fragment == localCredentials.usernameFragment { return localCredentials }
        if let previous = previousLocalCredentials, fragment == previous.usernameFragment { return previous }
        return nil
    }

    /// Learns the pair, checks it at once in the other direction, and notes a nomination (RFC 8445 §7.3.1.3 to 7.3.1.5).
    /// False where the pair is one too many.
    @discardableResult
    mutating func take(_ request: EarlyRequest, now: Instant) -> Bool {
        guard let key = heardPair(on: request.local, from: request.source, priority: request.priority),
            let pair = checkList[key]
        else { return false }
        noteHeard(on: key, now: now)
        let isNominating = request.usesCandidate && role == .controlled
        if isNominating { checkList.update(key) { $0.lastNomination = now } }

        switch pair.state {
        case .succeeded:
            if isNominating { nominate(key, now: now) }
        case .inProgress(let transaction):
            if isNominating { checkList.update(key) { $0.isNominationPending = true } }
            // The peer's packets get through now, so ours may as well: do not wait for the retransmission. But one check a
            // round trip, not one for each of theirs.
            if let last = pair.lastSent, now - last >= Self.triggerInterval {
                checks[transaction]?.cancel(now: now)
                checkList.trigger(key)
            }
        case .waiting, .frozen, .failed:
            if isNominating { checkList.update(key) { $0.isNominationPending = true } }
            if isNominating || selection?.isConcluded != true || state == .disconnected { checkList.trigger(key) }
        }
        return true
    }

    /// The shortest time between two checks of one pair that the peer's own checks may cause.
    private static let triggerInterval: Duration = .milliseconds(50)

    /// Whether the request fits our role, or we change it. Where not, the peer is to change its own (RFC 8445 §7.3.1.1).
    private mutating func settleRole(with request: STUNMessage, now: Instant) -> Bool {
        switch role {
        case .controlling:
            guard let theirs = request.iceControlling else { return true }
            if tieBreaker >= theirs { return false }
            switchRole(to: .controlled, now: now)
        case .controlled:
            guard let theirs = request.iceControlled else { return true }
            if tieBreaker < theirs { return false }
            switchRole(to: .controlling, now: now)
        }
        return true
    }

    mutating func switchRole(to new: ICERole, now: Instant) {
        guard role != new else { return }
        role = new
        checkList.switchRole(to: new)
        if new == .controlled {
            checks.cancel(now: now) { $0.purpose == .nomination }
        }
        events.append(.roleConflictResolved(new))
    }
}
