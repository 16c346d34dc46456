import Core

/// Just enough of RFC 6455's client side to be polite or rude on purpose.
final class WebSocketClient: Sendable {
    struct Frame: Equatable {
        var opcode: UInt8
        var payload: [UInt8]
        var text: String { String(decoding: payload, as: UTF8.self) }
        /// The code of a close frame.
        var closeCode: Int { payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : 0 }
    }

    let raw: RawClient

    /// Nil where the server refused the handshake.
    init?(port: UInt16, path: String, headers: String = "") async throws {
        raw = try await RawClient(port: port)
        await raw.send(
            """
            GET \(path) HTTP/1.1\r
            Host: localhost\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r
            \(headers)\r\n
            """)
        let bytes = await raw.receive { String(decoding: $0, as: UTF8.self).contains("\r\n\r\n") }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 101"), text.lowercased().contains("s3pplmbitxaq9kygzzhzrbk+xoo=") else {
            await raw.close()
            return nil
        }
        let head = text.firstRange(of: "\r\n\r\n").map { text[..<$0.upperBound].utf8.count } ?? 0
        buffered.append(Array(raw.takeReceived().dropFirst(head)))
    }

    private let buffered = Buffer()

    func send(_ text: String) async { await send(opcode: 1, Array(text.utf8)) }

    func send(opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, isMasked: Bool = true) async {
        var frame: [UInt8] = [(isFinal ? 0x80 : 0) | opcode]
        let bit: UInt8 = isMasked ? 0x80 : 0
        switch payload.count {
        case ..<126: frame.append(bit | UInt8(payload.count))
        case ..<65_536: frame += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default:
            frame.append(bit | 127)
            frame += (0..<8).reversed().map { UInt8(payload.count >> (8 * $0) & 255) }
        }
        let mask: [UInt8] = [1, 2, 3, 4]
        if isMasked {
            frame += mask
            frame += payload.enumerated().map { $1 ^ mask[$0 & 3] }
        } else {
            frame += payload
        }
        await raw.send(frame)
    }

    /// The next frame; nil where the server closed the TCP connection.
    func next() async -> Frame? {
        while true {
            if let frame = buffered.takeFrame() { return frame }
            await raw.receive { !$0.isEmpty }
            // Taken in one step: more may have come since.
            let bytes = raw.takeReceived()
            if bytes.isEmpty { return nil }
            buffered.append(bytes)
        }
    }

    /// Skips to the close frame and returns its code; nil where there was none.
    func closeCode() async -> Int? {
        while let frame = await next() { if frame.opcode == 8 { return frame.closeCode } }
        return nil
    }

    func close() async { await raw.close() }
}

private final class Buffer: @unchecked Sendable {
    // SAFETY: used by one test's task at a time.
    private var bytes: [UInt8] = []

    func append(_ more: [UInt8]) { bytes += more }

    func takeFrame() -> WebSocketClient.Frame? {
        guard bytes.count >= 2 else { return nil }
        var count = Int(bytes[1] & 127)
        var start = 2
        if count >= 126 {
            let width = count == 126 ? 2 : 8
            guard bytes.count >= 2 + width else { return nil }
            count = bytes[2..<2 + width].reduce(0) { $0 << 8 | Int($1) }
            start += width
        }
        guard bytes.count >= start + count else { return nil }
        defer { bytes.removeFirst(start + count) }
        return WebSocketClient.Frame(opcode: bytes[0] & 15, payload: Array(bytes[start..<start + count]))
    }
}
