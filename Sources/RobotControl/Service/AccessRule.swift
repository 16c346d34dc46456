package import Core

/// How far somebody on the service may go.
package enum ControlRole: Equatable, Sendable {
    /// Listens.
    case viewer
    /// Gives orders as well: the client, and operators.
    case controller
}

/// Who may connect: by token, and by the page that the connection comes from.
package struct AccessRule: Sendable {
    private let token: String?
    private let viewerToken: String?
    private let origins: Set<String>

    package init(token: String?, viewerToken: String?, origins: [String]) {
        self.token = token
        self.viewerToken = viewerToken
        self.origins = Set(origins)
    }

    /// Nil where the token is wrong or missing. Without a token configured everybody who got here is an operator.
    package func role(auth: JSONValue, authorization: String?) -> ControlRole? {
        guard let token else { return .controller }
        var shown = auth["token"]?.stringValue
        if shown == nil, let authorization {
            let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
            if parts.count == 2, parts[0].lowercased() == "bearer" { shown = String(parts[1]) }
        }
        guard let shown else { return nil }
        if Self.isEqual(shown, token) { return .controller }
        return viewerToken.map { Self.isEqual(shown, $0) } == true ? .viewer : nil
    }

    /// Whether a page of that origin may connect. A service on loopback without a token would else be at the mercy of every page that the
    /// operator's browser shows: WebSockets know no same-origin policy.
    /// - Parameter host: the request's `Host`.
    package func admits(origin: String?, host: String?) -> Bool {
        guard let origin, !origins.contains("*"), !origins.contains(origin) else { return true }
        guard let host, let start = origin.firstRange(of: "://")?.upperBound,
            origin[start...].lowercased() == host.lowercased()
        else { return false }
        // A name that somebody else's DNS points at this machine makes his page look like our own.
        return token != nil || Self.isThisMachine(host)
    }

    private static func isThisMachine(_ host: String) -> Bool {
        let name = host.hasPrefix("[") ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" }
        return name.lowercased() == "localhost" || IPAddress(String(name)) != nil
    }

    private static func isEqual(_ left: String, _ right: String) -> Bool {
        constantTimeEquals(Array(left.utf8), Array(right.utf8))
    }
}
