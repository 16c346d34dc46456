internal import CWebSockets
internal import Core

/// Requests and their answers. The functions named after callbacks return what the callback returns.
extension WebService {
    /// Bytes handed to libwebsockets at a time.
    private static let pieceBytes = 65_536
    /// A reader that takes nothing for so long is cut off.
    private static let stalledReader: Duration = .seconds(30)

    /// LWS_CALLBACK_HTTP: the headers are complete.
    func requestReceived(_ connection: Connection) -> Int32 {
        let listener = listeners[connection.listener]
        guard case .awaitingRequest = connection.state else { return -1 }
        connection.instance.clearTimeout()
        guard let head = readHead(connection) else { return 0 }
        guard admits(head, connection) else { return 0 }
        switch listener.router.match(head.method, head.path) {
        case .endpoint(let endpoint, let parameters):
            var request = head.request(from: connection.remoteAddress, listener: listener.name)
            request.parameters = parameters
            return take(request, head, endpoint, connection)
        case .options(let allowed):
            var response = HTTPResponse(.noContent, headers: ["Allow": Self.list(allowed)])
            let origin = head.headers["Origin"]
            listener.cors.applyPreflight(to: &response, origin: origin, methods: allowed)
            answer(response, to: head, connection)
        case .methodNotAllowed(let allowed):
            let reason = "\(head.method.rawValue) is not allowed here"
            refuse(.methodNotAllowed, reason, head, connection, headers: ["Allow": Self.list(allowed)])
        case .upgradeRequired:
            refuse(.upgradeRequired, "a WebSocket lives here", head, connection, headers: ["Upgrade": "websocket"])
        case .notFound:
            refuse(.notFound, "not found", head, connection)
        }
        return 0
    }

    private static func list(_ methods: [HTTPMethod]) -> String {
        methods.map(\.rawValue).joined(separator: ", ")
    }

    /// Nil where the request was refused.
    private func readHead(_ connection: Connection) -> RequestHead? {
        do throws(RequestHead.Failure) {
            return try RequestHead(connection.instance)
        } catch {
            let status: HTTPStatus = error == .methodNotImplemented ? .notImplemented : .badRequest
            refusals.count(error == .methodNotImplemented ? .method : .malformedRequest)
            let response = listeners[connection.listener].router.error(status, "the request cannot be understood")
            let exchange = begin(connection, .get, isHTTP11: true, keepsAlive: false)
            respond(response, on: connection, exchange)
            return nil
        }
    }

    /// The refusals that need no route.
    private func admits(_ head: RequestHead, _ connection: Connection) -> Bool {
        if !ledgers[connection.listener].takeRequest(connection.remoteAddress.ip, now: SystemClock.now()) {
            refusals.count(.requestRate)
            refuse(.tooManyRequests, "too many requests", head, connection, headers: ["Retry-After": "1"])
            return false
        }
        if isDraining {
            refusals.count(.draining)
            refuse(.serviceUnavailable, "the server is stopping", head, connection, headers: ["Retry-After": "5"])
            return false
        }
        // libwebsockets does not decode chunked requests; what it took for a body would be read as the next request.
        if head.headers["Transfer-Encoding"] != nil {
            refusals.count(.chunkedBody)
            refuse(.lengthRequired, "send the body with Content-Length", head, connection, closes: true)
            return false
        }
        return true
    }

    /// Waits for the body, or runs the handler at once where there is none.
    private func take(
        _ request: HTTPRequest, _ head: RequestHead, _ endpoint: Router.Endpoint, _ connection: Connection
    ) -> Int32 {
        let limits = listeners[connection.listener].limits
        let bodyLimit = endpoint.bodyLimit ?? limits.bodyBytes
        guard let length = head.contentLength else {
            refusals.count(.malformedRequest)
            refuse(.badRequest, "Content-Length is no number", head, connection, closes: true)
            return 0
        }
        guard length <= bodyLimit else {
            refusals.count(.bodyTooLarge)
            refuse(.contentTooLarge, "at most \(bodyLimit) bytes are taken", head, connection, closes: true)
            return 0
        }
        guard length > 0 else {
            // Without Content-Length libwebsockets waits for 100 MiB of a POST: such a connection is not kept.
            let isEndless = head.headers["Content-Length"] == nil && [.post, .put, .patch].contains(head.method)
            if head.headers["Content-Length"] != nil, head.method == .post {
                // For an explicit 0 the body callbacks follow, and they run the handler.
                awaitBody(request, head, endpoint, 0, connection)
            } else {
                let exchange = begin(
                    connection, head.method, isHTTP11: head.isHTTP11, keepsAlive: head.keepsAlive && !isEndless)
                run(endpoint.handler, request, connection, exchange)
            }
            return 0
        }
        guard bodiesInFlight + length <= limits.bodiesInFlightBytes else {
            refusals.count(.bodiesInFlight)
            refuse(
                .serviceUnavailable, "too many bodies are being received", head, connection,
                headers: ["Retry-After": "5"], closes: true)
            return 0
        }
        awaitBody(request, head, endpoint, length, connection)
        if head.headers["Expect"]?.lowercased() == "100-continue" {
            return connection.instance.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), as: LWS_WRITE_HTTP) ? 0 : -1
        }
        return 0
    }

    private func awaitBody(
        _ request: HTTPRequest, _ head: RequestHead, _ endpoint: Router.Endpoint, _ length: Int,
        _ connection: Connection
    ) {
        bodiesInFlight += length
        let incoming = IncomingRequest(
            request: request, endpoint: endpoint, body: MessageBuffer(spooling: spoolings[connection.listener]),
            announced: length, isHTTP11: head.isHTTP11,
            keepsAlive: head.keepsAlive)
        let deadline = SystemClock.now() + listeners[connection.listener].limits.bodyTimeout
        connection.state = .receivingBody(incoming, deadline: deadline)
    }

    /// LWS_CALLBACK_HTTP_BODY.
    func bodyReceived(_ connection: Connection, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        switch connection.state {
        case .receivingBody(let incoming, _):
            guard unsafe incoming.body.append(bytes) else {
                refusals.count(.spool)
                return -1
            }
            incoming.endpoint.bodyListener?(incoming.request)
            return incoming.body.count <= incoming.announced ? 0 : -1
        case .handling, .responding:
            return 0  // The body of a request that was refused: thrown away until the answer is out.
        default:
            return -1
        }
    }

    /// LWS_CALLBACK_HTTP_BODY_COMPLETION.
    func bodyCompleted(_ connection: Connection) -> Int32 {
        guard case .receivingBody(let incoming, _) = connection.state else {
            if case .responding(let exchange) = connection.state, !exchange.keepsAlive {
                return 0  // The body of a request that was refused by its head: the answer is on its way.
            }
            // More came behind a body that was already complete: a pipelined request.
            refusals.count(.pipelined)
            return -1
        }
        bodiesInFlight -= incoming.announced
        let exchange = begin(
            connection, incoming.request.method, isHTTP11: incoming.isHTTP11, keepsAlive: incoming.keepsAlive)
        var request = incoming.request
        switch incoming.body.take() {
        case .bytes(let bytes)?: request.body = bytes
        case .spooled(let bytes)?: request.spooledBody = bytes
        case nil:
            refusals.count(.spool)
            return -1
        }
        run(incoming.endpoint.handler, request, connection, exchange)
        return 0
    }

    // MARK: Answering

    /// From here to the answer's end nothing is read from the connection.
    private func begin(_ connection: Connection, _ method: HTTPMethod, isHTTP11: Bool, keepsAlive: Bool) -> Exchange {
        lastNumber += 1
        let exchange = Exchange(
            method: method, isHTTP11: isHTTP11, keepsAlive: keepsAlive, number: lastNumber, now: SystemClock.now())
        connection.state = .handling(exchange)
        connection.instance.clearTimeout()
        connection.instance.setReading(false)
        return exchange
    }

    private func run(
        _ handler: @escaping Router.Handler, _ request: HTTPRequest, _ connection: Connection, _ exchange: Exchange
    ) {
        let (id, number) = (connection.id, exchange.number)
        let cors = listeners[connection.listener].cors
        exchange.task = Task {
            var response = await handler(request)
            cors.apply(to: &response, origin: request.headers["Origin"])
            self.post(.respond(id, exchange: number, response))
            guard case .stream(let pieces) = response.body else { return }
            for await piece in pieces {
                // The next piece is fetched when this one is with the kernel: a slow reader slows its producer down.
                let isSent = await withCheckedContinuation { continuation in
                    if !self.post(.streamPiece(id, exchange: number, piece, continuation)) {
                        continuation.resume(returning: false)
                    }
                }
                if !isSent { break }
            }
            self.post(.streamEnded(id, exchange: number))
        }
    }

    private func refuse(
        _ status: HTTPStatus, _ reason: String, _ head: RequestHead, _ connection: Connection,
        headers: HTTPHeaders = [:], closes: Bool = false
    ) {
        let response = listeners[connection.listener].router.error(status, reason, headers: headers)
        answer(response, to: head, connection, closes: closes)
    }

    private func answer(
        _ response: HTTPResponse, to head: RequestHead, _ connection: Connection, closes: Bool = false
    ) {
        var response = response
        listeners[connection.listener].cors.apply(to: &response, origin: head.headers["Origin"])
        // A body that nobody waits for may follow: the connection cannot be kept.
        let hasBody = (head.contentLength ?? 1) > 0 || [.post, .put, .patch].contains(head.method)
        let exchange = begin(
            connection, head.method, isHTTP11: head.isHTTP11, keepsAlive: head.keepsAlive && !closes && !hasBody)
        guard exchange.keepsAlive else { return respond(response, on: connection, exchange) }
        // Not in the request's own callback: libwebsockets would not come back to what was sent behind the request.
        post(.respond(connection.id, exchange: exchange.number, response))
    }

    func respond(_ response: HTTPResponse, on connection: Connection, _ exchange: Exchange) {
        guard exchange.writer == nil else { return }
        metrics.counter(
            "web_responses_total", help: "Responses, by listener and status",
            labels: ["listener": listeners[connection.listener].name, "status": String(response.status.code)]
        ).increment()
        exchange.writer = ResponseWriter(
            response, to: exchange.method, isHTTP11: exchange.isHTTP11,
            keepsAlive: exchange.keepsAlive && !isDraining, date: SystemClock.wallTime().secondsSince1970)
        connection.state = .responding(exchange)
        requestWritable(connection, exchange)
    }

    func append(
        _ bytes: [UInt8], to connection: Connection, _ exchange: Exchange,
        whenSent continuation: CheckedContinuation<Bool, Never>
    ) {
        guard exchange.writer?.isStream == true else { return continuation.resume(returning: false) }
        exchange.writer?.append(bytes)
        exchange.whenSent?.resume(returning: false)
        exchange.whenSent = continuation
        requestWritable(connection, exchange)
    }

    func endStream(of connection: Connection, _ exchange: Exchange) {
        guard exchange.writer?.isStream == true else { return }
        exchange.writer?.endStream()
        requestWritable(connection, exchange)
    }

    private func requestWritable(_ connection: Connection, _ exchange: Exchange) {
        exchange.lastProgress = SystemClock.now()
        // libwebsockets reports no writability while reading is off.
        connection.instance.setReading(true)
        connection.instance.requestWritable()
    }

    /// LWS_CALLBACK_HTTP_WRITEABLE: the kernel takes more.
    func responseWritable(_ connection: Connection) -> Int32 {
        guard case .responding(let exchange) = connection.state else { return 0 }
        exchange.lastProgress = SystemClock.now()
        switch exchange.writer?.next(Self.pieceBytes) ?? .broken {
        case .bytes(let bytes, let isLast):
            guard connection.instance.write(bytes, as: LWS_WRITE_HTTP) else { return -1 }
            // At once, or the client's next request could come before we await it.
            if isLast { return finish(exchange, on: connection) }
            connection.instance.requestWritable()
            return 0
        case .waiting:
            exchange.whenSent?.resume(returning: true)
            exchange.whenSent = nil
            connection.instance.setReading(false)
            return 0
        case .finished:
            return finish(exchange, on: connection)
        case .broken:
            return -1
        }
    }

    private func finish(_ exchange: Exchange, on connection: Connection) -> Int32 {
        let isKept = exchange.writer?.keepsAlive ?? false
        exchange.whenSent?.resume(returning: true)
        exchange.whenSent = nil
        connection.state = isKept && !isDraining ? .awaitingRequest : .closing
        guard isKept, !isDraining else { return -1 }
        return connection.instance.completeTransaction() ? 0 : -1
    }

    /// A client that went while it was being answered, or that takes nothing, is let go.
    func sweepExchange(_ connection: Connection, _ now: Instant) {
        if connection.instance.peerHasFinished { return connection.instance.kill() }
        guard case .responding(let exchange) = connection.state, connection.instance.hasBufferedOutput else { return }
        if now - exchange.lastProgress > Self.stalledReader {
            refusals.count(.stalledReader)
            connection.instance.kill()
        }
    }
}
