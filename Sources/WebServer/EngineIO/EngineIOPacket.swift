internal import Core

/// One packet of Engine.IO 4.
///
/// As text its first character is the type, `0` to `6`. Binary messages have no type: on a WebSocket they are binary frames, in a polling payload
/// `b` and Base64.
/// - SeeAlso: [Engine.IO protocol](https://socket.io/docs/v4/engine-io-protocol/)
package enum EngineIOPacket: Equatable, Sendable {
    /// The handshake's JSON.
    case open(String)
    case close
    /// `probe` while a transport is tried, else empty.
    case ping(String)
    case pong(String)
    case message(String)
    case binary([UInt8])
    /// A message that was spooled. Only received.
    case largeMessage(SpooledSlice)
    /// A binary message that was spooled; `isBase64`: its bytes are still to be decoded. Only received.
    case largeBinary(SpooledSlice, isBase64: Bool)
    case upgrade
    case noop

    /// Reads a text packet; nil for what is none.
    package init?(_ text: String) {
        guard let type = text.utf8.first else { return nil }
        let rest = text.utf8.dropFirst()
        switch type {
        case UInt8(ascii: "0"): self = .open(String(Substring(rest)))
        case UInt8(ascii: "1") where rest.isEmpty: self = .close
        case UInt8(ascii: "2"): self = .ping(String(Substring(rest)))
        case UInt8(ascii: "3"): self = .pong(String(Substring(rest)))
        case UInt8(ascii: "4"): self = .message(String(Substring(rest)))
        case UInt8(ascii: "5") where rest.isEmpty: self = .upgrade
        case UInt8(ascii: "6") where rest.isEmpty: self = .noop
        default: return nil
        }
    }

    /// Reads a WebSocket's message; nil for what is no packet.
    init?(_ message: WebSocketMessage) {
        switch message {
        case .text(let text): self.init(text)
        case .binary(let bytes): self = .binary(bytes)
        case .spooled(let slice, isText: false): self = .largeBinary(slice, isBase64: false)
        case .spooled(let slice, isText: true): self.init(spooledText: slice)
        }
    }

    /// Large packets are messages: no other is long.
    fileprivate init?(spooledText slice: SpooledSlice) {
        guard slice.count > 0, slice.bytes[slice.range.lowerBound] == UInt8(ascii: "4") else { return nil }
        self = .largeMessage(SpooledSlice(slice.bytes, slice.range.lowerBound + 1..<slice.range.upperBound))
    }

    /// The text of a packet that is sent as one; nil for a binary one.
    var text: String? {
        switch self {
        case .open(let json): "0" + json
        case .close: "1"
        case .ping(let text): "2" + text
        case .pong(let text): "3" + text
        case .message(let text): "4" + text
        case .binary, .largeMessage, .largeBinary: nil
        case .upgrade: "5"
        case .noop: "6"
        }
    }

    /// About so many bytes on the wire.
    var byteCount: Int {
        switch self {
        case .open(let text), .ping(let text), .pong(let text), .message(let text): text.utf8.count + 1
        case .binary(let bytes): bytes.count
        case .largeMessage(let slice), .largeBinary(let slice, _): slice.count
        case .close, .upgrade, .noop: 1
        }
    }
}

/// Several packets in the body of one polling request or answer, separated by U+001E.
package enum EngineIOPayload {
    private static let separator: UInt8 = 0x1E
    /// Packets of one body.
    private static let maximumPackets = 10_000
    /// Bytes of a packet in a spooled body that stay there.
    private static let largePacket = 1 << 20

    /// Nil where any of it is no packet.
    package static func packets(in body: [UInt8]) -> [EngineIOPacket]? {
        guard !body.isEmpty else { return nil }
        var packets: [EngineIOPacket] = []
        // Split no further than is allowed: a body may be nothing but separators.
        for part in body.split(separator: separator, maxSplits: maximumPackets, omittingEmptySubsequences: false) {
            guard packets.count < maximumPackets, let packet = packet(part) else { return nil }
            packets.append(packet)
        }
        return packets
    }

    private static func packet(_ part: ArraySlice<UInt8>) -> EngineIOPacket? {
        guard part.first != UInt8(ascii: "b") else {
            return Base64.decode(utf8: part.dropFirst()).map { .binary($0) }
        }
        return String(validating: part, as: UTF8.self).flatMap { EngineIOPacket($0) }
    }

    /// The same for a body that was spooled: its large packets are left there.
    package static func packets(in body: SpooledBytes) -> [EngineIOPacket]? {
        guard body.count > 0, body.isUTF8 else { return nil }
        var packets: [EngineIOPacket] = []
        var start = 0
        while start <= body.count {
            let end = body.firstIndex(of: separator, in: start..<body.count) ?? body.count
            let packet: EngineIOPacket?
            if end - start <= largePacket {
                packet = Self.packet(body[start..<end][...])
            } else if body[start] == UInt8(ascii: "b") {
                packet = .largeBinary(SpooledSlice(body, start + 1..<end), isBase64: true)
            } else {
                packet = EngineIOPacket(spooledText: SpooledSlice(body, start..<end))
            }
            guard packets.count < maximumPackets, let packet else { return nil }
            packets.append(packet)
            start = end + 1
        }
        return packets
    }

    static func body(of packets: [EngineIOPacket]) -> [UInt8] {
        var body: [UInt8] = []
        for (index, packet) in packets.enumerated() {
            if index > 0 { body.append(separator) }
            if case .binary(let bytes) = packet {
                body.append(UInt8(ascii: "b"))
                body += Base64.encode(bytes).utf8
            } else if let text = packet.text {
                body += text.utf8
            }
        }
        return body
    }
}
