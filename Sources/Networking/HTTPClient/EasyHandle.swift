internal import CCURL
internal import Core

/// Owns one libcurl transfer: its handle, its header list and the buffer for its error text.
@safe struct EasyHandle: ~Copyable {
    typealias Callback = @convention(c) (UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?) -> Int

    private let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var headers: UnsafeMutablePointer<curl_slist>?

    /// Takes the handle over.
    private init(_ handle: UnsafeMutableRawPointer) {
        unsafe self.handle = handle
        let size = Int(CCURL_ERROR_SIZE)
        unsafe errorText = .allocate(capacity: size)
        unsafe errorText.initialize(repeating: 0, count: size)
        unsafe headers = nil
        unsafe _ = ccurl_set_error_buffer(handle, errorText)
    }

    /// Ready to be added to a ``MultiHandle``; nil where libcurl has no memory.
    /// - Parameter context: what the callbacks get; must outlive the handle.
    static func make(
        _ request: HTTPClientRequest, _ configuration: HTTPClient.Configuration, onHeader: Callback, onBody: Callback,
        context: UnsafeMutableRawPointer
    ) -> EasyHandle? {
        guard let handle = unsafe curl_easy_init() else { return nil }
        var easy = unsafe EasyHandle(handle)
        guard easy.set(configuration), easy.set(request) else { return nil }
        unsafe _ = ccurl_set_callbacks(handle, onHeader, onBody, context)
        return easy
    }

    deinit {
        unsafe curl_easy_cleanup(handle)
        unsafe curl_slist_free_all(headers)
        unsafe errorText.deallocate()
    }

    private func set(_ configuration: HTTPClient.Configuration) -> Bool {
        var isWell = true
        func long(_ option: CURLoption, _ value: Int) {
            isWell = unsafe ccurl_set_long(handle, option, value) == CURLE_OK && isWell
        }
        func text(_ option: CURLoption, _ value: String) {
            isWell = unsafe ccurl_set_text(handle, option, value) == CURLE_OK && isWell
        }
        // No signal handlers of libcurl's: this process has threads.
        long(CURLOPT_NOSIGNAL, 1)
        // A transfer that is called off while its host's name is looked up must not hold the thread until that ends.
        long(CURLOPT_QUICK_EXIT, 1)
        text(CURLOPT_PROTOCOLS_STR, "http,https")
        long(CURLOPT_FOLLOWLOCATION, 0)
        // An empty text keeps `http_proxy` of the environment out.
        text(CURLOPT_PROXY, configuration.proxy)
        long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        if !configuration.certificateAuthorityFile.isEmpty {
            text(CURLOPT_CAINFO, configuration.certificateAuthorityFile)
        }
        long(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        // With HTTP/2 one answer that waits for its reader would share its connection with others.
        long(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        // Servers often close kept connections after a minute, some after 5 s; libcurl tries again on a fresh one.
        long(CURLOPT_MAXAGE_CONN, 30)
        long(CURLOPT_TCP_NODELAY, 1)
        return isWell
    }

    private mutating func set(_ request: HTTPClientRequest) -> Bool {
        let timeout = max(1, request.connectTimeout.nanoseconds / 1_000_000)
        guard unsafe ccurl_set_text(handle, CURLOPT_URL, request.url) == CURLE_OK,
            unsafe ccurl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Int(timeout)) == CURLE_OK
        else { return false }
        if request.method == .post {
            guard unsafe ccurl_set_long(handle, CURLOPT_POST, 1) == CURLE_OK else { return false }
            let code = unsafe request.body.withUnsafeBytes { body in
                // An empty body still needs an address, else libcurl would read one from standard input.
                unsafe ccurl_set_body(handle, body.baseAddress ?? UnsafeRawPointer(errorText), body.count)
            }
            guard code == CURLE_OK else { return false }
        }
        if request.usesFreshConnection {
            guard unsafe ccurl_set_long(handle, CURLOPT_FRESH_CONNECT, 1) == CURLE_OK,
                unsafe ccurl_set_long(handle, CURLOPT_FORBID_REUSE, 1) == CURLE_OK, add("Connection: close")
            else { return false }
        }
        // Nobody waits for permission to send a body of a megabyte.
        guard add("Expect:") else { return false }
        for field in request.headers.fields where !add("\(field.name): \(field.value)") { return false }
        return unsafe ccurl_set_headers(handle, headers) == CURLE_OK
    }

    private mutating func add(_ line: String) -> Bool {
        guard let longer = unsafe curl_slist_append(headers, line) else { return false }
        unsafe headers = longer
        return true
    }

    /// Names the handle in a ``MultiHandle``'s reports.
    var identity: UInt { unsafe UInt(bitPattern: handle) }

    func withPointer<Result>(_ body: (UnsafeMutableRawPointer) -> Result) -> Result {
        unsafe body(handle)
    }

    /// Goes on after a callback asked for a pause; the callbacks may run before this returns.
    func resume() {
        unsafe _ = curl_easy_pause(handle, Int32(CCURL_CONTINUE))
    }

    /// Why the transfer ended without success; `systemError` is the `errno` of a connection that could not be made, or 0.
    func failure(_ result: CURLcode) -> (code: HTTPClientError.Code, reason: String, systemError: Int32) {
        let detail = unsafe String(cString: errorText)
        let reason = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(result)) : detail
        let isConnected = unsafe ccurl_connect_time(handle) > 0
        let code = Self.code(result, isConnected: isConnected)
        return (code, String(reason.prefix(200)), unsafe code == .connectionFailed ? ccurl_system_error(handle) : 0)
    }

    private static func code(_ result: CURLcode, isConnected: Bool) -> HTTPClientError.Code {
        switch result {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .unresolvable
        case CURLE_COULDNT_CONNECT: .connectionFailed
        // Only the connection's time is libcurl's to watch, and TLS belongs to it.
        case CURLE_OPERATION_TIMEDOUT: .timedOut(.connect)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
            .tlsFailed
        case CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR:
            isConnected ? .closedEarly : .connectionFailed
        // What does not begin with HTTP/1 is "HTTP/0.9", which is not allowed.
        case CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_CONTENT_ENCODING: .malformedAnswer
        case CURLE_URL_MALFORMAT: .invalidRequest
        default: .system
        }
    }
}
