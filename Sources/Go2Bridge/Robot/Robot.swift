package import Core
package import PeerConnection
internal import Synchronization

/// Sound and pictures of a robot, for the stage that shows them. Called on the link's thread; must return at once.
package enum RobotMediaEvent: Sendable {
    /// RTP of H.264.
    case camera(ReceivedPacket)
    /// RTP of Opus.
    case microphone(ReceivedPacket)
    /// The robot is gone; what comes next is another stream.
    case lost
}

/// One robot, as the rest of the server knows it: its state, its topics, its driver's seat, requests to it.
///
/// All methods may be called from any thread. What it is wanted for is told to the link again whenever that has found the
/// robot again, so listeners and subscribers keep what they have over a lost connection.
package final class Robot: Sendable {
    struct State: Sendable {
        var core: RobotCore
        var answers: [Int32: CheckedContinuation<Result<RobotResponse, RobotRequestError>, Never>] = [:]
        var topicStreams: [Int: (topics: Set<String>, continuation: AsyncStream<TopicUpdate>.Continuation)] = [:]
        var statusStreams: [Int: AsyncStream<RobotStatus>.Continuation] = [:]
        var voxelStreams: [Int: AsyncStream<VoxelCloud>.Continuation] = [:]
        var lastStream = 0
        var timer: Task<Void, Never>?
        var timerDue: Instant?
        /// Somebody hands orders to the link; whoever comes meanwhile leaves theirs to it, so that they stay in order.
        var isHandingOn = false
        /// What listeners and waiting tasks are to be told once the lock is let go of; likewise by one at a time.
        var tellings: [@Sendable () -> Void] = []
        var isTelling = false
        var talker: DriverID?
        var decoding: Task<Void, Never>?
    }

    struct VoxelMessage: Sendable {
        var header: JSONValue
        var payload: [UInt8]
    }

    package let configuration: RobotConfiguration
    let link: any RobotLink
    let metrics: RobotMetrics
    let clock: RobotClock
    let state: Mutex<State>
    private let media = Mutex<(@Sendable (RobotMediaEvent) -> Void)?>(nil)
    /// Frames wait for their decoder; of more than two the newest are kept.
    let voxelInput: AsyncStream<VoxelMessage>.Continuation
    let voxelMessages: AsyncStream<VoxelMessage>

    package var name: String { configuration.name }

    package init(
        configuration: RobotConfiguration, link: any RobotLink, metrics: RobotMetrics, clock: RobotClock = .system,
        random: RandomSource = .system
    ) {
        self.configuration = configuration
        self.link = link
        self.metrics = metrics
        self.clock = clock
        state = Mutex(State(core: RobotCore(configuration: configuration, random: random)))
        (voxelMessages, voxelInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(2))
    }

    /// Begins to connect, once.
    package func start() {
        let decoding = Task { [weak self, voxelMessages] in
            for await message in voxelMessages { self?.decode(message) }
        }
        state.withLock { $0.decoding = decoding }
        link.start { [weak self] event in self?.receive(event) }
    }

    /// Stops the robot where it moves, says goodbye so that its only slot is free, and ends every stream.
    package func stop() async {
        act { state, now in state.core.seat.shutDown(now: now) }
        // The stop should arrive before the goodbye, but a robot that is silent must not hold the server up.
        for _ in 0..<10 where status.isReady && status.drive.isStopping { try? await clock.sleep(.milliseconds(50)) }
        await link.stop()
        let ended = state.withLock { state in
            defer {
                state.topicStreams = [:]
                state.statusStreams = [:]
                state.voxelStreams = [:]
                state.answers = [:]
            }
            state.timer?.cancel()
            state.decoding?.cancel()
            return state
        }
        voxelInput.finish()
        for stream in ended.topicStreams.values { stream.continuation.finish() }
        for stream in ended.statusStreams.values { stream.finish() }
        for stream in ended.voxelStreams.values { stream.finish() }
        for answer in ended.answers.values { answer.resume(returning: .failure(.lost)) }
    }

    package var status: RobotStatus {
        let now = clock.now()
        return state.withLock { $0.core.status(now: now) }
    }

    package var driving: Driving { Driving(robot: self) }

    // MARK: - Media

    /// Who takes the robot's pictures and sound from now on.
    package func attach(media sink: @escaping @Sendable (RobotMediaEvent) -> Void) {
        media.withLock { $0 = sink }
    }

    /// The camera and the microphone are on only while somebody takes them; sound only where the configuration allows it.
    package func setWatched(video: Bool, sound: Bool) {
        act { state, _ in state.core.setWatched(video: video, sound: sound) }
    }

    // MARK: - The link's events

    private func receive(_ event: RobotLinkEvent) {
        switch event {
        case .camera(let packet): return media.withLock(\.self)?(.camera(packet)) ?? ()
        case .microphone(let packet): return media.withLock(\.self)?(.microphone(packet)) ?? ()
        case .lost: media.withLock(\.self)?(.lost)
        case .report, .ready, .topic, .binary, .response, .requestFailed, .faults, .network: break
        }
        act { state, now in state.core.handle(event, now: now) }
        switch event {
        case .ready: metrics.isConnected.set(1)
        case .lost: metrics.isConnected.set(0)
        default: break
        }
    }

    // MARK: - Acting on the state

    /// Changes the state, sets the timer, hands orders to the link, then tells listeners: a stop waits for nobody.
    @discardableResult
    func act<Result: Sendable, Failure: Error>(
        _ body: (inout State, Instant) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let now = clock.now()
        let result: Swift.Result<Result, Failure> = state.withLock { state in
            let result: Swift.Result<Result, Failure>
            // The robot's own messages, twenty a second, keep the dead man's switch going where the timer's task is late.
            if let due = state.core.deadline, due <= now { state.core.handleTimeout(now: now) }
            do throws(Failure) {
                result = .success(try body(&state, now))
            } catch {
                result = .failure(error)
            }
            state.core.settle(now: now)
            collectNews(&state, now: now)
            setTimer(&state, now: now)
            return result
        }
        handOn()
        tellAll()
        return try result.get()
    }

    private func collectNews(_ state: inout State, now: Instant) {
        var isStatusNew = false
        while let news = state.core.pollNews() {
            switch news {
            case .topic(let update):
                metrics.topics.increment()
                for (topics, continuation) in state.topicStreams.values where topics.contains(update.topic) {
                    state.tellings.append { continuation.yield(update) }
                }
            case .status: isStatusNew = true
            case .voxels(let header, let payload):
                state.tellings.append { [voxelInput] in
                    voxelInput.yield(VoxelMessage(header: header, payload: payload))
                }
            case .response(let response):
                metrics.request(response.code == 0 ? "done" : "refused")
                state.answer(response.id, with: .success(response))
            case .requestFailed(let id, let error):
                metrics.request(error.outcome)
                state.answer(id, with: .failure(error))
            case .refusedTopic: metrics.refusedTopics.increment()
            case .stopped(let reason): metrics.stop(reason)
            case .velocitySent: metrics.velocities.increment()
            }
        }
        guard isStatusNew else { return }
        let status = state.core.status(now: now)
        metrics.isDriven.set(status.drive.holder == nil ? 0 : 1)
        for continuation in state.statusStreams.values { state.tellings.append { continuation.yield(status) } }
    }

    /// One task waits for the earliest deadline; one that fires early only looks again.
    private func setTimer(_ state: inout State, now: Instant) {
        guard let deadline = state.core.deadline else { return }
        if let due = state.timerDue, due <= deadline { return }
        state.timer?.cancel()
        state.timerDue = deadline
        state.timer = Task { [weak self, clock] in
            do { try await clock.sleep(deadline - now) } catch { return }
            self?.timerFired(due: deadline)
        }
    }

    private func timerFired(due: Instant) {
        state.withLock { state in
            // A later timer took this one's place just before it was cancelled.
            if state.timerDue == due { state.timerDue = nil }
        }
        act { state, now in state.core.handleTimeout(now: now) }
    }

    /// Orders leave one at a time and outside of the lock: a link may answer within `perform`.
    private func handOn() {
        var isMine = false
        while true {
            let order: RobotOrder? = state.withLock { state in
                if state.isHandingOn, !isMine { return nil }
                let order = state.core.pollOrder()
                state.isHandingOn = order != nil
                return order
            }
            guard let order else { return }
            isMine = true
            metrics.orders.increment()
            link.perform(order)
        }
    }

    /// Outside of the lock: who wakes a task takes the runtime's lock on it, which is held while a cancelled task's handlers
    /// ask for ours.
    private func tellAll() {
        var isMine = false
        while true {
            let tellings = state.withLock { state -> [@Sendable () -> Void] in
                if state.isTelling, !isMine { return [] }
                defer { state.tellings = [] }
                state.isTelling = !state.tellings.isEmpty
                return state.tellings
            }
            if tellings.isEmpty { return }
            isMine = true
            for tell in tellings { tell() }
        }
    }
}

extension Robot.State {
    fileprivate mutating func answer(_ id: Int32, with result: Result<RobotResponse, RobotRequestError>) {
        guard let continuation = answers.removeValue(forKey: id) else { return }
        tellings.append { continuation.resume(returning: result) }
    }
}

extension RobotRequestError {
    /// A word for metrics.
    var outcome: String {
        switch self {
        case .notConnected: "not_connected"
        case .timedOut: "timed_out"
        case .tooMany: "too_many"
        case .invalid: "invalid"
        case .lost: "lost"
        case .forbidden: "forbidden"
        case .acrobatics: "acrobatics"
        case .unsafe: "unsafe"
        case .drivenByAnother: "driven_by_another"
        }
    }
}
