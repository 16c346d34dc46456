/// Cuts encoded VP8 frames into RTP payloads of equal size.
///
/// Each payload begins with the one-byte descriptor; no PictureID, so the same bytes serve every viewer and every replay:
/// ```
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// |X|R|N|S|R| PID |   X = 0: no extension; N = 0: may be a reference; PID = 0
/// +-+-+-+-+-+-+-+-+   S = 1 in the first payload of a frame only
/// ```
/// - SeeAlso: [RFC 7741 §4.2](https://www.rfc-editor.org/rfc/rfc7741#section-4.2)
package enum VP8Packetizer {
    /// Bytes: with RTP header, extensions, SRTP tag, ChannelData, UDP and IPv6 headers it stays below 1,200, which every path carries.
    package static let defaultMaximumPayload = 1100

    private static let startOfPartition: UInt8 = 0x10

    package static func packetize(
        frame: Span<UInt8>, isKeyFrame: Bool, maximumPayload: Int = defaultMaximumPayload
    ) -> PacketizedPayloads {
        let room = max(maximumPayload - 1, 1)
        let packets = (frame.count + room - 1) / room
        guard packets > 0 else { return PacketizedPayloads(storage: [], payloadSize: 1, isKeyFrame: isKeyFrame) }
        let share = (frame.count + packets - 1) / packets
        var storage: [UInt8] = []
        storage.reserveCapacity(frame.count + packets)
        var start = 0
        while start < frame.count {
            storage.append(start == 0 ? startOfPartition : 0)
            let part = frame.extracting(start..<min(start + share, frame.count))
            unsafe part.withUnsafeBufferPointer { unsafe storage.append(contentsOf: $0) }
            start += share
        }
        return PacketizedPayloads(storage: storage, payloadSize: share + 1, isKeyFrame: isKeyFrame)
    }

    package static func packetize(
        frame: [UInt8], isKeyFrame: Bool, maximumPayload: Int = defaultMaximumPayload
    ) -> PacketizedPayloads {
        packetize(frame: frame.span, isKeyFrame: isKeyFrame, maximumPayload: maximumPayload)
    }
}
