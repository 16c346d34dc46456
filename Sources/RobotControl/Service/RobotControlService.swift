package import Core
internal import Synchronization
package import WebServer

/// The robot control service: who is connected, what they ask, and what the project says to them.
///
/// The client's namespace is `/`; operators and viewers are on `/console`, where nobody takes the client's seat.
/// - SeeAlso: docs/protocols/robot-control.md
package final class RobotControlService: Sendable {
    /// Somebody who gives orders.
    struct Member: Sendable {
        /// Nil: a tool on the former command endpoint, which is not connected.
        let socket: SocketIOSocket?
        let role: ControlRole
        /// Knows what the former service did not say.
        let isExtended: Bool
        var followsLog = false
    }

    struct State {
        var seat: ClientSeat
        var client: Member?
        /// On `/console`, by their sockets' ids.
        var console: [String: Member] = [:]
        /// What the worker runs.
        var version: ProjectVersion?
        /// Why the project that was there at the start does not run.
        var startFailure: ProjectFailure?
        /// The former ZeroMQ endpoints, and why there are none.
        var legacy: LegacyEndpoints?
        var legacyFailure: ProjectFailure?
    }

    static let clientNamespace = "/"
    static let consoleNamespace = "/console"

    let configuration: RobotControlConfiguration
    let store: ProjectStore
    let runner: ProjectRunner
    let book: LogBook
    let state: Mutex<State>
    /// One change of the project at a time.
    let changes = OneAtATime(maximumWaiting: 16)
    private let sockets: SocketIOServer
    private let access: AccessRule
    private let metrics: ControlMetrics
    private let logger = Logger("robot-control")

    /// - Parameters:
    ///   - makeRunner: makes the runner, whose events go where it is told.
    package init(
        configuration: RobotControlConfiguration, store: ProjectStore, metrics: MetricsRegistry,
        makeRunner: (@escaping @Sendable (RunnerEvent) -> Void) throws(ProjectFailure) -> ProjectRunner
    ) throws(ProjectFailure) {
        self.configuration = configuration
        self.store = store
        let listener = RunnerListener()
        runner = try makeRunner { listener.tell($0) }
        access = AccessRule(
            token: configuration.token, viewerToken: configuration.viewerToken, origins: configuration.origins)
        book = LogBook(
            level: configuration.logLevel,
            file: RotatingLogFile(path: configuration.storageDirectory + "/logs/app.log"))
        sockets = SocketIOServer(configuration: configuration.socketIO, metrics: metrics)
        state = Mutex(State(seat: ClientSeat(rule: configuration.secondClient)))
        self.metrics = ControlMetrics(metrics)
        listener.service.withLock { $0 = WeakService(self) }
        addNamespaces()
    }

    // MARK: Start and stop

    package func addRoutes(to router: inout Router) {
        sockets.add(to: &router)
        addPages(to: &router)
    }

    /// Opens the former endpoints where they are wanted, and loads the current project. Returns at once: the service answers while the
    /// project loads.
    package func start() {
        openLegacyEndpoints()
        Task {
            guard let version = await store.current() else { return note("no project yet", .info) }
            do throws(ProjectFailure) {
                _ = try await changes.run { [self] () throws(ProjectFailure) in try await load(version) }
                note("project is loaded: version \(version.number)", .info)
            } catch {
                state.withLock { $0.startFailure = error }
                note("project cannot be loaded: \(error.reason)", .error)
                tellState()
            }
        }
    }

    /// Says goodbye to everybody and ends the worker; nothing of it is left when this returns.
    package func stop() async {
        sockets.close()
        state.withLock { $0.legacy }?.close()
        await runner.shutdown()
    }

    /// What does not work, for `/health`.
    package var degraded: [DegradedPart] {
        let status = runner.status
        let (startFailure, legacyFailure) = state.withLock { ($0.startFailure, $0.legacyFailure) }
        var parts: [DegradedPart] = []
        if status.state == .failed || status.state == .none, let failure = status.failure ?? startFailure {
            parts.append(
                DegradedPart(
                    part: "robot_control", reason: failure.reason,
                    remedy: "upload a project that loads, or roll back to one that did; "
                        + "\(configuration.storageDirectory)/logs/app.log says more"))
        }
        if let legacyFailure {
            parts.append(
                DegradedPart(
                    part: "robot_control:endpoints", reason: legacyFailure.reason,
                    remedy: "let command_endpoint and push_endpoint be paths that nobody else listens on and that this "
                        + "server may make"))
        }
        if let problem = book.fileProblem {
            parts.append(
                DegradedPart(
                    part: "robot_control:log", reason: problem,
                    remedy: "make the folder writable for this server, and room on its disk"))
        }
        return parts
    }

    // MARK: Who is connected

    private func addNamespaces() {
        sockets.namespace(
            Self.clientNamespace,
            admit: { [weak self] handshake, socket in self?.admitClient(handshake, socket) ?? .refuse("stopped") },
            opened: { [weak self] socket in self?.clientConnected(socket) ?? .nobody })
        sockets.namespace(
            Self.consoleNamespace,
            admit: { [weak self] handshake, socket in self?.admitToConsole(handshake, socket) ?? .refuse("stopped") },
            opened: { [weak self] socket in self?.consoleConnected(socket) ?? .nobody })
    }

    private func role(_ handshake: SocketIOHandshake) throws(ControlOrder.Refusal) -> ControlRole {
        guard access.admits(origin: handshake.headers["Origin"], host: handshake.headers["Host"]) else {
            metrics.refused(.origin)
            throw ControlOrder.Refusal(code: "origin", message: "Pages of this origin may not connect")
        }
        guard let role = access.role(auth: handshake.auth, authorization: handshake.headers["Authorization"]) else {
            metrics.refused(.token)
            throw ControlOrder.Refusal(code: "token", message: "Authentication failed")
        }
        return role
    }

    private func admitClient(_ handshake: SocketIOHandshake, _ socket: SocketIOSocket) -> SocketIOAdmission {
        do throws(ControlOrder.Refusal) {
            guard try role(handshake) == .controller else {
                metrics.refused(.token)
                throw ControlOrder.Refusal(
                    code: "token", message: "This token may only listen: connect to \(Self.consoleNamespace)")
            }
        } catch {
            return .refuse(error.message)
        }
        let member = Member(socket: socket, role: .controller, isExtended: handshake.auth["extended"] == true)
        // Who displaces somebody must have shown more than an address.
        let asksToTakeOver = configuration.token != nil && handshake.auth["take_over"] == true
        let (outcome, former) = state.withLock { state in
            let outcome = state.seat.take(socket.id, asksToTakeOver: asksToTakeOver)
            defer { if outcome != .refused { state.client = member } }
            return (outcome, state.client)
        }
        switch outcome {
        case .taken: break
        case .refused:
            metrics.refused(.seat)
            let told = SocketIOEmission("error", [["message": "Another client is already connected"]])
            return .refuse(["message": "Connection rejected by server"], before: [told])
        case .takenFrom:
            former?.socket?.emit("error", [["message": "Another client has taken over"]])
            former?.socket?.disconnect()
            note("another client has taken over", .warning)
        }
        return .accept
    }

    private func clientConnected(_ socket: SocketIOSocket) -> SocketIOReceiver {
        // Taken over before it was served.
        guard let member = state.withLock({ $0.client }), member.socket?.id == socket.id else { return .nobody }
        metrics.setClient(true)
        socket.emit("connected", [["message": "Connected successfully"]])
        note("client is connected", .info)
        tellState()
        return receiver(of: member) { $0.clientLeft(socket) }
    }

    private func clientLeft(_ socket: SocketIOSocket) {
        let hasLeft = state.withLock { state in
            guard state.seat.leave(socket.id) else { return false }
            state.client = nil
            return true
        }
        note("client has left: \(socket.closeReason ?? "it was let go")", .info)
        // Whoever took over begins with a project at rest as well.
        runner.clientLeft { [weak self] in self?.tellState() }
        if hasLeft { metrics.setClient(false) }
        tellState()
    }

    private func receiver(
        of member: Member, left: @escaping @Sendable (RobotControlService) -> Void
    ) -> SocketIOReceiver {
        SocketIOReceiver(
            received: { [weak self] event in
                self?.handle(event, from: member)
                return true
            }, closed: { [weak self] in if let self { left(self) } })
    }

    private func admitToConsole(_ handshake: SocketIOHandshake, _ socket: SocketIOSocket) -> SocketIOAdmission {
        do throws(ControlOrder.Refusal) {
            let member = Member(socket: socket, role: try role(handshake), isExtended: true)
            state.withLock { $0.console[socket.id] = member }
            return .accept
        } catch {
            return .refuse(error.message)
        }
    }

    private func consoleConnected(_ socket: SocketIOSocket) -> SocketIOReceiver {
        guard let member = state.withLock({ $0.console[socket.id] }) else { return .nobody }
        socket.emit("state", [statusJSON(for: member)])
        return receiver(of: member) { service in
            service.state.withLock { _ = $0.console.removeValue(forKey: socket.id) }
        }
    }

    // MARK: What is said to them

    /// What may be left out for somebody who is slow.
    private func tell(_ member: Member?, _ event: String, _ data: JSONValue) {
        guard let socket = member?.socket else { return }
        socket.emit(event, [data], isDroppable: true)
        metrics.dropped(socket.countDrops())
    }

    /// Called on threads of the worker's: returns at once.
    fileprivate func take(_ event: RunnerEvent) {
        switch event {
        case .push(let name, let data):
            let (client, console, legacy) = state.withLock { ($0.client, Array($0.console.values), $0.legacy) }
            tell(client, name, data)
            legacy?.publish(event: name, data: data)
            guard !console.isEmpty else { return }
            let push: JSONValue = ["event": .string(name), "data": data]
            for member in console { tell(member, "push", push) }
        case .line(let line):
            tell(LogEntry(line))
        case .state:
            tellState()
        }
    }

    /// A line of the service's own, for its log and for whoever follows it.
    func note(_ message: String, _ level: LogLevel) {
        tell(LogEntry(time: SystemClock.wallTime(), level: level, source: .service, message: message))
        let metadata: KeyValuePairs<String, LogValue> = ["event": LogValue(message)]
        switch level {
        case .debug: logger.debug("robot control", metadata)
        case .info: logger.info("robot control", metadata)
        case .warning: logger.warning("robot control", metadata)
        case .error: logger.error("robot control", metadata)
        }
    }

    private func tell(_ entry: LogEntry) {
        guard book.add(entry) else { return }
        let followers = state.withLock { state in
            (state.console.values + [state.client].compactMap(\.self)).filter(\.followsLog)
        }
        guard !followers.isEmpty else { return }
        let json = entry.json
        for member in followers { tell(member, "log", json) }
    }

    func tellState() {
        for member in state.withLock({ Array($0.console.values) }) {
            tell(member, "state", statusJSON(for: member))
        }
    }

    /// How an update comes along: for who sent it, and for everybody on the console.
    func tellProgress(_ stage: String, _ done: Int, _ total: Int, _ sender: Member) {
        let progress: JSONValue = ["stage": .string(stage), "done": JSONValue(done), "total": JSONValue(total)]
        var members = state.withLock { $0.console }
        if sender.isExtended, let socket = sender.socket { members[socket.id] = sender }
        for member in members.values { tell(member, "update_progress", progress) }
    }

    /// Whether this member wants the log's lines as they come.
    func follow(_ follows: Bool, _ member: Member) {
        guard let socket = member.socket else { return }
        state.withLock { state in
            if state.client?.socket?.id == socket.id { state.client?.followsLog = follows }
            state.console[socket.id]?.followsLog = follows
        }
    }
}

extension SocketIOReceiver {
    /// Of a socket that is over.
    fileprivate static let nobody = SocketIOReceiver(received: { _ in true }, closed: {})
}

/// Hands a runner's events to a service that did not exist when the runner was made.
private final class RunnerListener: Sendable {
    let service = Mutex(WeakService(nil))

    func tell(_ event: RunnerEvent) {
        service.withLock { $0.service }?.take(event)
    }
}

private struct WeakService: Sendable {
    weak let service: RobotControlService?

    init(_ service: RobotControlService?) { self.service = service }
}
