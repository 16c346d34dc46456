internal import Core
internal import MediaPipeline
internal import Networking
internal import PeerConnection
internal import TURNClient

extension Switchboard {
    private static let logger = Logger("viewer")

    /// Candidates of one viewer that may wait for a relay's permission.
    private static let maximumHeldCandidates = 32

    /// Answers a new viewer's offer.
    func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool,
        microphone: (any MicrophoneSink)?, channels: (any ViewerChannels)?
    ) throws(ViewerError) -> ViewerAnswer {
        guard !isDraining else { throw ViewerError(.draining, "The server is shutting down") }
        guard let codecs = stages[stage]?.callbacks.videoCodecs() else {
            throw ViewerError(.stageUnknown, "There is no stage \(stage)")
        }
        guard viewers.count < configuration.maximumViewers else {
            throw ViewerError(.limitReached, "Maximum viewers (\(configuration.maximumViewers)) reached")
        }
        if let remoteAddress {
            let neighbours = viewers.values.count { $0.signalingAddress == remoteAddress }
            guard neighbours < configuration.maximumViewersPerAddress else {
                throw ViewerError(.limitReached, "Too many viewers from one address")
            }
        }
        if let relay = externalRelay, configuration.connectivity.mode == .relay, relay.candidate == nil,
            let failure = relay.failure
        {
            throw ViewerError(.relayUnavailable, "\(failure.reason); \(failure.remedy)")
        }
        var peer = PeerConnection(
            configuration: peerConfiguration(codecs, hasChannels: channels != nil), context: dtlsContext,
            random: random, now: loop.now)
        for path in paths {
            if let candidate = path.candidate { peer.addLocalCandidate(path.local, candidate, now: loop.now) }
        }
        let answer: String
        do {
            answer = try peer.acceptOffer(offer, includesCandidates: includeCandidates, now: loop.now)
        } catch {
            metrics.refusedOffer.increment()
            throw ViewerError(.invalidOffer, "\(error)")
        }
        let id = ViewerID(nextViewer)
        nextViewer += 1
        let (events, continuation) = AsyncStream.makeStream(
            of: ViewerEvent.self, bufferingPolicy: .bufferingNewest(64))
        let viewer = Viewer(
            id: id, stage: stage, signalingAddress: remoteAddress, peer: peer, channels: channels,
            channelRate: MessageRate(limit: configuration.maximumChannelMessagesPerSecond, now: loop.now),
            events: continuation, created: loop.now)
        viewer.listen(with: microphone)
        viewers[id] = viewer
        enlist(viewer)
        metrics.viewersTotal.increment()
        metrics.viewers.set(Double(viewers.count))
        stages[stage]?.add(viewer)
        if let remoteAddress { externalRelay?.permit(remoteAddress, for: viewer) }
        permitCandidates(in: offer, of: viewer)
        viewer.enter(.connecting)
        drain(viewer)
        loop.schedule(at: loop.now + configuration.connectTimeout) { [weak self, weak viewer] in
            guard let self, let viewer, !viewer.isReady else { return }
            let phase = ConnectionPhase(viewer.peer.phase)
            self.fail(viewer, phase, "not connected within \(configuration.connectTimeout.seconds) s")
        }
        return ViewerAnswer(id: id, sdp: answer, candidates: candidateLines(of: viewer), events: events)
    }

    /// Answers a further offer: an ICE restart, or changed media sections.
    func renegotiate(
        _ id: ViewerID, offer: String, microphone: (any MicrophoneSink)?
    ) throws(ViewerError) -> ViewerAnswer {
        guard let viewer = viewers[id] else { throw ViewerError(.viewerUnknown, "There is no viewer \(id)") }
        let answer: String
        do {
            answer = try viewer.peer.acceptOffer(offer, includesCandidates: false, now: loop.now)
        } catch {
            metrics.refusedOffer.increment()
            throw ViewerError(.invalidOffer, "\(error)")
        }
        if microphone != nil { viewer.listen(with: microphone) }
        viewer.takeAgreement()
        stages[viewer.stage]?.tell()
        enlist(viewer)
        permitCandidates(in: offer, of: viewer)
        // A viewer that takes another picture than before has none yet.
        if !viewer.hasPicture { catchUp(viewer) }
        drain(viewer)
        let (events, continuation) = AsyncStream.makeStream(of: ViewerEvent.self)
        continuation.finish()
        return ViewerAnswer(id: id, sdp: answer, candidates: candidateLines(of: viewer), events: events)
    }

    /// Takes a trickled candidate. False where the line does not parse.
    func addRemoteCandidate(_ line: String, of id: ViewerID) -> Bool {
        guard let viewer = viewers[id] else { return false }
        let candidate: Candidate
        do {
            candidate = try Candidate(sdp: line)
        } catch CandidateParseError.mdnsName {
            return true  // A browser's hidden host address: its checks will show the address.
        } catch {
            metrics.refusedCandidate.increment()
            return false
        }
        guard policy.accepts(candidate.address) else {
            metrics.refusedCandidate.increment()
            return true
        }
        // The relay drops checks from addresses without a permission in silence, so the permission comes first.
        if let relay = externalRelay {
            // Each viewer asks for itself: a permission lasts as long as anybody who asked for it.
            guard relay.permit(candidate.address.ip, for: viewer) else {
                metrics.refusedCandidate.increment()
                return true
            }
            if !relay.isPermitted(candidate.address.ip) {
                hold(line, candidate.address.ip, of: viewer)
                return true
            }
        }
        give(line, to: viewer)
        return true
    }

    private func hold(_ line: String, _ ip: IPAddress, of viewer: Viewer) {
        guard viewer.heldCandidateCount < Self.maximumHeldCandidates, line.utf8.count <= 1024 else {
            metrics.refusedCandidate.increment()
            return
        }
        viewer.heldCandidateCount += 1
        heldCandidates[ip, default: []].append((viewer.id, line))
    }

    /// The relay may send to `ip` now: the candidates that waited for it go to their viewers.
    func releaseCandidates(of ip: IPAddress) {
        for held in heldCandidates.removeValue(forKey: ip) ?? [] {
            guard let viewer = viewers[held.viewer] else { continue }
            viewer.heldCandidateCount -= 1
            give(held.line, to: viewer)
        }
    }

    /// The relay will not send to `ip`: what waited for it is of no use.
    func dropCandidates(of ip: IPAddress) {
        for held in heldCandidates.removeValue(forKey: ip) ?? [] {
            viewers[held.viewer]?.heldCandidateCount -= 1
            metrics.refusedCandidate.increment()
        }
    }

    private func give(_ line: String, to viewer: Viewer) {
        switch viewer.peer.addRemoteCandidate(line, now: loop.now) {
        case .added, .duplicate, .ignoredName, .endOfCandidates: break
        case .malformed, .refused, .limit: metrics.refusedCandidate.increment()
        }
        drain(viewer)
    }

    func endOfCandidates(_ id: ViewerID) {
        guard let viewer = viewers[id] else { return }
        viewer.peer.endOfRemoteCandidates()
        drain(viewer)
    }

    /// Says goodbye and forgets.
    func removeViewer(_ id: ViewerID, reason: String) {
        guard let viewer = viewers[id] else { return }
        Self.logger.info("viewer removed", ["viewer.id": LogValue(id), "reason": .string(reason)])
        viewer.peer.close(now: loop.now)
        drain(viewer)
        forget(viewer)
    }

    /// The relay has a new address: every viewer is told, and its agent checks from there.
    func localCandidateChanged(on path: any LocalPath) {
        guard let candidate = path.candidate else { return }
        for viewer in viewers.values {
            viewer.peer.addLocalCandidate(path.local, candidate, now: loop.now)
            viewer.events.yield(.candidate(line(candidate, of: viewer)))
            drain(viewer)
        }
    }

    // MARK: Events of the peer

    func handle(_ event: PeerConnection.Event, of viewer: Viewer) {
        switch event {
        case .iceStateChanged(let state):
            switch state {
            case .disconnected: viewer.enter(.disconnected)
            case .connected, .completed: if viewer.isReady { viewer.enter(.connected) }
            case .new, .checking, .failed, .closed: break
            }
        case .selectedPair(let pair):
            (path(pair.local) as? ExternalRelayPath)?.bind(pair.remote, for: viewer)
        case .connected:
            viewer.isReady = true
            viewer.enter(.connected)
            metrics.connectTime.observe((loop.now - viewer.created).seconds)
            Self.logger.info(
                "viewer connected",
                [
                    "viewer.id": LogValue(viewer.id), "stage.id": LogValue(viewer.stage),
                    "ice.remote": .string(viewer.peer.selectedPair?.remoteType.rawValue ?? ""),
                    "connect.ms": .number((loop.now - viewer.created).milliseconds),
                ])
            catchUp(viewer)
        case .keyFrameRequested:
            metrics.keyFrameRequests.increment()
            catchUp(viewer)
        case .failed(let phase, let reason):
            fail(viewer, ConnectionPhase(phase), reason)
        case .closed:
            forget(viewer)
        case .rtpReceived(let packet):
            guard packet.kind == .audio, let microphone = viewer.microphone else { break }
            metrics.microphonePackets.increment()
            microphone.receive(packet, now: loop.now)
        case .dataChannelOpened(let channel, let settings, _): channelOpened(channel, settings, of: viewer)
        case .dataChannelMessage(let channel, let message): channelSpoke(channel, message, of: viewer)
        case .dataChannelBufferLow(let channel): channelHasRoom(channel, of: viewer)
        case .dataChannelClosed(let channel): channelClosed(channel, of: viewer)
        case .dtlsConnected, .sctpConnected, .sctpEnded: break
        }
    }

    private func fail(_ viewer: Viewer, _ phase: ConnectionPhase, _ reason: String) {
        guard viewers[viewer.id] != nil else { return }
        metrics.viewersFailed.increment()
        Self.logger.warning(
            "viewer failed",
            ["viewer.id": LogValue(viewer.id), "phase": .string(phase.rawValue), "reason": .string(reason)])
        viewer.events.yield(.phaseFailed(phase: phase, reason: reason))
        viewer.enter(.failed)
        viewer.peer.close(now: loop.now)
        forget(viewer)
    }

    /// A vanished viewer costs nothing from here on.
    private func forget(_ viewer: Viewer) {
        guard viewers.removeValue(forKey: viewer.id) != nil else { return }
        viewer.isReady = false
        for owned in addresses.remove(viewer.id, fragments: viewer.fragments) {
            // Browsers do not always say so themselves, and their next session would find its quota used up.
            (path(owned.local) as? EmbeddedRelayPath)?.endAllocation(of: owned.remote)
        }
        stages[viewer.stage]?.remove(viewer.id)
        for ip in viewer.permittedAddresses {
            heldCandidates[ip]?.removeAll { $0.viewer == viewer.id }
            if heldCandidates[ip]?.isEmpty == true { heldCandidates[ip] = nil }
        }
        externalRelay?.forget(viewer)
        metrics.viewers.set(Double(viewers.count))
        viewer.listen(with: nil)
        endChannels(of: viewer)
        viewer.enter(.closed)
        viewer.events.finish()
    }

    // MARK: Shared

    private func peerConfiguration(_ codecs: [MediaCodec], hasChannels: Bool) -> PeerConnection.Configuration {
        var peer = PeerConnection.Configuration(
            role: .answerer,
            capabilities: MediaCapabilities(
                videoCodecs: codecs, dataChannels: hasChannels ? configuration.dataChannels : nil))
        let policy = policy
        peer.ice.acceptsRemote = { policy.accepts($0) }
        // Six checks may be lost in a row, as RFC 7675 has it.
        peer.ice.consentTimeout = configuration.consentTimeout
        peer.ice.consentInterval = configuration.consentTimeout / 6
        return peer
    }

    /// Makes the viewer findable by the fragment of its newest description, and by the one before while that is in use.
    private func enlist(_ viewer: Viewer) {
        let current = [viewer.peer.localUsernameFragment, viewer.peer.previousLocalUsernameFragment].compactMap(\.self)
        for former in viewer.fragments where !current.contains(former) {
            addresses.unregister(fragment: former, of: viewer.id)
        }
        for fragment in current { addresses.register(fragment: fragment, for: viewer.id) }
        viewer.fragments = current
    }

    /// Candidates inside an offer went to the agent with it; a relay has to permit their addresses.
    private func permitCandidates(in offer: String, of viewer: Viewer) {
        guard let relay = externalRelay else { return }
        for line in offer.split(whereSeparator: \.isNewline) where line.hasPrefix("a=candidate:") {
            guard let candidate = try? Candidate(sdp: String(line)), policy.accepts(candidate.address) else { continue }
            relay.permit(candidate.address.ip, for: viewer)
        }
    }

    private func candidateLines(of viewer: Viewer) -> [CandidateLine] {
        paths.compactMap { path in path.candidate.map { line($0, of: viewer) } }
    }

    private func line(_ candidate: Candidate, of viewer: Viewer) -> CandidateLine {
        var candidate = candidate
        candidate.usernameFragment = viewer.peer.localUsernameFragment
        // The transport is that of the bundle's first section (RFC 9143 §7.2).
        let first = viewer.peer.session?.transportSection
        return CandidateLine(candidate: candidate.sdp, sdpMid: first?.mid ?? "0", sdpMLineIndex: first?.index ?? 0)
    }
}
