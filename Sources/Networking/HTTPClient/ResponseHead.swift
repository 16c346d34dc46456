/// Puts an answer's status line and header fields together, line by line as libcurl delivers them; does no I/O.
struct ResponseHead: Sendable {
    enum Fault: Error {
        case malformed
        case tooLarge
    }

    /// Bytes of all lines, those of interim answers included.
    static let maximumBytes = 64 << 10
    static let maximumFields = 128

    private(set) var status = 0
    private(set) var headers: HTTPClientHeaders = [:]
    private(set) var isComplete = false
    private var bytes = 0

    /// Takes one line. True with the line that completes the head of the final answer.
    mutating func append(_ line: some Collection<UInt8>) throws(Fault) -> Bool {
        bytes += line.count
        guard bytes <= Self.maximumBytes else { throw .tooLarge }
        // Lines behind the head are the trailer of a chunked body: nobody asked for one.
        guard !isComplete else { return false }
        let text = String(decoding: line, as: UTF8.self).trimmed
        if text.hasPrefix("HTTP/") {
            guard let code = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) }), 100...599 ~= code else {
                throw .malformed
            }
            status = code
            headers = [:]
            return false
        }
        guard status > 0 else { throw .malformed }
        if text.isEmpty {
            // An interim answer (100 Continue, 103 Early Hints) is followed by another head.
            isComplete = status >= 200
            return isComplete
        }
        guard headers.fields.count < Self.maximumFields else { throw .tooLarge }
        guard let colon = text.firstIndex(of: ":") else { return false }
        headers.append(String(text[..<colon]), String(text[text.index(after: colon)...]).trimmed)
        return false
    }

    /// What the answer says about its own length.
    var contentLength: Int? { headers["Content-Length"].flatMap { Int($0) } }
}

extension String {
    /// Without white space and line ends at both ends.
    fileprivate var trimmed: String {
        let start = drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }
}
