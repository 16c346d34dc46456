internal import Core
internal import MediaLoop
internal import Networking
internal import PeerConnection

extension WebRTCLinkDriver {
    /// Takes what the call tells.
    func handle(_ event: CallEvent) {
        let now = loop.now
        switch event {
        case .iceStateChanged(let state):
            phases.facts.iceState = state
            if state == "disconnected", phases.state == .connected { phases.facts.connectionState = "disconnected" }
            if state == "connected" || state == "completed", phases.state == .connected {
                phases.facts.connectionState = "connected"
            }
            note(.ice, state)
        case .pathFound(let local, let remote):
            let path = "path \(local) to \(remote)"
            // Told when it works, and again when it is nominated.
            if phases.facts.path != path { note(.ice, path) }
            phases.facts.path = path
            phases.handle(.completed(.ice), now: now)
        case .connected(let profile):
            phases.facts.connectionState = "connected"
            note(.dtls, "connected, \(profile.name)")
            phases.handle(.completed(.dtls), now: now)
        case .sctpConnected: channelIsUsable("the association is up")
        case .channelOpened(let opened, _): if opened == channel { note(.sctp, "the robot uses the channel") }
        case .message(let message, let source): receive(message, on: source)
        case .media(let packet): receive(packet)
        case .channelClosed(let closed):
            if closed == channel { overUnlessGoodbye(.channelClosed, "the robot closed the channel") }
        case .sctpEnded(let reason): overUnlessGoodbye(.associationEnded(reason: reason), reason)
        case .closed: over(.closedByRobot, "the robot said goodbye")
        case .failed(let phase, let failure): fail(phase, failure)
        case .channelReady(let ready): if ready == channel { isChannelFull = false }
        }
    }

    /// Nobody waits for a channel's acknowledgement: some robots never send it.
    private func channelIsUsable(_ evidence: String) {
        guard phases.facts.channelState != "open" else { return }
        phases.facts.channelState = "open"
        note(.sctp, evidence)
        phases.handle(.completed(.sctp), now: loop.now)
        session.connected(now: loop.now)
    }

    private func receive(_ message: DataChannelMessage, on source: DataChannelID) {
        phases.facts.messagesReceived += 1
        metrics.messagesReceived.increment()
        // A robot may speak on a channel of its own opening; there is one conversation all the same.
        if channel == nil || phases.facts.messagesReceived == 1 { channelIsUsable("a message came") }
        silence.heard(now: loop.now)
        session.handle(message, now: loop.now, wallTime: SystemClock.wallTime())
    }

    private func receive(_ packet: ReceivedPacket) {
        guard packet.kind == .video else { return tell(.microphone(packet)) }
        if probe != nil {
            phases.facts.picturePackets += 1
            if probe?.receive(packet, now: loop.now) == true {
                probe = nil
                note(.media, "a key frame came whole")
                phases.handle(.completed(.media), now: loop.now)
            }
        }
        tell(.camera(packet))
    }

    /// How long the end of the data channel waits for a goodbye: that comes in a datagram of its own, and says more.
    private static let goodbyeDelay: Duration = .milliseconds(100)

    /// The data channel has ended; by a goodbye, or by itself. The end of the association says more than the channel's.
    private func overUnlessGoodbye(_ loss: LinkLoss, _ reason: String) {
        let isFirst = ending == nil
        ending = (loss, reason)
        guard isFirst else { return }
        let attempt = phases.attempt
        loop.schedule(at: loop.now + Self.goodbyeDelay) { [weak self] in
            guard let self, isCurrent(attempt), let (loss, reason) = ending else { return }
            over(loss, reason)
            settle()
        }
    }

    /// The robot ended it, before it was ready or after.
    private func over(_ loss: LinkLoss, _ reason: String) {
        ending = nil
        guard phases.state != .connected else { return lose(loss) }
        guard let phase = phases.current else { return }
        updateFacts()
        if loss == .closedByRobot {
            return phases.handle(.failed(phase, loss.failure), now: loop.now)
        }
        let failed: RobotPhase = phase == .validation ? .validation : .sctp
        phases.handle(.failed(failed, PhaseDiagnosis.associationEnded(reason, phases.facts)), now: loop.now)
    }

    private func fail(_ phase: PeerPhase, _ failure: CallFailure) {
        updateFacts()
        guard phases.state != .connected else {
            return lose(failure.code == .noPath ? .consentLost : .transportFailed(reason: failure.reason))
        }
        guard let current = phases.current else { return }
        phases.facts.connectionState = "failed"
        // A path that was lost before the robot was ready says so, whatever was under way.
        if failure.code == .noPath, current != .ice {
            return phases.handle(.failed(current, LinkLoss.consentLost.failure), now: loop.now)
        }
        phases.handle(.failed(current, PhaseDiagnosis.failure(in: current, failure, phases.facts)), now: loop.now)
    }

    /// The robot takes orders.
    func becomeReady(after duration: Duration) {
        policy.connected(now: loop.now)
        metrics.connectTime.observe(duration.seconds)
        metrics.isConnected.set(1)
        silence.begin(now: loop.now)
        Self.logger.info(
            "robot connected",
            [
                "robot": .string(configuration.name), "attempt": .integer(Int64(phases.attempt)),
                "connect.ms": .number(duration.milliseconds),
            ])
        watchCamera()
        tell(.report(phases.report(now: loop.now)))
        tell(.ready)
    }

    /// Reads what the call shows of itself.
    func updateFacts() {
        guard let call else { return }
        let known = call.statistics
        phases.facts.remoteCandidates = known.remoteCandidates
        phases.facts.refusedCandidates = known.refusedCandidates
        phases.facts.datagramsReceived = known.datagramsReceived
        phases.facts.checksAuthenticated = known.checksAuthenticated
        phases.facts.checksRefused = known.checksRefused
        phases.facts.recordsReceived = known.recordsReceived
        phases.facts.initsSent = known.peer.sctp?.initsSent ?? 0
        if let session = call.session { phases.facts.isChannelRefused = session.application == nil }
    }

    func logFailure(_ phase: RobotPhase, _ failure: PhaseFailure) {
        Self.logger.warning(
            "robot phase failed",
            [
                "robot": .string(configuration.name), "phase": .string(phase.rawValue), "code": .string(failure.code),
                "reason": .string(failure.reason), "states": .string(phases.facts.states),
                "attempt": .integer(Int64(phases.attempt)), "remedy": .string(failure.remedy),
            ])
    }

    /// The watch's line: everything that an operator needs to know first.
    func logStuck(_ phase: RobotPhase, _ failure: PhaseFailure) {
        Self.logger.error(
            "robot not connected",
            [
                "robot": .string(configuration.name), "phase": .string(phase.rawValue), "code": .string(failure.code),
                "reason": .string(failure.reason), "causes": .string(failure.causes.joined(separator: "; ")),
                "remedy": .string(failure.remedy),
            ])
    }
}
