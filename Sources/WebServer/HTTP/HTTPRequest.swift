package import Core

/// One request with its whole body.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// Percent-decoded, begins with `/`, has no `.` or `..` segment and no NUL.
    package var path: String
    /// What the route's pattern named: `id` for `/v1/sessions/{id}`.
    package var parameters: [String: String] = [:]
    /// Percent-decoded; of a repeated name the first value counts.
    package var query: [String: String]
    /// The fields that the server knows (see docs/protocols/http.md).
    package var headers: HTTPHeaders
    /// Empty where the body is spooled.
    package var body: [UInt8]
    /// A large body, where the listener spools.
    package var spooledBody: SpooledBytes?
    package var remoteAddress: SocketAddress
    /// The name of the listener that took the request.
    package var listener: String

    package init(
        method: HTTPMethod, path: String, query: [String: String] = [:], headers: HTTPHeaders = [:],
        body: [UInt8] = [], remoteAddress: SocketAddress = SocketAddress(.loopbackV4, 0), listener: String = ""
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        self.listener = listener
    }

    /// The token of `Authorization: Bearer …` ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    package var bearerToken: String? {
        guard let field = headers["Authorization"] else { return nil }
        let parts = field.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    /// The media type of `Content-Type`, lower-case, without its parameters.
    package var mediaType: String? {
        guard let field = headers["Content-Type"] else { return nil }
        let type = field.prefix { $0 != ";" }.filter { !$0.isWhitespace }
        return type.isEmpty ? nil : type.lowercased()
    }
}
