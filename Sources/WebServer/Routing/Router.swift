/// What a listener serves: which handler answers which method and path.
///
/// A value: filled before the server starts, never changed after. HEAD is answered by the GET handler without its body;
/// OPTIONS, 404 and 405 are the router's own.
package struct Router: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse
    /// Runs for the life of one connection. `incoming` ends when the peer has gone; when the handler returns the
    /// connection is closed with 1000, if it still is open.
    package typealias WebSocketHandler =
        @Sendable (
            _ connection: WebSocketConnection, _ parameters: [String: String],
            _ incoming: AsyncStream<WebSocketMessage>
        ) async -> Void

    /// Makes what takes a new connection's messages. Runs on the web server's thread: it returns at once.
    package typealias WebSocketOpening =
        @Sendable (_ connection: WebSocketConnection, _ parameters: [String: String]) -> WebSocketReceiver

    /// Looks at a WebSocket's handshake; what it answers is sent instead of 101. Runs on the web server's thread: it returns at once.
    package typealias WebSocketAdmission = @Sendable (HTTPRequest) -> HTTPResponse?

    enum WebSocketService: Sendable {
        case task(WebSocketHandler)
        case receiver(WebSocketOpening)
    }

    /// Hears of each piece of a body that is not whole yet. Runs on the web server's thread: it returns at once.
    package typealias BodyListener = @Sendable (HTTPRequest) -> Void

    struct Endpoint: Sendable {
        let handler: Handler
        /// Nil: the listener's.
        var bodyLimit: Int?
        var bodyListener: BodyListener?
    }

    struct Route: Sendable {
        let pattern: RoutePattern
        var endpoints: [HTTPMethod: Endpoint] = [:]
        var webSocket: WebSocketService?
        var admission: WebSocketAdmission?
    }

    /// The most specific pattern first.
    private(set) var routes: [Route] = []

    /// Shapes the body of the errors that the server itself answers (404, 405, 413 …).
    package var errorBody: @Sendable (_ status: HTTPStatus, _ reason: String) -> (contentType: String, bytes: [UInt8])

    package init() {
        errorBody = { ("text/plain; charset=utf-8", Array("\($0): \($1)\n".utf8)) }
    }

    /// - Parameter bodyLimit: bytes of body that this route takes, where it is not the listener's limit.
    package mutating func add(
        _ method: HTTPMethod, _ pattern: String, bodyLimit: Int? = nil, bodyListener: BodyListener? = nil,
        _ handler: @escaping Handler
    ) {
        withRoute(pattern) { route in
            precondition(route.endpoints[method] == nil, "\(method.rawValue) \(pattern) has two handlers")
            route.endpoints[method] = Endpoint(handler: handler, bodyLimit: bodyLimit, bodyListener: bodyListener)
        }
    }

    package mutating func webSocket(
        _ pattern: String, admit: WebSocketAdmission? = nil, _ handler: @escaping WebSocketHandler
    ) {
        add(.task(handler), pattern, admit)
    }

    /// For messages that are dealt with at once: without a task's way between two threads.
    package mutating func webSocket(
        _ pattern: String, admit: WebSocketAdmission? = nil, opened: @escaping WebSocketOpening
    ) {
        add(.receiver(opened), pattern, admit)
    }

    private mutating func add(_ service: WebSocketService, _ pattern: String, _ admission: WebSocketAdmission?) {
        withRoute(pattern) { route in
            precondition(route.webSocket == nil, "\(pattern) has two WebSocket handlers")
            route.webSocket = service
            route.admission = admission
        }
    }

    private mutating func withRoute(_ text: String, _ change: (inout Route) -> Void) {
        let pattern = RoutePattern(text)
        if let index = routes.firstIndex(where: { $0.pattern == pattern }) { return change(&routes[index]) }
        var route = Route(pattern: pattern)
        change(&route)
        let index = routes.firstIndex { pattern.isMoreSpecific(than: $0.pattern) } ?? routes.count
        routes.insert(route, at: index)
    }

    // MARK: Looking up

    enum Match: Sendable {
        case endpoint(Endpoint, parameters: [String: String])
        /// OPTIONS, answered by the router.
        case options(allowed: [HTTPMethod])
        case methodNotAllowed(allowed: [HTTPMethod])
        /// Only a WebSocket lives there.
        case upgradeRequired
        case notFound
    }

    func match(_ method: HTTPMethod, _ path: String) -> Match {
        let segments = RoutePattern.split(path)
        var allowed: Set<HTTPMethod> = []
        var hasWebSocket = false
        for route in routes {
            guard let parameters = route.pattern.match(segments) else { continue }
            let key = method == .head && route.endpoints[.head] == nil ? HTTPMethod.get : method
            if let endpoint = route.endpoints[key] { return .endpoint(endpoint, parameters: parameters) }
            allowed.formUnion(route.endpoints.keys)
            hasWebSocket = hasWebSocket || route.webSocket != nil
        }
        guard !allowed.isEmpty else { return hasWebSocket ? .upgradeRequired : .notFound }
        if allowed.contains(.get) { allowed.insert(.head) }
        allowed.insert(.options)
        let list = HTTPMethod.allCases.filter(allowed.contains)
        return method == .options ? .options(allowed: list) : .methodNotAllowed(allowed: list)
    }

    struct WebSocketMatch {
        let service: WebSocketService
        let admission: WebSocketAdmission?
        let parameters: [String: String]
    }

    func matchWebSocket(_ path: String) -> WebSocketMatch? {
        let segments = RoutePattern.split(path)
        for route in routes {
            if let service = route.webSocket, let parameters = route.pattern.match(segments) {
                return WebSocketMatch(service: service, admission: route.admission, parameters: parameters)
            }
        }
        return nil
    }

    /// An error of the server's own.
    func error(_ status: HTTPStatus, _ reason: String, headers: HTTPHeaders = [:]) -> HTTPResponse {
        let (contentType, bytes) = errorBody(status, reason)
        return HTTPResponse(status, headers: headers, contentType: contentType, bytes)
    }
}
