internal import Core

/// Why bytes are no RTP packet.
package enum RTPParseError: Error, Equatable {
    case truncated
    /// The version field is not 2.
    case version(UInt8)
    /// The padding count is zero or longer than the payload.
    case padding
}

/// The header of an RTP packet and where its parts lie in the bytes it was read from.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                           timestamp                           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                             SSRC                              |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | CSRCs, 4 bytes each · if X: profile (16), length in words (16), extension · payload · if P: padding |
/// ```
/// - SeeAlso: [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1)
package struct RTPPacket: Equatable, Sendable {
    /// Bytes of the header without CSRCs and extension.
    package static let fixedHeaderLength = 12

    package let marker: Bool
    package let payloadType: UInt8
    package let sequenceNumber: UInt16
    package let timestamp: UInt32
    package let ssrc: SSRC
    /// The header extension's `defined by profile` field; nil without an extension.
    package let extensionProfile: UInt16?
    /// Where the extension's elements lie; empty without an extension.
    package let extensionRange: Range<Int>
    /// Where the payload lies, padding excluded.
    package let payloadRange: Range<Int>

    /// Bytes before the payload: what SRTP leaves in the clear.
    package var headerLength: Int { payloadRange.lowerBound }

    package init(_ bytes: Span<UInt8>) throws(RTPParseError) {
        var reader = ByteReader(bytes)
        guard let first = reader.readUInt8(), let second = reader.readUInt8(), let sequence = reader.readUInt16(),
            let timestamp = reader.readUInt32(), let source = reader.readUInt32()
        else { throw .truncated }
        guard first >> 6 == 2 else { throw .version(first >> 6) }
        guard reader.skip(Int(first & 0x0F) * 4) else { throw .truncated }
        var profile: UInt16?
        var elements = reader.offset..<reader.offset
        if first & 0x10 != 0 {
            guard let definedByProfile = reader.readUInt16(), let words = reader.readUInt16() else { throw .truncated }
            let start = reader.offset
            guard reader.skip(Int(words) * 4) else { throw .truncated }
            profile = definedByProfile
            elements = start..<reader.offset
        }
        var end = bytes.count
        if first & 0x20 != 0 {
            guard reader.remaining > 0 else { throw .padding }
            let padding = Int(bytes[end - 1])
            guard padding > 0, padding <= reader.remaining else { throw .padding }
            end -= padding
        }
        marker = second & 0x80 != 0
        payloadType = second & 0x7F
        sequenceNumber = sequence
        self.timestamp = timestamp
        ssrc = SSRC(source)
        extensionProfile = profile
        extensionRange = elements
        payloadRange = reader.offset..<end
    }

    /// True where a datagram that starts like RTP (first byte 128…191) is RTCP in truth.
    /// - SeeAlso: [RFC 5761 §4](https://www.rfc-editor.org/rfc/rfc5761#section-4)
    package static func isRTCP(_ bytes: Span<UInt8>) -> Bool {
        bytes.count >= 2 && bytes[0] >> 6 == 2 && (192...223).contains(bytes[1])
    }
}

extension UInt16 {
    /// True where this sequence number comes after `other`, the numbers being a circle.
    package func isNewer(than other: UInt16) -> Bool {
        let distance = self &- other
        return distance != 0 && distance < 0x8000
    }
}
