internal import Core

/// The four-byte envelope that a bound channel puts around a payload.
///
/// ```
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   Channel Number 0x4000-4FFF  |            Length             |
/// |                   Application Data ...                        |
/// ```
/// On UDP bytes beyond the length are ignored; on TCP the whole is padded to a multiple of four.
/// - SeeAlso: [RFC 8656 §12.4](https://www.rfc-editor.org/rfc/rfc8656#section-12.4)
package struct ChannelData: Equatable, Sendable {
    package static let headerByteCount = 4
    /// RFC 8656 §12: 0x5000-0xFFFF are reserved.
    package static let channels: ClosedRange<UInt16> = 0x4000...0x4FFF

    package var channel: UInt16
    /// Where the payload lies in the bytes that were parsed.
    package var payload: Range<Int>

    /// Nil where the bytes are no ChannelData message or end before its payload does.
    package init?(_ bytes: Span<UInt8>) {
        guard bytes.count >= Self.headerByteCount, Self.channels.contains(bytes.uint16(at: 0)) else { return nil }
        let length = Int(bytes.uint16(at: 2))
        guard bytes.count - Self.headerByteCount >= length else { return nil }
        channel = bytes.uint16(at: 0)
        payload = Self.headerByteCount..<(Self.headerByteCount + length)
    }

    /// The header as one big-endian word; a length beyond 65,535 is clamped (no datagram is that long).
    package static func header(channel: UInt16, length: Int) -> UInt32 {
        UInt32(channel) << 16 | UInt32(UInt16(clamping: length))
    }

    /// The header's four bytes.
    package static func encodedHeader(channel: UInt16, length: Int) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: headerByteCount)
        writer.write(header(channel: channel, length: length))
        return writer.bytes
    }
}
