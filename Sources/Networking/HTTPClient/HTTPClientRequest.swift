/// One request to another service.
///
/// Redirects are never followed (a status of 300 to 399 is an answer like any other), so that no key ever reaches a host
/// that nobody configured.
package struct HTTPClientRequest: Sendable, CustomStringConvertible, CustomReflectable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    package var method: Method
    /// `http://` or `https://`, without user name and password.
    package var url: String
    /// May hold credentials, so no description shows them.
    package var headers: HTTPClientHeaders
    /// Of a POST.
    package var body: [UInt8]

    /// For the connection to stand, TLS included.
    package var connectTimeout: Duration = .seconds(5)
    /// From the beginning of an attempt to the first byte of its answer.
    package var firstByteTimeout: Duration = .seconds(30)
    /// Between two bytes of the answer. Time in which the reader takes nothing does not count.
    package var idleTimeout: Duration = .seconds(30)
    /// For everything, retries and waiting for them included.
    package var totalTimeout: Duration = .seconds(300)
    /// Bytes of the answer's body.
    package var maximumResponseBytes = 16 << 20
    /// Attempts after the first. Always safe where no connection could be made; anything later only where
    /// ``isRepeatable``. Once a byte of a good answer was handed on nothing is tried again.
    package var retries = 0
    /// Whether the same request may arrive twice without harm.
    package var isRepeatable: Bool
    /// Makes a connection of its own for every attempt and keeps none, with `Connection: close`: for services that close
    /// without saying so, on which a kept connection would fail the next request.
    package var usesFreshConnection = false

    package init(
        _ method: Method, _ url: String, headers: HTTPClientHeaders = [:], body: [UInt8] = [],
        isRepeatable: Bool? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.isRepeatable = isRepeatable ?? (method == .get)
    }

    /// Method and place: no header, no query and no body.
    package var description: String { "\(method.rawValue) \(place)" }
    package var customMirror: Mirror { Mirror(self, children: ["request": description]) }

    /// The URL without its query and without what stands before an `@`.
    package var place: String {
        guard let scheme = scheme else { return "an address that is no http or https URL" }
        let rest = url.utf8.dropFirst(scheme.count + 3).prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        let authority = rest.prefix { $0 != UInt8(ascii: "/") }
        let path = rest.dropFirst(authority.count)
        let host =
            authority.lastIndex(of: UInt8(ascii: "@")).map { authority[authority.index(after: $0)...] } ?? authority
        let text = String(decoding: Array(host) + Array(path), as: UTF8.self)
        return "\(scheme)://\(String(text.prefix(200)))"
    }

    private var scheme: String? {
        let start = url.prefix(8).lowercased()
        if start == "https://" { return "https" }
        return start.hasPrefix("http://") ? "http" : nil
    }

    /// Why the request cannot be sent as it is; nil where it can.
    package var fault: String? {
        guard let scheme else { return "the URL does not begin with http:// or https://" }
        guard url.utf8.count <= 8192, url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            return "the URL holds spaces or control characters, or is longer than 8192 bytes"
        }
        let authority = url.utf8.dropFirst(scheme.count + 3).prefix { byte in
            byte != UInt8(ascii: "/") && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
        }
        guard !authority.isEmpty else { return "the URL names no host" }
        guard !authority.contains(UInt8(ascii: "@")) else { return "the URL holds a user name" }
        guard headers.areSendable else { return "a header holds control characters" }
        return nil
    }
}

/// What comes of a request, in this order: one head, then bodies until the end.
package enum HTTPClientEvent: Equatable, Sendable {
    case head(status: Int, headers: HTTPClientHeaders)
    case body([UInt8])
}

/// A whole answer.
package struct HTTPClientResponse: Equatable, Sendable {
    package var status: Int
    package var headers: HTTPClientHeaders
    package var body: [UInt8]

    package init(status: Int, headers: HTTPClientHeaders, body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
