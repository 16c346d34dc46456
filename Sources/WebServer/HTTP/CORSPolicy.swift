/// Which pages of other origins may call a listener.
/// - SeeAlso: [Fetch, CORS protocol](https://fetch.spec.whatwg.org/#http-cors-protocol)
package struct CORSPolicy: Sendable {
    package enum Origins: Sendable, Equatable {
        /// No CORS fields at all.
        case none
        case any
        /// Exact origins, `https://example.org`.
        case list([String])
    }

    package var origins: Origins
    package var requestHeaders = ["Content-Type", "Authorization", "If-Match", "Last-Event-ID", "X-Drive-Lease"]
    package var exposedHeaders = ["Location", "ETag", "Link", "Retry-After"]
    package var maximumAge: Duration = .seconds(600)

    package init(origins: Origins) { self.origins = origins }

    /// The value of `Access-Control-Allow-Origin` for a request from `origin`; nil where it is not allowed.
    func allowedOrigin(for origin: String?) -> String? {
        guard let origin else { return nil }
        switch origins {
        case .none: return nil
        case .any: return "*"
        case .list(let known): return known.contains(origin) ? origin : nil
        }
    }

    /// Adds the fields that let the page read `response`.
    func apply(to response: inout HTTPResponse, origin: String?) {
        guard origins != .none else { return }
        if origins != .any { response.headers.append("Vary", "Origin") }
        guard let allowed = allowedOrigin(for: origin) else { return }
        response.headers["Access-Control-Allow-Origin"] = allowed
        if !exposedHeaders.isEmpty {
            response.headers["Access-Control-Expose-Headers"] = exposedHeaders.joined(separator: ", ")
        }
    }

    /// Adds what a preflight asks for.
    func applyPreflight(to response: inout HTTPResponse, origin: String?, methods: [HTTPMethod]) {
        guard allowedOrigin(for: origin) != nil else { return }
        response.headers["Access-Control-Allow-Methods"] = methods.map(\.rawValue).joined(separator: ", ")
        response.headers["Access-Control-Allow-Headers"] = requestHeaders.joined(separator: ", ")
        response.headers["Access-Control-Max-Age"] = String(maximumAge.components.seconds)
    }
}
