package import Core
package import TURNClient

extension PeerConnection {
    /// A transport of ours under the address that the peer is to use.
    package mutating func addLocalCandidate(_ id: LocalCandidateID, _ candidate: Candidate, now: Instant) {
        guard !isOver else { return }
        localCandidates.append(candidate)
        ice.addLocalCandidate(id, candidate, now: now)
        takeOutputs(now: now)
    }

    /// The transport is gone, a lost relay allocation say; media goes on over another pair if there is one.
    package mutating func removeLocalCandidate(_ id: LocalCandidateID, _ candidate: Candidate, now: Instant) {
        localCandidates.removeAll { $0 == candidate }
        ice.removeLocalCandidate(id, now: now)
        path = ice.selectedPair.map { MediaPath(local: $0.local, remote: $0.remote) }
        takeOutputs(now: now)
    }

    /// Answers an offer, the first or a later one. Changed ICE credentials are an ICE restart (RFC 8839 §4.4.3). An offer that
    /// is refused changes nothing.
    package mutating func acceptOffer(
        _ sdp: String, includesCandidates: Bool = false, now: Instant
    ) throws(NegotiationError) -> String {
        guard !isOver else { throw NegotiationError(.closed, "the peer connection is closed") }
        let offer: SessionDescription
        do { offer = try SessionDescription(sdp) } catch { throw NegotiationError(error) }
        let agreed = try negotiation.review(offer)
        if let session, isRestart(from: session.remote, to: agreed.remote) { ice.restart(now: now) }
        let answer = negotiation.answer(
            offer, agreed: agreed, transport: localTransport(includesCandidates: includesCandidates))
        adopt(agreed, now: now)
        return answer.text
    }

    package mutating func createOffer(includesCandidates: Bool = false, now: Instant) -> String {
        negotiation.offer(transport: localTransport(includesCandidates: includesCandidates)).text
    }

    /// Takes the answer to the last offer. An answer that is refused changes nothing.
    package mutating func acceptAnswer(_ sdp: String, now: Instant) throws(NegotiationError) {
        guard !isOver else { throw NegotiationError(.closed, "the peer connection is closed") }
        let answer: SessionDescription
        do { answer = try SessionDescription(sdp) } catch { throw NegotiationError(error) }
        adopt(try negotiation.accept(answer), now: now)
    }

    /// New ICE credentials of our own (the offerer's way to restart); the next offer carries them.
    package mutating func restartICE(now: Instant) {
        guard !isOver else { return }
        ice.restart(now: now)
        takeOutputs(now: now)
    }

    /// A candidate that the peer trickled, `candidate:…` with or without `a=`. An empty line ends them (RFC 8838 §14).
    package mutating func addRemoteCandidate(_ line: String, now: Instant) -> CandidateOutcome {
        guard !isOver else { return .refused(.inactive) }
        guard !line.isEmpty else {
            endOfRemoteCandidates()
            return .endOfCandidates
        }
        let candidate: Candidate
        do { candidate = try Candidate(sdp: line) } catch {
            return error == .mdnsName ? .ignoredName : .malformed(error)
        }
        let outcome = ice.addRemoteCandidate(candidate, now: now)
        takeOutputs(now: now)
        return switch outcome {
        case .added: .added
        case .duplicate: .duplicate
        case .refused(let reason): .refused(reason)
        case .limit: .limit
        }
    }

    package mutating func endOfRemoteCandidates() {
        ice.endOfRemoteCandidates()
    }

    private func localTransport(includesCandidates: Bool) -> LocalTransport {
        LocalTransport(
            usernameFragment: ice.localUsernameFragment, password: ice.localPassword,
            fingerprint: context.certificate.fingerprint,
            candidates: includesCandidates ? localCandidates.map(\.sdp) : [], endOfCandidates: includesCandidates)
    }

    private func isRestart(from old: RemoteTransport, to new: RemoteTransport) -> Bool {
        old.usernameFragment != new.usernameFragment || old.password != new.password
    }

    private mutating func adopt(_ agreed: NegotiatedSession, now: Instant) {
        session = agreed
        if negotiatedAt == nil { negotiatedAt = now }
        if phase == .signaling { phase = .ice }
        Self.adopt(agreed.sending(.video), of: .video, into: &video, &sendsVideo, random)
        Self.adopt(agreed.sending(.audio), of: .audio, into: &audio, &sendsAudio, random)
        if phase == .connected { startChannels(now: now) }
        // After a pause the decoder begins anew, and so does that of another codec.
        let codec = agreed.sending(.video)?.sending?.codec
        if codec == nil || codec != videoCodec { hasSentKeyFrame = false }
        videoCodec = codec
        ice.setRemoteCredentials(
            usernameFragment: agreed.remote.usernameFragment, password: agreed.remote.password, now: now)
        for line in agreed.remote.candidates {
            guard let candidate = try? Candidate(sdp: line) else { continue }
            _ = ice.addRemoteCandidate(candidate, now: now)
        }
        if agreed.remote.endOfCandidates { ice.endOfRemoteCandidates() }
        takeOutputs(now: now)
    }

    /// A stream lives on through renegotiations: its numbers must go on rising for SRTP's sake.
    private static func adopt(
        _ media: NegotiatedMedia?, of kind: MediaKind, into stream: inout RTPSendStream?, _ isSending: inout Bool,
        _ random: RandomSource
    ) {
        isSending = media?.sending != nil
        guard let media, let sending = media.sending else { return }
        if stream == nil {
            stream = RTPSendStream(
                kind: kind, ssrc: sending.ssrc, payloadType: sending.payloadType,
                retransmission: sending.retransmission, mid: media.mid, extensions: media.extensions, random: random)
        } else {
            stream?.renegotiate(
                payloadType: sending.payloadType, retransmission: sending.retransmission, mid: media.mid,
                extensions: media.extensions)
        }
    }
}
