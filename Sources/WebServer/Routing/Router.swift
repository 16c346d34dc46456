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

    struct Route: Sendable {
        let pattern: RoutePattern
        var handlers: [HTTPMethod: Handler] = [:]
        var bodyLimits: [HTTPMethod: Int] = [:]
        var webSocket: WebSocketHandler?
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
        _ method: HTTPMethod, _ pattern: String, bodyLimit: Int? = nil, _ handler: @escaping Handler
    ) {
        withRoute(pattern) { route in
            precondition(route.handlers[method] == nil, "\(method.rawValue) \(pattern) has two handlers")
            route.handlers[method] = handler
            route.bodyLimits[method] = bodyLimit
        }
    }

    package mutating func webSocket(_ pattern: String, _ handler: @escaping WebSocketHandler) {
        withRoute(pattern) { route in
            precondition(route.webSocket == nil, "\(pattern) has two WebSocket handlers")
            route.webSocket = handler
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
        case handler(Handler, parameters: [String: String], bodyLimit: Int?)
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
            let key = method == .head && route.handlers[.head] == nil ? HTTPMethod.get : method
            if let handler = route.handlers[key] {
                return .handler(handler, parameters: parameters, bodyLimit: route.bodyLimits[key])
            }
            allowed.formUnion(route.handlers.keys)
            hasWebSocket = hasWebSocket || route.webSocket != nil
        }
        guard !allowed.isEmpty else { return hasWebSocket ? .upgradeRequired : .notFound }
        if allowed.contains(.get) { allowed.insert(.head) }
        allowed.insert(.options)
        let list = HTTPMethod.allCases.filter(allowed.contains)
        return method == .options ? .options(allowed: list) : .methodNotAllowed(allowed: list)
    }

    func matchWebSocket(_ path: String) -> (handler: WebSocketHandler, parameters: [String: String])? {
        let segments = RoutePattern.split(path)
        for route in routes {
            if let handler = route.webSocket, let parameters = route.pattern.match(segments) {
                return (handler, parameters)
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
