internal import CWebSockets
internal import Core
internal import Glibc
internal import Networking
internal import Synchronization

/// The thread of libwebsockets and everything it knows.
// SAFETY: what is mutable belongs to the service thread; the mailbox, which other threads fill, is behind a lock.
final class WebService: @unchecked Sendable {
    /// What other threads tell the service thread.
    enum Letter: Sendable {
        case respond(UInt64, exchange: UInt64, HTTPResponse)
        case streamPiece(UInt64, exchange: UInt64, [UInt8], CheckedContinuation<Bool, Never>)
        case streamEnded(UInt64, exchange: UInt64)
        case webSocketHasOutput(UInt64)
        case drain(CheckedContinuation<Void, Never>, deadline: Instant)
        case stop
    }

    private struct Mailbox {
        var letters: [Letter] = []
        var isOpen = true
        var whenStopped: [CheckedContinuation<Void, Never>] = []
    }

    let listeners: [ListenerConfiguration]
    let sockets: [ListeningSocket]
    let refusals: Refusals
    let metrics: MetricsRegistry
    let logger = Logger("web")
    var connections: [UInt64: Connection] = [:]
    var connectionCounts: [Int]
    var ledgers: [AddressLedger]
    /// By listener.
    let spoolings: [Spooling?]
    var bodiesInFlight = 0
    var lastNumber: UInt64 = 0
    var isDraining = false
    private var drainings: [(continuation: CheckedContinuation<Void, Never>, deadline: Instant)] = []
    private var isStopping = false
    private let context: LWSContext
    private let mailbox = Mutex(Mailbox())
    /// Whether the context may be woken. Not the mailbox's lock: the thread that is woken wants that one at once.
    private let isAwake = Mutex(true)

    init(
        listeners: [ListenerConfiguration], sockets: [ListeningSocket], metrics: MetricsRegistry
    ) throws(WebServerError) {
        self.listeners = listeners
        self.sockets = sockets
        self.metrics = metrics
        refusals = Refusals(metrics)
        connectionCounts = listeners.map { _ in 0 }
        spoolings = listeners.map { Spooling($0.limits) }
        ledgers = listeners.map {
            AddressLedger(
                connectionLimit: $0.limits.connectionsPerAddress,
                requestsPerSecond: $0.limits.requestsPerSecondPerAddress
            )
        }
        guard
            let context = LWSContext(
                headerBytes: listeners.map(\.limits.headerBytes).max() ?? 4096,
                connections: listeners.map(\.limits.connections).reduce(0, +),
                headerTimeout: listeners.map(\.limits.headerTimeout).max() ?? .seconds(10))
        else {
            throw WebServerError(
                code: .cannotCreateContext, place: "libwebsockets", reason: "the library could not be set up",
                remedy: "see the log lines before this one; check `ulimit -n` and free memory")
        }
        self.context = context
    }

    // MARK: From any thread

    /// False where the service has ended: the letter is thrown away.
    @discardableResult
    func post(_ letter: Letter) -> Bool {
        let (isTaken, isFirst) = mailbox.withLock { mailbox in
            guard mailbox.isOpen else { return (false, false) }
            mailbox.letters.append(letter)
            return (true, mailbox.letters.count == 1)
        }
        if isFirst { isAwake.withLock { if $0 { context.wake() } } }
        return isTaken
    }

    /// Refuses what is new and returns once everything has ended, or at the deadline.
    func drain(atMost grace: Duration) async {
        await withCheckedContinuation { continuation in
            if !post(.drain(continuation, deadline: SystemClock.now() + grace)) { continuation.resume() }
        }
    }

    /// Ends the thread and returns once it has let go of everything.
    func stop() async {
        await withCheckedContinuation { continuation in
            let isOver = mailbox.withLock { mailbox in
                guard mailbox.isOpen else { return true }
                mailbox.whenStopped.append(continuation)
                return false
            }
            if isOver { continuation.resume() } else { post(.stop) }
        }
    }

    func start() throws(WebServerError) {
        let retained = unsafe Unmanaged.passRetained(self).toOpaque()
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<WebService>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, retained)
        guard code == 0 else {
            unsafe Unmanaged<WebService>.fromOpaque(retained).release()
            throw WebServerError(
                code: .cannotCreateContext, place: "web thread", reason: "no thread could be started (errno \(code))",
                remedy: "check `ulimit -u` and free memory")
        }
        pthread_detach(handle)
    }

    // MARK: The thread

    private func run() {
        context.attach(self, listening: sockets.map(\.descriptor))
        while !isStopping {
            guard context.serve() else { break }
        }
        let (letters, waiting) = mailbox.withLock { mailbox in
            mailbox.isOpen = false
            defer { mailbox = Mailbox(isOpen: false) }
            return (mailbox.letters, mailbox.whenStopped)
        }
        isAwake.withLock { $0 = false }
        context.destroy()
        for letter in letters {
            switch letter {
            case .streamPiece(_, _, _, let continuation): continuation.resume(returning: false)
            case .drain(let continuation, _): continuation.resume()
            default: break
            }
        }
        for connection in Array(connections.values) { forget(connection) }
        for draining in drainings { draining.continuation.resume() }
        drainings = []
        for continuation in waiting { continuation.resume() }
    }

    /// LWS_CALLBACK_EVENT_WAIT_CANCELLED: somebody posted.
    func emptyMailbox() {
        let letters = mailbox.withLock { mailbox in
            defer { mailbox.letters.removeAll() }
            return mailbox.letters
        }
        for letter in letters { open(letter) }
    }

    private func open(_ letter: Letter) {
        switch letter {
        case .respond(let id, let number, let response):
            if let (connection, exchange) = exchange(id, number) { respond(response, on: connection, exchange) }
        case .streamPiece(let id, let number, let bytes, let continuation):
            guard let (connection, exchange) = exchange(id, number) else {
                return continuation.resume(returning: false)
            }
            append(bytes, to: connection, exchange, whenSent: continuation)
        case .streamEnded(let id, let number):
            if let (connection, exchange) = exchange(id, number) { endStream(of: connection, exchange) }
        case .webSocketHasOutput(let id):
            connections[id]?.instance.requestWritable()
        case .drain(let continuation, let deadline):
            beginDraining(continuation, deadline)
        case .stop:
            isStopping = true
        }
    }

    private func exchange(_ id: UInt64, _ number: UInt64) -> (Connection, Exchange)? {
        guard let connection = connections[id] else { return nil }
        switch connection.state {
        case .handling(let exchange) where exchange.number == number,
            .responding(let exchange) where exchange.number == number:
            return (connection, exchange)
        default: return nil
        }
    }

    // MARK: Connections

    /// LWS_CALLBACK_RAW_RX_FILE on listener `index`: somebody connects.
    func accept(_ index: Int) {
        guard sockets.indices.contains(index) else { return }
        for _ in 0..<64 {
            switch sockets[index].accept() {
            case .connection(let descriptor, let remote): admit(descriptor, remote, listener: index)
            case .none: return
            // The sockets stay readable: look away until the next sweep instead of spinning.
            case .noDescriptors: return context.setAccepting(false)
            }
        }
    }

    private func admit(_ descriptor: Int32, _ remote: SocketAddress, listener index: Int) {
        let limits = listeners[index].limits
        guard !isDraining else { return turnAway(descriptor, .draining) }
        guard connectionCounts[index] < limits.connections else { return turnAway(descriptor, .connectionLimit) }
        guard ledgers[index].open(remote.ip, now: SystemClock.now()) else {
            return turnAway(descriptor, .addressConnectionLimit)
        }
        lastNumber += 1
        guard let instance = context.adopt(descriptor, number: lastNumber) else {
            return ledgers[index].close(remote.ip)  // libwebsockets closed the descriptor.
        }
        connectionCounts[index] += 1
        connections[lastNumber] = Connection(
            id: lastNumber, listener: index, remoteAddress: remote, instance: instance)
    }

    private func turnAway(_ descriptor: Int32, _ reason: Refusals.Reason) {
        close(descriptor)
        refusals.count(reason)
    }

    /// LWS_CALLBACK_WSI_DESTROY: the connection is gone, whatever it was doing.
    func forget(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        connectionCounts[connection.listener] -= 1
        ledgers[connection.listener].close(connection.remoteAddress.ip)
        switch connection.state {
        case .handling(let exchange), .responding(let exchange): exchange.abandon()
        case .receivingBody(let incoming, _): bodiesInFlight -= incoming.announced
        case .webSocket(let endpoint): finish(endpoint)
        case .awaitingRequest, .upgrading, .closing: break
        }
        connection.state = .closing
        endDrainingIfDone()
    }

    /// Once a second: what took too long ends.
    func sweep() {
        let now = SystemClock.now()
        if !isDraining { context.setAccepting(true) }
        for index in ledgers.indices { ledgers[index].sweep(now: now) }
        for connection in connections.values {
            switch connection.state {
            case .receivingBody(_, let deadline) where now > deadline:
                refusals.count(.bodyTimeout)
                connection.instance.kill()
            case .handling, .responding:
                sweepExchange(connection, now)
            case .webSocket(let endpoint):
                sweepWebSocket(connection, endpoint, now)
            default: break
            }
        }
        endDrainingIfDone()
    }

    // MARK: The end

    private func beginDraining(_ continuation: CheckedContinuation<Void, Never>, _ deadline: Instant) {
        isDraining = true
        context.setAccepting(false)
        for connection in connections.values {
            switch connection.state {
            case .webSocket(let endpoint): endpoint.connection.close(code: .goingAway, reason: "server stops")
            case .awaitingRequest: connection.instance.kill()
            default: break
            }
        }
        drainings.append((continuation, deadline))
        endDrainingIfDone()
    }

    /// Called whenever a connection went, and by the sweep.
    private func endDrainingIfDone() {
        guard !drainings.isEmpty else { return }
        let now = SystemClock.now()
        for draining in drainings where connections.isEmpty || now >= draining.deadline {
            draining.continuation.resume()
        }
        drainings.removeAll { connections.isEmpty || now >= $0.deadline }
    }
}
