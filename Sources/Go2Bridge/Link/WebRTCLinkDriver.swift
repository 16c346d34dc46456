internal import Core
internal import MediaLoop
internal import Networking
internal import PeerConnection

/// The link as it lives on the loop's thread: one attempt or connection at a time, and the pauses between them.
///
/// After every input ``settle()`` sends what the session has to say, tells what changed, and arms the timer.
final class WebRTCLinkDriver {
    let configuration: WebRTCLinkConfiguration
    let loop: EventLoop
    let exchange: RobotExchange
    let context: DTLSContext
    let metrics: LinkMetrics
    let random: RandomSource
    private let events: @Sendable (RobotLinkEvent) -> Void

    var phases: ConnectionPhases
    var policy: ReconnectionPolicy
    var session: RobotSession
    var call: OutgoingCall?
    /// The channel `data`.
    var channel: DataChannelID?
    /// HTTP of the running attempt.
    var request: Task<Void, Never>?
    var retryAt: Instant?
    /// The robot has our offer; it may hold our place from here on.
    var hasAnswered = false
    var probe: PictureProbe?
    var cameraIsWanted = false
    /// The channel takes no more until it says so.
    var isChannelFull = false
    private var refused: RefusedMessages
    var silence = SilenceWatch()
    /// The data channel has ended so, and a goodbye may be under way.
    var ending: (loss: LinkLoss, reason: String)?
    var isStopped = false
    private var timer: (id: TimerID, at: Instant)?
    private var isSettling = false
    private var tellsReport = false

    init(
        _ configuration: WebRTCLinkConfiguration, loop: EventLoop, exchange: RobotExchange, context: DTLSContext,
        metrics: LinkMetrics, random: RandomSource, events: @escaping @Sendable (RobotLinkEvent) -> Void
    ) {
        self.configuration = configuration
        self.loop = loop
        self.exchange = exchange
        self.context = context
        self.metrics = metrics
        self.random = random
        self.events = events
        refused = metrics.refusedMessages
        phases = ConnectionPhases(limits: configuration.limits)
        policy = ReconnectionPolicy(configuration: configuration.reconnection, random: random)
        session = RobotSession(limits: configuration.session, random: random)
    }

    // MARK: Orders

    func start() {
        startAttempt()
        settle()
    }

    /// Says goodbye; `completion` is called when nothing runs any more.
    func stop(_ completion: @escaping () -> Void) {
        isStopped = true
        request?.cancel()
        request = nil
        retryAt = nil
        session.disconnected()
        phases.handle(.stopped, now: loop.now)
        settle()
        if let timer { loop.cancel(timer.id) }
        timer = nil
        metrics.isConnected.set(0)
        metrics.silence.set(0)
        guard let call else { return completion() }
        self.call = nil
        call.close(completion)
    }

    func perform(_ order: RobotOrder) {
        switch order {
        case .sound(let packet):
            if phases.state == .connected { call?.sendSound(packet) }
            return
        case .camera(let isOn):
            cameraIsWanted = isOn
            watchCamera()
        default: break
        }
        session.perform(order, now: loop.now)
        settle()
    }

    /// Waits for the first picture, or no longer.
    func watchCamera() {
        phases.handle(.cameraSwitched(isOn: cameraIsWanted), now: loop.now)
        if !cameraIsWanted {
            probe = nil
        } else if phases.state == .connected, phases.isRunning(.media), probe == nil {
            probe = PictureProbe()
            phases.facts.picturePackets = 0
        }
    }

    func tell(_ event: RobotLinkEvent) {
        events(event)
    }

    // MARK: After every input

    func settle() {
        guard !isSettling else { return }
        isSettling = true
        var isQuiet = false
        while !isQuiet {
            isQuiet = true
            while let event = session.pollEvent() {
                isQuiet = false
                handle(event)
            }
            while let event = phases.pollEvent() {
                isQuiet = false
                handle(event)
            }
            while !isChannelFull, let message = session.nextTransmit {
                isQuiet = false
                send(message)
            }
        }
        isSettling = false
        refused.follow(session.statistics.faults)
        if tellsReport {
            tellsReport = false
            events(.report(phases.report(now: loop.now)))
        }
        if !isStopped { arm() }
    }

    private func send(_ message: DataChannelMessage) {
        do throws(DataChannelError) {
            if let call, let channel { try call.send(message, on: channel) }
        } catch .bufferFull {
            // Where nothing waits there is nothing to wait for.
            if let call, let channel, call.bufferedBytes(on: channel) > 0 {
                isChannelFull = true
                return
            }
            metrics.messagesDropped.increment()
        } catch {
            metrics.messagesDropped.increment()
        }
        session.transmitted()
    }

    private func handle(_ event: ConnectionPhases.Event) {
        switch event {
        case .changed: tellsReport = true
        case .ready(let duration): becomeReady(after: duration)
        case .phaseFailed(.media, let failure):
            metrics.failed(.media)
            logFailure(.media, failure)
        case .phaseFailed(let phase, let failure): endAttempt(phase, failure)
        case .stuck(let phase, let failure): logStuck(phase, failure)
        }
    }

    private func handle(_ event: RobotSessionEvent) {
        switch event {
        case .challenged:
            phases.facts.validationAnswers += 1
            phases.handle(.evidence(.validation, "the robot's challenge was answered"), now: loop.now)
        case .validationNeeded:
            phases.facts.validationRefusals += 1
            phases.handle(.evidence(.validation, "the robot wants to be answered still"), now: loop.now)
            phases.handle(.validationNeeded, now: loop.now)
        case .validationLost(let duration): lose(.validationLost(duration))
        case .validated: phases.handle(.completed(.validation), now: loop.now)
        case .link(let event): events(event)
        }
    }

    // MARK: Timers

    private func arm() {
        let wanted = [phases.deadline, session.deadline, retryAt, silence.deadline].compactMap(\.self).min()
        guard let due = wanted else { return }
        if let timer {
            guard due < timer.at else { return }
            loop.cancel(timer.id)
        }
        // What is due already waits a moment: a deadline that stays in the past must not stop the loop.
        let at = max(due, loop.now + .milliseconds(1))
        timer = (loop.schedule(at: at) { [weak self] in self?.fire() }, at)
    }

    private func fire() {
        timer = nil
        guard !isStopped else { return }
        let now = loop.now
        if let due = phases.deadline, due <= now {
            updateFacts()
            phases.handle(.timeout, now: now)
        }
        if let due = session.deadline, due <= now {
            session.handleTimeout(now: now, wallTime: SystemClock.wallTime())
        }
        if let due = silence.deadline, due <= now { lookForSilence(now: now) }
        if let due = retryAt, due <= now {
            retryAt = nil
            startAttempt()
        }
        settle()
    }

    private func lookForSilence(now: Instant) {
        metrics.silence.set(silence.duration(now: now).seconds)
        if silence.isLost(now: now, limit: configuration.silenceLimit) { lose(.silent(silence.duration(now: now))) }
    }
}

/// Whether a robot has fallen silent that talked before.
struct SilenceWatch: Sendable {
    /// Between two looks.
    private static let interval: Duration = .seconds(1)

    private var lastHeard: Instant?
    private var isTalking = false
    private(set) var deadline: Instant?

    /// From now on the robot is expected to talk.
    mutating func begin(now: Instant) {
        lastHeard = now
        isTalking = false
        deadline = now + Self.interval
    }

    mutating func heard(now: Instant) {
        guard let last = lastHeard else { return }
        // What comes right behind the validation says nothing of what comes later: robots exist that answer no heartbeat.
        if now - last >= .milliseconds(500) { isTalking = true }
        lastHeard = now
    }

    mutating func end() {
        lastHeard = nil
        deadline = nil
    }

    func duration(now: Instant) -> Duration { lastHeard.map { now - $0 } ?? .zero }

    mutating func isLost(now: Instant, limit: Duration) -> Bool {
        guard let lastHeard else { return false }
        deadline = now + Self.interval
        return isTalking && now - lastHeard >= limit
    }
}
