internal import Core
internal import PeerConnection
internal import TURNClient

extension OutgoingCall {
    /// A peer's event as the call's owner is told of it; nil for what does not concern it.
    func callEvent(of event: PeerConnection.Event) -> CallEvent? {
        switch event {
        case .iceStateChanged(let state): .iceStateChanged(state.rawValue)
        case .selectedPair(let pair):
            localAddress(pair.local).map { .pathFound(local: $0, remote: pair.remote) }
        case .connected: peer.profile.map { .connected($0) }
        case .sctpConnected: .sctpConnected
        case .sctpEnded(let reason): .sctpEnded(reason: reason)
        case .dataChannelOpened(let channel, let settings, _): .channelOpened(channel, label: settings.label)
        case .dataChannelMessage(let channel, let message): .message(message, on: channel)
        case .dataChannelBufferLow(let channel): .channelReady(channel)
        case .dataChannelClosed(let channel): .channelClosed(channel)
        case .rtpReceived(let packet): .media(packet)
        case .failed(let phase, let reason): .failed(phase: phase, failure(in: phase, reason))
        case .closed: .closed
        case .dtlsConnected, .keyFrameRequested: nil
        }
    }

    private func failure(in phase: PeerPhase, _ reason: String) -> CallFailure {
        switch peer.dtlsFailure {
        case .fingerprintMismatch: return CallFailure(.fingerprint, reason)
        case .noCommonSRTPProfile: return CallFailure(.noCommonProfile, reason)
        case .timeout: return CallFailure(.handshakeTimeout, reason)
        case .handshake, .connection: return CallFailure(.dtls, reason)
        case nil: break
        }
        return CallFailure(phase == .signaling || phase == .ice ? .noPath : .dtls, reason)
    }

    /// Reads which addresses the peer named, for whoever asks why no path was found.
    func noteCandidates(of answer: String) {
        var seen: Set<SocketAddress> = []
        for line in answer.split(whereSeparator: \.isNewline) where line.hasPrefix("a=candidate:") {
            let read = counters.remoteCandidates.count + counters.refusedCandidates.count
            guard read < RemoteTransport.maximumCandidates * 2 else { return }
            let candidate: Candidate
            do {
                candidate = try Candidate(sdp: String(line))
            } catch {
                counters.refusedCandidates.append("a candidate line that does not parse: \(error)")
                continue
            }
            guard seen.insert(candidate.address).inserted else { continue }
            counters.remoteCandidates.append(candidate.address)
            let ip = candidate.address.ip.unmapped
            if candidate.transport != .udp {
                counters.refusedCandidates.append("\(candidate.address): not UDP")
            } else if candidate.address.port == 0 || ip.isUnspecified || ip.isMulticast || ip.isReserved {
                counters.refusedCandidates.append("\(candidate.address): no address of a machine")
            } else if !peer.configuration.ice.acceptsRemote(ip) {
                counters.refusedCandidates.append("\(candidate.address): leads to another network")
            }
        }
    }
}
