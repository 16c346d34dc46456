internal import CWebSockets
internal import Core

/// WebSockets. The functions named after callbacks return what the callback returns.
extension WebService {
    /// LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: 0 lets libwebsockets answer the handshake; 1: we answered ourselves.
    func upgradeRequested(_ connection: Connection, to name: String) -> Int32 {
        guard case .awaitingRequest = connection.state else { return -1 }
        let listener = listeners[connection.listener]
        guard name == "websocket", let head = try? RequestHead(connection.instance), head.method == .get else {
            refusals.count(.upgradeUnsupported)
            return turnDown(connection, .notImplemented, "only WebSocket is spoken here")
        }
        guard !isDraining else {
            refusals.count(.draining)
            return turnDown(connection, .serviceUnavailable, "the server is stopping")
        }
        guard ledgers[connection.listener].takeRequest(connection.remoteAddress.ip, now: SystemClock.now()) else {
            refusals.count(.requestRate)
            return turnDown(connection, .tooManyRequests, "too many requests")
        }
        guard let match = listener.router.matchWebSocket(head.path) else {
            refusals.count(.upgradeNotFound)
            return turnDown(connection, .notFound, "no WebSocket lives here")
        }
        let request = head.request(from: connection.remoteAddress, listener: listener.name)
        if let refusal = match.admission?(request) {
            refusals.count(.webSocketAdmission)
            return turnDown(connection, refusal)
        }
        connection.state = .upgrading(
            PendingWebSocket(service: match.service, parameters: match.parameters, request: request))
        return 0
    }

    /// LWS_CALLBACK_RAW_ADOPT: a CONNECT request, of which libwebsockets makes a raw connection. Not here.
    func rawRequested() -> Int32 {
        refusals.count(.method)
        return -1
    }

    /// Answers a handshake with an error, and ends the connection.
    private func turnDown(_ connection: Connection, _ status: HTTPStatus, _ reason: String) -> Int32 {
        turnDown(connection, listeners[connection.listener].router.error(status, reason))
    }

    private func turnDown(_ connection: Connection, _ response: HTTPResponse) -> Int32 {
        var writer = ResponseWriter(
            response, to: .get, isHTTP11: true, keepsAlive: false, date: SystemClock.wallTime().secondsSince1970)
        connection.state = .closing
        if case .bytes(let bytes, _) = writer.next(65_536) { _ = connection.instance.write(bytes, as: LWS_WRITE_HTTP) }
        return -1
    }

    /// LWS_CALLBACK_ESTABLISHED: the handshake is done; the handler's task begins.
    func webSocketEstablished(_ connection: Connection) -> Int32 {
        guard case .upgrading(let pending) = connection.state else { return -1 }
        let limits = listeners[connection.listener].limits
        let webSocket = WebSocketConnection(
            id: connection.id, path: pending.request.path, query: pending.request.query,
            headers: pending.request.headers, remoteAddress: connection.remoteAddress,
            listener: pending.request.listener, queueLimit: limits.webSocketOutgoingBytes
        ) { [weak self] id in self?.post(.webSocketHasOutput(id)) }
        let inlet =
            switch pending.service {
            case .receiver(let opened): WebSocketInlet.receiver(opened(webSocket, pending.parameters))
            case .task(let handler): run(handler, webSocket, pending.parameters, limits.webSocketIncomingMessages)
            }
        connection.state = .webSocket(
            WebSocketEndpoint(
                connection: webSocket, inlet: inlet, spooling: spoolings[connection.listener],
                allowance: 2 * limits.webSocketMessagesPerSecond,
                now: SystemClock.now()))
        return 0
    }

    private func run(
        _ handler: @escaping Router.WebSocketHandler, _ webSocket: WebSocketConnection, _ parameters: [String: String],
        _ limit: Int
    ) -> WebSocketInlet {
        let (received, incoming) = AsyncStream<WebSocketMessage>.makeStream(bufferingPolicy: .bufferingOldest(limit))
        let backlog = WebSocketBacklog()
        let messages = backlog.taking(received)
        Task {
            await handler(webSocket, parameters, messages)
            webSocket.close()
        }
        return .task(incoming, backlog)
    }

    /// LWS_CALLBACK_RECEIVE: a piece of a frame.
    func webSocketReceived(_ connection: Connection, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard case .webSocket(let endpoint) = connection.state else { return -1 }
        let limits = listeners[connection.listener].limits
        let now = SystemClock.now()
        endpoint.lastHeard = now
        if !endpoint.isReceiving {
            guard endpoint.takeMessage(perSecond: limits.webSocketMessagesPerSecond, now: now) else {
                return close(connection, endpoint, .policyViolation, "too many messages", .messageRate)
            }
            endpoint.isReceiving = true
        }
        guard endpoint.received.count + bytes.count <= limits.webSocketMessageBytes else {
            return close(connection, endpoint, .messageTooBig, "message too big", .messageTooBig)
        }
        guard unsafe endpoint.received.append(bytes) else {
            return close(connection, endpoint, .tryAgainLater, "no room for a large message", .spool)
        }
        guard connection.instance.isMessageComplete else {
            endpoint.isInPieces = true
            endpoint.connection.didReceive(pieceAt: now)
            return 0
        }
        endpoint.isReceiving = false
        if endpoint.isInPieces {
            endpoint.isInPieces = false
            endpoint.connection.didReceive(pieceAt: nil)
        }
        let isBinary = connection.instance.isMessageBinary
        let message: WebSocketMessage
        var bytesInMemory = 0
        switch endpoint.received.take() {
        case .bytes(let whole)?:
            bytesInMemory = whole.count
            if isBinary {
                message = .binary(whole)
            } else if let text = String(validating: whole, as: UTF8.self) {
                message = .text(text)
            } else {
                return close(connection, endpoint, .invalidPayload, "text is not UTF-8", .messageNotUTF8)
            }
        case .spooled(let bytes)?:
            guard isBinary || bytes.isUTF8 else {
                return close(connection, endpoint, .invalidPayload, "text is not UTF-8", .messageNotUTF8)
            }
            message = .spooled(SpooledSlice(bytes, 0..<bytes.count), isText: !isBinary)
        case nil:
            return close(connection, endpoint, .tryAgainLater, "no room for a large message", .spool)
        }
        switch endpoint.inlet {
        case .receiver(let receiver): receiver.received(message)
        case .task(let incoming, let backlog):
            guard backlog.add(bytesInMemory) <= limits.webSocketIncomingBytes else {
                return close(connection, endpoint, .tryAgainLater, "too much waits", .slowHandler)
            }
            if case .dropped = incoming.yield(message) {
                return close(connection, endpoint, .tryAgainLater, "too many messages wait", .slowHandler)
            }
        }
        return 0
    }

    /// A pong repeats its ping's body, and libwebsockets 4.1.6 reports no pong without one.
    private static let pingBody = Array("alive?".utf8)

    /// LWS_CALLBACK_RECEIVE_PONG.
    func webSocketHeard(_ connection: Connection) {
        if case .webSocket(let endpoint) = connection.state { endpoint.lastHeard = SystemClock.now() }
    }

    /// LWS_CALLBACK_SERVER_WRITEABLE: one message, ping or close at a time.
    func webSocketWritable(_ connection: Connection) -> Int32 {
        guard case .webSocket(let endpoint) = connection.state else { return -1 }
        if endpoint.pingIsDue {
            endpoint.pingIsDue = false
            connection.instance.requestWritable()
            return connection.instance.write(Self.pingBody, as: LWS_WRITE_PING) ? 0 : -1
        }
        guard let (item, hasMore) = endpoint.connection.takeNext() else {
            endpoint.connection.didDrain()
            return 0
        }
        if hasMore || endpoint.connection.owesDrain { connection.instance.requestWritable() }
        switch item {
        case .text(let bytes): return connection.instance.write(bytes, as: LWS_WRITE_TEXT) ? 0 : -1
        case .binary(let bytes): return connection.instance.write(bytes, as: LWS_WRITE_BINARY) ? 0 : -1
        case .close(let code, let reason):
            endpoint.closeCode = code
            connection.instance.setCloseReason(code, reason)
            return -1
        case .overflow:
            return close(connection, endpoint, .tryAgainLater, "reader too slow", .slowReader)
        }
    }

    /// LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: the close frame's body, which may be empty.
    func webSocketClosing(_ connection: Connection, _ bytes: UnsafeRawBufferPointer) {
        guard case .webSocket(let endpoint) = connection.state else { return }
        endpoint.closeCode =
            bytes.count >= 2 ? unsafe WebSocketCloseCode(UInt16(bytes[0]) << 8 | UInt16(bytes[1])) : .normal
    }

    private func close(
        _ connection: Connection, _ endpoint: WebSocketEndpoint, _ code: WebSocketCloseCode, _ text: String,
        _ reason: Refusals.Reason
    ) -> Int32 {
        refusals.count(reason)
        endpoint.closeCode = code
        connection.instance.setCloseReason(code, text)
        return -1
    }

    /// The connection is gone.
    func finish(_ endpoint: WebSocketEndpoint) {
        endpoint.connection.didClose(endpoint.closeCode)
        switch endpoint.inlet {
        case .receiver(let receiver): receiver.closed()
        case .task(let incoming, _): incoming.finish()
        }
    }

    /// Asks a silent peer once, and lets it go when it says nothing to that.
    func sweepWebSocket(_ connection: Connection, _ endpoint: WebSocketEndpoint, _ now: Instant) {
        let interval = listeners[connection.listener].limits.webSocketPingInterval
        guard let asked = endpoint.pingAsked, asked > endpoint.lastHeard else {
            guard now - endpoint.lastHeard > interval else { return }
            endpoint.pingAsked = now
            endpoint.isOverdue = false
            endpoint.pingIsDue = true
            connection.instance.requestWritable()
            return
        }
        guard now - asked > interval else { return }
        // Where this thread itself was late, the answer may lie there unread: it is read before the next sweep.
        guard endpoint.isOverdue else {
            endpoint.isOverdue = true
            return
        }
        refusals.count(.silentPeer)
        connection.instance.kill()
    }
}
