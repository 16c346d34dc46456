package import Core
internal import Synchronization

/// Engine.IO 4 below a path: polling, WebSockets, and the upgrade from one to the other.
///
/// An application gets each session with its messages. What carries them it does not see.
/// - SeeAlso: docs/protocols/socket.io.md
package final class EngineIOServer: Sendable {
    /// What an application does with a session. The calls for one session come one after another, in order.
    package struct Application: Sendable {
        package var opened: @Sendable (EngineIOConnection) -> Void
        package var received: @Sendable (EngineIOConnection, EngineIOMessage) -> Void
        package var closed: @Sendable (EngineIOConnection, _ reason: String) -> Void

        package init(
            opened: @escaping @Sendable (EngineIOConnection) -> Void,
            received: @escaping @Sendable (EngineIOConnection, EngineIOMessage) -> Void,
            closed: @escaping @Sendable (EngineIOConnection, _ reason: String) -> Void
        ) {
            self.opened = opened
            self.received = received
            self.closed = closed
        }
    }

    /// The refusals that the protocol has numbers for.
    enum Refusal: Int, CaseIterable {
        case unknownTransport = 0
        case unknownSession, badHandshakeMethod, badRequest, forbidden, unsupportedVersion

        var message: String {
            switch self {
            case .unknownTransport: "Transport unknown"
            case .unknownSession: "Session ID unknown"
            case .badHandshakeMethod: "Bad handshake method"
            case .badRequest: "Bad request"
            case .forbidden: "Forbidden"
            case .unsupportedVersion: "Unsupported protocol version"
            }
        }

        var response: HTTPResponse {
            let body: JSONValue = ["code": .integer(Int64(rawValue)), "message": .string(message)]
            return HTTPResponse(
                self == .forbidden ? .forbidden : .badRequest, contentType: "application/json", Array(body.text.utf8))
        }
    }

    private let configuration: EngineIOConfiguration
    private let application: Application
    private let metrics: EngineIOMetrics
    private let sessions = Mutex<[String: EngineIOConnection]>([:])
    private let isClosing = Atomic<Bool>(false)

    package init(configuration: EngineIOConfiguration, metrics: MetricsRegistry, application: Application) {
        self.configuration = configuration
        self.application = application
        self.metrics = EngineIOMetrics(metrics)
    }

    /// Adds the path's routes. Once, before the server starts.
    package func add(to router: inout Router) {
        var path = configuration.path
        while path.hasSuffix("/") { path.removeLast() }
        for pattern in [path, path + "/"] {
            router.add(.get, pattern) { [self] request in await get(request) }
            router.add(
                .post, pattern, bodyLimit: configuration.maximumPayloadBytes,
                bodyListener: { [self] request in connection(request.query["sid"])?.didReceiveBodyPiece() }
            ) { [self] request in post(request) }
            for method in [HTTPMethod.put, .patch, .delete] {
                router.add(method, pattern) { [self] request in refuse(check(request.query, method)) }
            }
            router.webSocket(
                pattern, admit: { [self] request in refusal(ofWebSocket: request) },
                opened: { [self] webSocket, _ in opened(webSocket) })
        }
    }

    /// Ends every session and takes no more.
    package func close() {
        isClosing.store(true, ordering: .relaxed)
        for connection in sessions.withLock({ Array($0.values) }) { connection.close(.shutdown) }
    }

    // MARK: Requests

    /// What is wrong with a request for that session; nil where nothing is.
    private func check(_ query: [String: String], _ method: HTTPMethod) -> Refusal? {
        guard let transport = query["transport"].flatMap(EngineIOConfiguration.Transport.init(rawValue:)),
            configuration.transports.contains(transport)
        else { return .unknownTransport }
        guard query["EIO"] == "4" else { return .unsupportedVersion }
        guard let id = query["sid"] else { return method == .get ? nil : .badHandshakeMethod }
        guard connection(id) != nil else { return .unknownSession }
        return method == .get || method == .post ? nil : .badRequest
    }

    private func connection(_ id: String?) -> EngineIOConnection? {
        id.flatMap { id in sessions.withLock { $0[id] } }
    }

    private func refuse(_ refusal: Refusal?) -> HTTPResponse {
        let refusal = refusal ?? .badRequest
        metrics.refused(refusal)
        return refusal.response
    }

    private func get(_ request: HTTPRequest) async -> HTTPResponse {
        if let refusal = check(request.query, .get) { return refuse(refusal) }
        // A WebSocket's transport without its handshake.
        guard request.query["transport"] == "polling" else { return refuse(.badRequest) }
        guard request.query["sid"] != nil else { return openPolling(request) }
        guard let connection = connection(request.query["sid"]) else { return refuse(.unknownSession) }
        guard let packets = await connection.poll() else { return refuse(.badRequest) }
        return Self.answer(packets)
    }

    private func post(_ request: HTTPRequest) -> HTTPResponse {
        if let refusal = check(request.query, .post) { return refuse(refusal) }
        guard request.query["transport"] == "polling", let connection = connection(request.query["sid"]) else {
            return refuse(.badRequest)
        }
        let packets =
            request.spooledBody.map { EngineIOPayload.packets(in: $0) } ?? EngineIOPayload.packets(in: request.body)
        guard connection.receive(packets) else { return refuse(.badRequest) }
        return HTTPResponse(.ok, contentType: "text/html", Array("ok".utf8))
    }

    private static func answer(_ packets: [EngineIOPacket]) -> HTTPResponse {
        HTTPResponse(
            .ok, headers: ["Cache-Control": "no-store"], contentType: "text/plain; charset=UTF-8",
            EngineIOPayload.body(of: packets))
    }

    // MARK: Sessions

    private func open(_ handshake: EngineIOHandshake, webSocket: WebSocketConnection?) -> EngineIOConnection? {
        guard !isClosing.load(ordering: .relaxed) else { return nil }
        let connection = EngineIOConnection(
            id: Base64.encode(RandomSource.system.bytes(15), urlSafe: true), handshake: handshake,
            configuration: configuration, webSocket: webSocket)
        let isTaken = sessions.withLock { sessions in
            guard sessions.count < configuration.maximumSessions else { return false }
            sessions[connection.id] = connection
            return true
        }
        guard isTaken else { return nil }
        metrics.opened()
        connection.attach { [self] connection, happening in
            switch happening {
            case .received(let message): application.received(connection, message)
            case .closed(let reason): ended(connection, reason)
            }
        }
        application.opened(connection)
        connection.startTimer()
        return connection
    }

    private func ended(_ connection: EngineIOConnection, _ reason: EngineIOSession.CloseReason) {
        _ = sessions.withLock { $0.removeValue(forKey: connection.id) }
        metrics.closed(reason, dropped: connection.droppedCount)
        application.closed(connection, reason.rawValue)
    }

    private func openPolling(_ request: HTTPRequest) -> HTTPResponse {
        guard let connection = open(EngineIOHandshake(request), webSocket: nil) else {
            metrics.refused(.forbidden)
            return .text(.serviceUnavailable, "too many sessions\n", headers: ["Retry-After": "5"])
        }
        return Self.answer([connection.openPacket])
    }

    /// Before the handshake is answered. An upgraded session's id is no fault: such a WebSocket is closed once it is open.
    private func refusal(ofWebSocket request: HTTPRequest) -> HTTPResponse? {
        if let refusal = check(request.query, .get) { return refuse(refusal) }
        guard request.query["transport"] == "websocket" else { return refuse(.badRequest) }
        guard request.query["sid"] == nil, sessions.withLock({ $0.count }) >= configuration.maximumSessions else {
            return nil
        }
        metrics.refused(.forbidden)
        return .text(.serviceUnavailable, "too many sessions\n", headers: ["Retry-After": "5"])
    }

    private func opened(_ webSocket: WebSocketConnection) -> WebSocketReceiver {
        let session: EngineIOConnection?
        if let id = webSocket.query["sid"] {
            session = connection(id)
            session?.tryUpgrade(to: webSocket)
        } else {
            session = open(EngineIOHandshake(webSocket), webSocket: webSocket)
        }
        guard let session else {
            webSocket.close()
            return WebSocketReceiver(received: { _ in }, closed: {})
        }
        return WebSocketReceiver(
            received: { session.receive($0, on: webSocket) }, closed: { session.webSocketClosed(webSocket) })
    }
}
