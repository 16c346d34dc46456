internal import CWebSockets
internal import Core

/// The request line and headers of one request, as libwebsockets parsed them.
struct RequestHead {
    enum Failure: Error {
        case methodNotImplemented
        case malformed
    }

    var method: HTTPMethod
    var path: String
    var query: [String: String] = [:]
    var headers: HTTPHeaders = [:]
    var isHTTP11: Bool
    var keepsAlive: Bool

    private static let methods: [(HTTPMethod, lws_token_indexes)] = [
        (.get, WSI_TOKEN_GET_URI), (.post, WSI_TOKEN_POST_URI), (.options, WSI_TOKEN_OPTIONS_URI),
        (.put, WSI_TOKEN_PUT_URI), (.patch, WSI_TOKEN_PATCH_URI), (.delete, WSI_TOKEN_DELETE_URI),
        (.head, WSI_TOKEN_HEAD_URI),
    ]

    /// Headers that libwebsockets has no token for and that somebody of ours reads.
    static let customNames = [
        "last-event-id", "x-requested-with", "x-api-key", "access-control-request-private-network", "link",
        "idempotency-key", "x-drive-lease",
    ]

    /// Every token of libwebsockets that names a header field.
    private static let tokens: [(name: String, token: lws_token_indexes)] = (0..<WSI_TOKEN_COUNT.rawValue).compactMap {
        let token = lws_token_indexes(rawValue: $0)
        guard let text = unsafe lws_token_to_string(token) else { return nil }
        let name = unsafe String(cString: text)
        guard name.hasSuffix(":"), !name.hasPrefix(":") else { return nil }
        return (String(name.dropLast()), token)
    }

    init(_ instance: LWSInstance) throws(Failure) {
        guard
            let (method, path) = Self.methods.lazy.compactMap({ method, token in
                instance.header(token).map { (method, $0) }
            }).first
        else { throw .methodNotImplemented }
        guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw .malformed }
        self.method = method
        self.path = path
        isHTTP11 = instance.header(WSI_TOKEN_HTTP)?.hasSuffix("1.1") ?? false
        keepsAlive = isHTTP11

        var index = 0
        while let pair = instance.fragment(index, of: WSI_TOKEN_HTTP_URI_ARGS) {
            index += 1
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if query[name] == nil { query[name] = parts.count > 1 ? String(parts[1]) : "" }
        }
        for (name, token) in Self.tokens {
            if let value = instance.header(token) { headers.append(name, value) }
        }
        for name in Self.customNames {
            if let value = instance.customHeader(name + ":") { headers.append(name, value) }
        }
        if let connection = headers["Connection"]?.lowercased() {
            if connection.contains("close") { keepsAlive = false }
        }
    }

    /// What `Content-Length` announces; 0 where there is none, nil where it is no number.
    var contentLength: Int? {
        guard let field = headers["Content-Length"] else { return 0 }
        guard !field.isEmpty, field.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int(field)
    }

    func request(from remoteAddress: SocketAddress, listener: String) -> HTTPRequest {
        HTTPRequest(
            method: method, path: path, query: query, headers: headers, remoteAddress: remoteAddress,
            listener: listener)
    }
}
