internal import Core
internal import Networking
internal import Synchronization

/// What one engine's thread does: sleeps, reads, carries out what the supervisor orders, and sends what sessions want.
final class EngineDriver: @unchecked Sendable {
    // SAFETY: made by the host, used by its thread alone from then on.
    let host: EngineHost
    private let server: ZeroMQServer
    private let serverKey: CurveKey?
    let token: String
    var supervisor: EngineSupervisor
    /// The routing id of the engine that is welcome.
    private(set) var peer: [UInt8]?
    var hello: EngineHello?
    var links: [String: EngineLink] = [:]
    var sounds: [String: EngineSound] = [:]
    var preparations: [String: AsyncStream<EnginePreparation>.Continuation] = [:]
    private var child: ChildProcess?
    private var generation = 0
    /// Refusals that may still be sent in this second.
    private var refusals = Allowance(count: 10, interval: .seconds(1))
    private var knownRefusedConnections = 0
    private var isStopped = false
    private var stopContinuations: [CheckedContinuation<Void, Never>] = []
    private(set) var now: Instant
    static let logger = Logger("engine")
    /// Messages that are read before the clock is looked at again.
    private static let messagesPerTurn = 64

    init(host: EngineHost, server: ZeroMQServer, serverKey: CurveKey?, token: String) {
        self.host = host
        self.server = server
        self.serverKey = serverKey
        self.token = token
        supervisor = EngineSupervisor(hasChild: !host.configuration.command.isEmpty, limits: host.limits)
        now = host.clock()
    }

    func run() {
        supervisor.handle(.start, now: now)
        while true {
            carryOut()
            guard !isStopped else { break }
            sendOrders()
            server.wait(supervisor.deadline.map { max(.zero, $0 - host.clock()) })
            now = host.clock()
            for command in host.takeCommands() { handle(command) }
            receive()
            if let deadline = supervisor.deadline, deadline <= now { supervisor.handle(.timeout, now: now) }
        }
        finish()
    }

    private func finish() {
        for command in host.close() { handle(command) }
        for link in links.values { link.detach() }
        for continuation in stopContinuations { continuation.resume() }
    }

    // MARK: Commands

    private func handle(_ command: EngineHost.Command) {
        switch command {
        case .add(let link):
            links[link.id] = link
            attach(link)
        case .remove(let link):
            guard links.removeValue(forKey: link.id) != nil else { return }
            sounds[link.id] = nil
            if link.withSession({ $0.isAttached }) { send(.detach(session: link.id)) }
        case .prepare(let avatar, let videoPath, let appliesBlur, let continuation):
            prepare(avatar, videoPath, appliesBlur, continuation)
        case .childEnded(let ending, let endedGeneration):
            guard endedGeneration == generation else { return }
            child = nil
            Self.logger.warning("engine ended", ["engine": .string(host.name), "ending": .string(ending.description)])
            supervisor.handle(.childEnded(reason: ending.description), now: now)
        case .stop(let continuation):
            stopContinuations.append(continuation)
            supervisor.handle(.stop, now: now)
        }
    }

    // MARK: The supervisor's orders

    private func carryOut() {
        while let output = supervisor.pollOutput() {
            switch output {
            case .startChild: startChild()
            case .endChild(let grace): child?.end(grace: grace)
            case .killChild: child?.kill()
            case .sendPing(let id): send(.ping(id: id))
            case .sendShutdown: send(.shutdown)
            case .forgetPeer(let reason): forgetPeer(reason)
            case .countRestart: host.metrics.restarts.increment()
            case .countHang: host.metrics.hangs.increment()
            case .stopped: isStopped = true
            }
        }
        host.report(failure: supervisor.failure)
    }

    private func startChild() {
        generation += 1
        let generation = generation
        var environment = host.configuration.environment
        environment["AVATAR_ENGINE_ENDPOINT"] = server.endpoint
        environment["AVATAR_ENGINE_NAME"] = host.name
        environment["AVATAR_ENGINE_TOKEN"] = token
        if let serverKey { environment["AVATAR_ENGINE_SERVER_KEY"] = serverKey.text }
        let log = EngineLog(engine: host.name, dropped: host.metrics.droppedLines)
        do {
            child = try ChildProcess(command: host.configuration.command, environment: environment) {
                [weak host] event in
                switch event {
                case .line(let line, let isError): log.write(line, isError: isError)
                case .ended(let ending): host?.post(.childEnded(ending, generation: generation))
                case .message, .linesLeftOut: break  // Not asked for.
                }
            }
            supervisor.handle(.childStarted, now: now)
            Self.logger.info(
                "engine started", ["engine": .string(host.name), "pid": .integer(Int64(child?.identifier ?? 0))])
        } catch {
            Self.logger.warning(
                "engine cannot be started", ["engine": .string(host.name), "reason": .string(error.description)])
            supervisor.handle(.childNotStarted(reason: error.description), now: now)
        }
    }

    /// The engine is gone: its sessions show idle until it is back.
    func forgetPeer(_ reason: String) {
        guard peer != nil else { return }
        peer = nil
        hello = nil
        host.metrics.connected.set(0)
        Self.logger.warning("engine is lost", ["engine": .string(host.name), "reason": .string(reason)])
        for link in links.values {
            link.avatar.set(nil)
            link.avatar.pictures?.forgetRequest()
            link.detach()
            link.events(.degraded(reason: "engine \(host.name): \(reason)"))
        }
        for description in host.avatars { host.ownAvatar(description.id).set(nil) }
        for description in host.avatars { host.ownAvatar(description.id).pictures?.forgetRequest() }
        sounds.removeAll()
        for id in Array(preparations.keys) { finishPreparation(id, .refused(reason: "the engine is lost: \(reason)")) }
    }

    func welcome(_ routing: [UInt8], _ hello: EngineHello) {
        peer = routing
        self.hello = hello
        host.metrics.connected.set(1)
        supervisor.handle(.helloAccepted, now: now)
        Self.logger.info(
            "engine serves",
            [
                "engine": .string(host.name), "program": .string(hello.engine),
                "avatars": .string(hello.avatars.map(\.id).joined(separator: " ")),
            ])
        send(.welcome(server: "avatar-streamer"))
    }

    // MARK: Messages

    private func receive() {
        for _ in 0..<Self.messagesPerTurn {
            do {
                switch try server.receive() {
                case .nothing:
                    countRefusedConnections()
                    return
                case .message(let parts):
                    host.metrics.receivedBytes.increment(by: UInt64(parts.reduce(0) { $0 + $1.count }))
                    handle(parts)
                case .tooManyParts(let routing):
                    fault(
                        EngineMessageError(code: .malformed, type: "?", reason: "a message of too many parts"),
                        from: routing.bytes)
                }
            } catch {
                Self.logger.error(
                    "socket failed", ["engine": .string(host.name), "reason": .string(error.description)])
                return
            }
        }
    }

    private func countRefusedConnections() {
        let count = server.refusedCount
        guard count > knownRefusedConnections else { return }
        host.metrics.refusedConnections.increment(by: UInt64(count - knownRefusedConnections))
        knownRefusedConnections = count
        Self.logger.warning("engine with an unknown key was turned away", ["engine": .string(host.name)])
    }

    private func handle(_ parts: [ZeroMQFrame]) {
        let routing = parts[0].bytes
        guard parts.count >= 2 else {
            return fault(
                EngineMessageError(code: .malformed, type: "?", reason: "a message without a header"), from: routing)
        }
        do throws(EngineMessageError) {
            guard parts[1].count <= EngineHeader.maximumByteCount else {
                throw EngineMessageError(
                    code: .malformed, type: "?", reason: "a header of \(parts[1].count) bytes")
            }
            let message = try EngineMessage.parse(
                parts[1].bytes, payloadCounts: parts.dropFirst(2).map(\.count))
            if case .hello(let hello) = message { return greet(hello, routing) }
            guard routing == peer else {
                return refuse(
                    EngineRefusal(what: "?", code: "unknown_peer", reason: "say hello first"), to: routing)
            }
            try handle(message, payload: parts.count > 2 ? parts[2] : nil)
        } catch {
            fault(error, from: routing)
        }
    }

    /// The protocol was broken: counted, and answered.
    func fault(_ error: EngineMessageError, from routing: [UInt8]) {
        host.metrics.faults.increment()
        refuse(EngineRefusal(what: error.type, code: error.code.rawValue, reason: error.reason), to: routing)
        guard routing == peer else { return }
        Self.logger.debug("faulty message", ["engine": .string(host.name), "reason": .string(error.reason)])
        supervisor.handle(.fault, now: now)
    }

    func fault(_ error: EngineMessageError) {
        if let peer { fault(error, from: peer) }
    }

    /// Answers at most ten times a second.
    func refuse(_ refusal: EngineRefusal, to routing: [UInt8]) {
        guard refusals.take(at: now) else { return }
        // A peer that is gone by now needs no answer.
        _ = try? server.send(EngineOrder.refused(refusal).parts, to: routing)
    }

    func send(_ order: EngineOrder) {
        guard let peer else { return }
        do {
            if try server.send(order.parts, to: peer) { return }
            supervisor.handle(.peerLost(reason: "it is gone, or reads nothing"), now: now)
        } catch {
            supervisor.handle(.peerLost(reason: error.description), now: now)
        }
    }

    /// What the sessions have for the engine.
    private func sendOrders() {
        guard peer != nil else { return }
        for link in links.values {
            let (orders, overtaken) = link.withSession { ($0.takeOrders(), $0.takeOvertaken()) }
            if overtaken > 0 { host.metrics.overtaken.increment(by: UInt64(overtaken)) }
            for order in orders { send(order) }
        }
    }
}

/// So many in an interval.
struct Allowance: Sendable {
    let count: Int
    let interval: Duration
    private var start = Instant.zero
    private var taken = 0

    init(count: Int, interval: Duration) {
        self.count = count
        self.interval = interval
    }

    mutating func take(at now: Instant) -> Bool {
        if now - start >= interval {
            start = now
            taken = 0
        }
        taken += 1
        return taken <= count
    }
}

/// A child's lines in our log, at most 200 in ten seconds.
final class EngineLog: Sendable {
    private let engine: String
    private let dropped: Counter
    private let allowance = Mutex(Allowance(count: 200, interval: .seconds(10)))

    init(engine: String, dropped: Counter) {
        self.engine = engine
        self.dropped = dropped
    }

    func write(_ line: String, isError: Bool) {
        guard allowance.withLock({ $0.take(at: SystemClock.now()) }) else { return dropped.increment() }
        EngineDriver.logger.info(
            "engine says", ["engine": .string(engine), "stream": isError ? "error" : "output", "line": .string(line)])
    }
}
