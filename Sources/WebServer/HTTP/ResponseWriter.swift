internal import Core

/// Turns one response into the bytes of an HTTP/1.1 message, piece by piece; does no I/O but read its file.
/// - SeeAlso: [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)
struct ResponseWriter {
    enum Step: Equatable {
        /// Bytes to send; nothing comes after the last.
        case bytes([UInt8], isLast: Bool)
        /// A stream has nothing to send at the moment.
        case waiting
        case finished
        /// The file became shorter than announced: the connection must be cut.
        case broken
    }

    private enum Source {
        case none
        case bytes([UInt8], offset: Int)
        case file(RegularFile, remaining: Int)
        case stream(isChunked: Bool)
    }

    /// Whether the connection can take another request afterwards.
    private(set) var keepsAlive: Bool
    let status: HTTPStatus
    private var source: Source
    private var pending: [UInt8]
    private var isStreamOver = false

    /// - Parameters:
    ///   - isHTTP11: the request's version; HTTP/1.0 gets no chunks and no kept connection.
    ///   - date: seconds since 1970, for the Date field.
    init(
        _ response: consuming HTTPResponse, to method: HTTPMethod, isHTTP11: Bool, keepsAlive: Bool, date: Int64
    ) {
        var response = response
        var opened: RegularFile?
        if case .file(let path) = response.body {
            opened = RegularFile(path: path)
            // It went between the handler's look and ours; nothing is sent yet, so say it properly.
            if opened == nil { response = .text(.notFound, "not found\n") }
        }
        status = response.status
        var headers = response.headers
        let hasBody = method != .head && !response.status.forbidsBody
        var isKept = keepsAlive && isHTTP11
        switch response.body {
        case .bytes(let bytes):
            source = hasBody ? .bytes(bytes, offset: 0) : .none
            if !response.status.forbidsBody { headers["Content-Length"] = String(bytes.count) }
        case .file:
            let size = opened?.size ?? 0
            if !response.status.forbidsBody { headers["Content-Length"] = String(size) }
            if hasBody, let file = opened { source = .file(file, remaining: size) } else { source = .none }
        case .stream:
            source = hasBody ? .stream(isChunked: isHTTP11) : .none
            if hasBody && isHTTP11 { headers["Transfer-Encoding"] = "chunked" } else { isKept = false }
        }
        headers.setDefault("Date", HTTPDate.string(date))
        headers["Connection"] = isKept ? "keep-alive" : "close"
        self.keepsAlive = isKept
        pending = Self.head(response.status, headers)
    }

    private static func head(_ status: HTTPStatus, _ headers: HTTPHeaders) -> [UInt8] {
        var bytes = Array("HTTP/1.1 \(status)\r\n".utf8)
        for field in headers.fields {
            // A line break inside a value would be a field of somebody else's making.
            bytes += field.name.utf8.filter { $0 > 0x20 && $0 != 0x3A && $0 < 0x7F }
            bytes += [0x3A, 0x20]
            bytes += field.value.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
            bytes += [0x0D, 0x0A]
        }
        return bytes + [0x0D, 0x0A]
    }

    /// Whether ``append(_:)`` and ``endStream()`` mean something.
    var isStream: Bool {
        switch source {
        case .stream: true
        default: false
        }
    }

    /// One piece of a stream's body.
    mutating func append(_ bytes: [UInt8]) {
        guard case .stream(let isChunked) = source, !bytes.isEmpty, !isStreamOver else { return }
        if isChunked { pending += Array((String(bytes.count, radix: 16) + "\r\n").utf8) }
        pending += bytes
        if isChunked { pending += [0x0D, 0x0A] }
    }

    mutating func endStream() {
        guard case .stream(let isChunked) = source, !isStreamOver else { return }
        isStreamOver = true
        if isChunked { pending += Array("0\r\n\r\n".utf8) }
    }

    /// At most `limit` bytes that come next.
    mutating func next(_ limit: Int) -> Step {
        if pending.count < limit, let broken = fill(limit - pending.count) { return broken }
        if pending.isEmpty { return isExhausted ? .finished : .waiting }
        if pending.count <= limit {
            defer { pending = [] }
            return .bytes(pending, isLast: isExhausted)
        }
        let piece = Array(pending.prefix(limit))
        pending.removeFirst(limit)
        return .bytes(piece, isLast: false)
    }

    /// Whether nothing will come behind what is pending.
    private var isExhausted: Bool {
        switch source {
        case .none: true
        case .stream: isStreamOver
        case .bytes, .file: false
        }
    }

    /// Moves up to `count` bytes of the body behind what is pending.
    private mutating func fill(_ count: Int) -> Step? {
        switch source {
        case .none, .stream:
            break
        case .bytes(let bytes, let offset):
            let end = min(bytes.count, offset + count)
            pending += bytes[offset..<end]
            source = end == bytes.count ? .none : .bytes(bytes, offset: end)
        case .file(let file, let remaining):
            let piece = file.read(min(count, remaining))
            pending += piece
            if remaining > 0 && piece.isEmpty {
                source = .none
                return .broken
            }
            source = remaining == piece.count ? .none : .file(file, remaining: remaining - piece.count)
        }
        return nil
    }
}
