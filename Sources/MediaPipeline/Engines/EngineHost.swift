package import Core
internal import Networking
internal import Synchronization

/// One engine: its socket, its process where it is a child, and its avatars. Its thread runs an ``EngineDriver``.
package final class EngineHost: Sendable {
    /// What others ask of the thread.
    enum Command: Sendable {
        case add(EngineLink)
        case remove(EngineLink)
        case prepare(
            avatar: String, videoPath: String, appliesBlur: Bool, AsyncStream<EnginePreparation>.Continuation)
        case childEnded(ChildProcess.Ending, generation: Int)
        case stop(CheckedContinuation<Void, Never>)
    }
    private enum Phase {
        case made, running, stopped
    }
    private struct State {
        var phase = Phase.made
        var commands: [Command] = []
        var wakeUp: WakeUp?
        var endpoint: String?
        var avatars: [String: EngineAvatar] = [:]
        /// Of the last hello and what was prepared since; empty before the first.
        var descriptions: [EngineAvatarDescription] = []
        var hasSaidHello = false
        var failure: String? = "it has not been started"
        /// What is wrong although it serves.
        var note: DegradedPart?
        var observers: [@Sendable ([EngineAvatarDescription]) -> Void] = []
    }

    package let configuration: EngineConfiguration
    let metrics: EngineMetrics
    let limits: EngineSupervisor.Limits
    let claims: EngineClaims
    /// What the supervision of the engine goes by.
    let clock: @Sendable () -> Instant
    private let directory: String
    private let random: RandomSource
    private let state = Mutex(State())

    /// `directory` is the state directory: the sockets are in its folder `engines`.
    package convenience init(
        configuration: EngineConfiguration, directory: String, metrics: MetricsRegistry,
        random: RandomSource = .system
    ) {
        self.init(
            configuration: configuration, directory: directory, metrics: metrics, random: random,
            limits: EngineSupervisor.Limits(), claims: .shared)
    }

    init(
        configuration: EngineConfiguration, directory: String, metrics: MetricsRegistry, random: RandomSource,
        limits: EngineSupervisor.Limits, claims: EngineClaims,
        clock: @escaping @Sendable () -> Instant = { SystemClock.now() }
    ) {
        self.configuration = configuration
        self.directory = directory
        self.random = random
        self.metrics = EngineMetrics(metrics, engine: configuration.name)
        var limits = limits
        limits.maximumRestarts = configuration.maximumRestarts
        self.limits = limits
        self.claims = claims
        self.clock = clock
    }

    deinit {
        claims.release(ObjectIdentifier(self))
    }

    package var name: String { configuration.name }
    /// Where an engine connects, once the host has started.
    package var endpoint: String? { state.withLock { $0.endpoint } }
    /// What the engine offers; empty before its first hello.
    package var avatars: [EngineAvatarDescription] { state.withLock { $0.descriptions } }

    /// The avatar of that name; nil where the engine has said hello and has none such. Before its hello any name will do:
    /// its stages show nothing and say so until the engine is there.
    package func avatar(_ id: String) -> EngineAvatar? {
        guard EngineHeader.isAvatarID(id) else { return nil }
        let isKnown = state.withLock { state in
            !state.hasSaidHello || state.descriptions.contains { $0.id == id }
        }
        return isKnown ? ownAvatar(id) : nil
    }

    func ownAvatar(_ id: String) -> EngineAvatar {
        state.withLock { state in
            if let known = state.avatars[id] { return known }
            let avatar = EngineAvatar(id: id, host: self)
            state.avatars[id] = avatar
            return avatar
        }
    }

    /// What does not work, and what mends it.
    package var degraded: [DegradedPart] {
        state.withLock { state in
            if let failure = state.failure {
                let remedy =
                    configuration.command.isEmpty
                    ? "start the engine with AVATAR_ENGINE_ENDPOINT=\(state.endpoint ?? "…")"
                    : "see the engine's lines in the log, mend engines.\(name).command, then restart the server"
                return [DegradedPart(part: "engine \(name)", reason: failure, remedy: remedy)]
            }
            return state.note.map { [$0] } ?? []
        }
    }

    /// Called with all descriptions after each hello and each preparation, on the host's thread.
    package func onAvatarsChanged(_ observer: @escaping @Sendable ([EngineAvatarDescription]) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    /// Has the engine prepare an avatar from a video; the stream ends with `.ready` or `.refused`.
    package func prepare(
        avatar: String, videoPath: String, appliesBlur: Bool
    ) -> AsyncStream<EnginePreparation> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EnginePreparation.self, bufferingPolicy: .bufferingNewest(16))
        let isPosted = post(
            .prepare(avatar: avatar, videoPath: videoPath, appliesBlur: appliesBlur, continuation))
        if !isPosted {
            continuation.yield(.refused(reason: "engine \(name) does not run"))
            continuation.finish()
        }
        return stream
    }

    // MARK: Life

    /// Binds the socket and starts the thread, and the child where there is one.
    package func start() throws(EngineError) {
        guard state.withLock({ $0.phase == .made }) else { return }
        let settings = try EngineEndpoint(configuration, directory: directory)
        let wakeUp: WakeUp
        let server: ZeroMQServer
        do {
            wakeUp = try WakeUp()
            server = try ZeroMQServer(endpoint: settings.endpoint, guardian: settings.guardian, wakeUp: wakeUp)
        } catch {
            throw EngineError(
                code: .endpointUnavailable, reason: "\(error)",
                remedy: "set engines.\(name).endpoint to another address, or storage.state_directory to a shorter path")
        }
        state.withLock { state in
            state.phase = .running
            state.wakeUp = wakeUp
            state.endpoint = server.endpoint
        }
        let driver = EngineDriver(
            host: self, server: server, serverKey: settings.publicKey, token: random.token(bits: 192))
        let isRunning = PipelineThread.start(name: "engine-\(name)") { driver.run() }
        guard isRunning else {
            state.withLock { $0.phase = .stopped }
            throw EngineError(
                code: .systemRefused, reason: "the system gives no thread", remedy: "raise the limit of processes")
        }
    }

    /// Ends the child, and waits until it and the thread are gone: at most some 5 s.
    package func stop() async {
        await withCheckedContinuation { continuation in
            if !post(.stop(continuation)) { continuation.resume() }
        }
    }

    func makeSessionID() -> String { random.token(bits: 96) }

    // MARK: The thread's side

    func add(_ link: EngineLink) {
        _ = post(.add(link))
    }

    func remove(_ link: EngineLink) {
        _ = post(.remove(link))
    }

    /// False where the thread is gone.
    @discardableResult
    func post(_ command: Command) -> Bool {
        state.withLock { state in
            switch (state.phase, command) {
            case (.stopped, _): return false
            case (.made, .add), (.made, .remove): break
            case (.made, _): return false
            case (.running, _): break
            }
            state.commands.append(command)
            state.wakeUp?.signal()
            return true
        }
    }

    /// There is something to be sent.
    func wake() {
        state.withLock { $0.wakeUp }?.signal()
    }

    func takeCommands() -> [Command] {
        state.withLock { state in
            defer { state.commands.removeAll() }
            return state.commands
        }
    }

    /// The thread ends: what was asked too late.
    func close() -> [Command] {
        state.withLock { state in
            state.phase = .stopped
            state.failure = "it was stopped"
            // Avatars hold their host.
            state.avatars.removeAll()
            defer { state.commands.removeAll() }
            return state.commands
        }
    }

    func report(failure: String?) {
        state.withLock { $0.failure = failure }
    }

    func report(note: DegradedPart?) {
        state.withLock { $0.note = note }
    }

    func publish(_ descriptions: [EngineAvatarDescription]) {
        let observers = state.withLock { state in
            state.descriptions = descriptions
            state.hasSaidHello = true
            // It serves from now on, and observers may look at once.
            state.failure = nil
            return state.observers
        }
        for observer in observers { observer(descriptions) }
    }
}

/// Which engine of the process has which avatar: a name belongs to the first that says it.
package final class EngineClaims: Sendable {
    package static let shared = EngineClaims()
    private let owners = Mutex<[String: (owner: ObjectIdentifier, name: String)]>([:])

    package init() {}

    /// Takes these avatars for an engine, and lets go of its former ones; where one is another's, takes none and answers it.
    func claim(_ avatars: [String], for owner: ObjectIdentifier, name: String) -> (avatar: String, owner: String)? {
        owners.withLock { owners in
            for avatar in avatars {
                if let known = owners[avatar], known.owner != owner { return (avatar, known.name) }
            }
            owners = owners.filter { $0.value.owner != owner }
            for avatar in avatars { owners[avatar] = (owner, name) }
            return nil
        }
    }

    func release(_ owner: ObjectIdentifier) {
        owners.withLock { owners in owners = owners.filter { $0.value.owner != owner } }
    }
}
