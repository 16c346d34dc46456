internal import Core
internal import MediaLoop
internal import Networking
internal import PeerConnection

extension WebRTCLinkDriver {
    static let logger = Logger("robot")

    /// Finds the robot, then calls it.
    func startAttempt() {
        guard !isStopped, call == nil, request == nil else { return }
        metrics.attempts.increment()
        hasAnswered = false
        ending = nil
        phases.handle(.attemptStarted(isDiscovering: exchange.isDiscovering), now: loop.now)
        let number = phases.attempt
        let witness = witness(of: .discovery, attempt: number)
        request = inTask { [exchange] () async throws(PhaseFailure) -> RobotAddress in
            try await exchange.find(witness)
        } then: { driver, found in
            guard driver.isCurrent(number) else { return }
            switch found {
            case .success(let robot):
                driver.phases.handle(.completed(.discovery), now: driver.loop.now)
                driver.offer(to: robot)
            case .failure(let failure): driver.phases.handle(.failed(.discovery, failure), now: driver.loop.now)
            }
        }
    }

    private func offer(to robot: RobotAddress) {
        let number = phases.attempt
        let sdp: String
        do throws(PhaseFailure) {
            sdp = try makeCall(to: robot)
        } catch {
            return phases.handle(.failed(.signaling, error), now: loop.now)
        }
        let witness = witness(of: .signaling, attempt: number)
        request = inTask { [exchange] () async throws(PhaseFailure) -> SignalingAnswer in
            try await exchange.exchange(sdp, robot, witness)
        } then: { driver, answered in
            guard driver.isCurrent(number) else { return }
            driver.request = nil
            switch answered {
            case .success(let answer): driver.accept(answer)
            case .failure(let failure): driver.phases.handle(.failed(.signaling, failure), now: driver.loop.now)
            }
        }
    }

    /// Makes the call and its channel, and returns the offer.
    private func makeCall(to robot: RobotAddress) throws(PhaseFailure) -> String {
        let addresses = CallAddresses.reachable(
            from: robot.ip, interfaces: NetworkInterface.all(), source: Networking.Route.source(to: robot.ip),
            onlyOn: configuration.interface, limit: configuration.maximumCandidates)
        guard !addresses.isEmpty else { throw Self.noRoute(to: robot.ip, interface: configuration.interface) }
        var channels = DataChannelLimits()
        channels.maximumBufferedBytes = configuration.maximumBufferedBytes
        var settings = OutgoingCall.Configuration(
            capabilities: MediaCapabilities(
                sendsVideo: false, sendsAudio: true, receivesVideo: true, receivesAudio: true, videoCodecs: [.h264],
                offersRetransmission: false, dataChannels: channels),
            dataChannels: channels, addresses: addresses)
        settings.consentTimeout = configuration.consentTimeout
        settings.consentInterval = min(configuration.consentTimeout / 5, .seconds(5))
        settings.patience = configuration.limits.ice
        let isLoopback = robot.ip.isLoopback
        settings.acceptsRemote = { ip in
            (isLoopback || !ip.isLoopback) && (!ip.isLinkLocal || robot.ip.isLinkLocal)
                && Networking.Route.exists(to: ip)
        }
        let number = phases.attempt
        do throws(SocketError) {
            let made = try OutgoingCall(settings, loop: loop, context: context, random: random) { [weak self] event in
                guard let self, self.isCurrent(number) else { return }
                self.handle(event)
                self.settle()
            }
            call = made
            channel = try? made.openDataChannel(DataChannelSettings(label: "data"))
            let sdp = made.offer()
            phases.facts.gatheringState = "complete"
            phases.facts.localCandidates = made.localAddresses
            note(.signaling, "an offer with \(addresses.count) host candidates, \(sdp.utf8.count) bytes")
            return sdp
        } catch {
            throw PhaseFailure(
                code: "no_socket", reason: "no UDP socket for the robot: \(error)", causes: ["too many open files"],
                remedy: "avatar-streamer doctor")
        }
    }

    private func accept(_ answer: SignalingAnswer) {
        guard let call else { return }
        hasAnswered = true
        note(.signaling, answer.generation.description)
        do throws(NegotiationError) {
            try call.accept(answer: answer.sdp)
        } catch {
            return phases.handle(.failed(.signaling, Self.badAnswer(error)), now: loop.now)
        }
        updateFacts()
        guard !phases.facts.isChannelRefused else {
            let failure = PhaseDiagnosis.timeout(of: .sctp, after: .zero, phases.facts)
            return phases.handle(.failed(.signaling, failure), now: loop.now)
        }
        if call.session?.receiving(.video) == nil { note(.signaling, "the robot's answer has no camera") }
        if call.session?.receiving(.audio) == nil { note(.signaling, "the robot's answer has no sound") }
        phases.facts.connectionState = "connecting"
        phases.handle(.completed(.signaling), now: loop.now)
        note(.ice, "the robot named \(phases.facts.remoteCandidates.count) addresses")
        for refused in phases.facts.refusedCandidates.prefix(8) { note(.ice, "not used: \(refused)") }
    }

    // MARK: The ends

    /// The attempt has failed; another one follows.
    func endAttempt(_ phase: RobotPhase, _ failure: PhaseFailure) {
        metrics.failed(phase)
        logFailure(phase, failure)
        let isConnected = phases.facts.connectionState == "connected"
        hangUp()
        retry(code: failure.code, leavesSlot: hasAnswered && !isConnected)
    }

    /// The connection is lost; the robot is called again.
    func lose(_ loss: LinkLoss) {
        guard phases.state == .connected else { return }
        metrics.losses.increment()
        updateFacts()
        phases.handle(.lost(loss), now: loop.now)
        let failure = loss.failure
        Self.logger.warning(
            "robot lost",
            [
                "robot": .string(configuration.name), "code": .string(failure.code), "reason": .string(failure.reason),
            ])
        hangUp()
        tell(.lost(reason: failure.reason))
        retry(code: nil, leavesSlot: loss.leavesSlot)
    }

    /// Says goodbye where there is somebody to say it to.
    private func hangUp() {
        request?.cancel()
        request = nil
        session.disconnected()
        silence.end()
        probe = nil
        channel = nil
        isChannelFull = false
        metrics.isConnected.set(0)
        metrics.silence.set(0)
        guard let call else { return }
        self.call = nil
        // It keeps itself until the goodbye was said.
        call.close()
    }

    private func retry(code: String?, leavesSlot: Bool) {
        let retry = policy.ended(code: code, leavesSlot: leavesSlot, now: loop.now)
        if code == "busy", let since = retry.heldSince {
            phases.explain(
                "the robot still holds this server's own connection, lost \(Int(since.seconds)) s ago: "
                    + "it lets go 30 to 45 s after a loss")
        }
        if let limit = configuration.maximumAttempts, phases.attempt >= limit { return }
        retryAt = loop.now + retry.delay
        phases.handle(.retryScheduled(at: loop.now + retry.delay), now: loop.now)
    }

    // MARK: Off the loop

    func isCurrent(_ attempt: Int) -> Bool {
        !isStopped && phases.attempt == attempt && (phases.state == .connecting || phases.state == .connected)
    }

    private func witness(of phase: RobotPhase, attempt: Int) -> RobotExchange.Witness {
        let reference = DriverReference(self)
        return { [loop] line in
            loop.submit {
                guard let driver = reference.current, driver.isCurrent(attempt) else { return }
                driver.note(phase, line)
                driver.settle()
            }
        }
    }

    /// Runs `work` in a task, and `then` on the loop, as long as the driver lives.
    private func inTask<Value: Sendable>(
        _ work: @escaping @Sendable () async throws(PhaseFailure) -> Value,
        then: @escaping @Sendable (WebRTCLinkDriver, Result<Value, PhaseFailure>) -> Void
    ) -> Task<Void, Never> {
        let reference = DriverReference(self)
        return Task { [loop] in
            let result: Result<Value, PhaseFailure>
            do throws(PhaseFailure) {
                result = .success(try await work())
            } catch {
                result = .failure(error)
            }
            loop.submit {
                guard let driver = reference.current else { return }
                then(driver, result)
                driver.settle()
            }
        }
    }

    func note(_ phase: RobotPhase, _ line: String) {
        phases.handle(.evidence(phase, line), now: loop.now)
    }

    private static func noRoute(to ip: IPAddress, interface: String?) -> PhaseFailure {
        PhaseFailure(
            code: "no_route",
            reason: "this machine has no address in the robot's network (\(ip)"
                + (interface.map { ", only \($0) may be used)" } ?? ")"),
            causes: ["the network cable or Wi-Fi is not connected", "the address is wrong"],
            remedy: "ip route get \(ip)")
    }

    private static func badAnswer(_ error: NegotiationError) -> PhaseFailure {
        PhaseFailure(
            code: "malformed_answer", reason: "the robot's description cannot be used: \(error.reason)",
            causes: ["firmware that this server does not know", "the address belongs to another device"],
            remedy: "send the bundle that avatar-streamer go2 diagnose writes")
    }
}

/// A driver that may be gone, as what runs off the loop carries it back there.
// SAFETY: `driver` is set before the reference is handed around, and read on the loop's thread alone, which is checked.
private final class DriverReference: @unchecked Sendable {
    private weak var driver: WebRTCLinkDriver?
    private let loop: EventLoop

    init(_ driver: WebRTCLinkDriver) {
        self.driver = driver
        loop = driver.loop
    }

    var current: WebRTCLinkDriver? {
        loop.assertOnLoop()
        return driver
    }
}
