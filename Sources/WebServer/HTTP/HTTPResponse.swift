/// What a handler answers. The server adds Date, Content-Length or Transfer-Encoding, Connection and CORS fields.
package struct HTTPResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        /// Sent as it comes, until the stream ends or the client goes; then the stream is cancelled. For server-sent
        /// events set `Content-Type: text/event-stream`.
        case stream(AsyncStream<[UInt8]>)
        /// A regular file, read piece by piece while it is sent.
        case file(path: String)
    }

    package var status: HTTPStatus
    package var headers: HTTPHeaders
    package var body: Body

    package init(_ status: HTTPStatus, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package init(_ status: HTTPStatus, headers: HTTPHeaders = [:], contentType: String, _ bytes: [UInt8]) {
        self.init(status, headers: headers, body: .bytes(bytes))
        self.headers["Content-Type"] = contentType
    }

    package static func text(_ status: HTTPStatus, _ text: String, headers: HTTPHeaders = [:]) -> HTTPResponse {
        HTTPResponse(status, headers: headers, contentType: "text/plain; charset=utf-8", Array(text.utf8))
    }
}
