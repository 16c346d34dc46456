import PeerConnection
import Testing

// `#expect` cannot capture a Span, so tests hand their packets over as arrays.

extension RTPPacket {
    init(_ bytes: [UInt8]) throws(RTPParseError) {
        try self.init(bytes.span)
    }

    static func isRTCP(_ bytes: [UInt8]) -> Bool { isRTCP(bytes.span) }

    func rangeOfExtension(_ id: UInt8, in bytes: [UInt8]) -> Range<Int>? { rangeOfExtension(id, in: bytes.span) }

    func mid(_ ids: RTPHeaderExtensionIDs, in bytes: [UInt8]) -> String? { mid(ids, in: bytes.span) }

    func transportSequenceNumber(_ ids: RTPHeaderExtensionIDs, in bytes: [UInt8]) -> UInt16? {
        transportSequenceNumber(ids, in: bytes.span)
    }

    func absoluteSendTime(_ ids: RTPHeaderExtensionIDs, in bytes: [UInt8]) -> UInt32? {
        absoluteSendTime(ids, in: bytes.span)
    }
}

extension RTCPPacket {
    static func parse(_ bytes: [UInt8]) throws(RTCPParseError) -> [RTCPPacket] { try parse(bytes.span) }
}

/// `#require` for values of mutating calls, which the macro cannot make.
func required<Value>(_ value: Value?) throws -> Value {
    try #require(value)
}
