/// What an Opus packet says of itself before it is decoded: how much time it holds.
///
/// ```
///  0 1 2 3 4 5 6 7        0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+      +-+-+-+-+-+-+-+-+
/// | config  |s| c |      |v|p|     M     |  the second byte only where c is 3
/// +-+-+-+-+-+-+-+-+      +-+-+-+-+-+-+-+-+
/// ```
/// - SeeAlso: [RFC 6716 §3.1](https://www.rfc-editor.org/rfc/rfc6716#section-3.1)
package struct OpusPacketHeader: Equatable, Sendable {
    /// 120 ms at 48 kHz, the most that one packet may hold.
    package static let maximumSamples = 5760
    /// 2.5 ms at 48 kHz, the smallest frame: lost time is concealed in multiples of it.
    package static let quantum = 120

    /// At 48 kHz; 120...5760.
    package let samples: Int

    /// Nil where the bytes are no Opus packet.
    package init?(_ packet: [UInt8]) {
        guard let first = packet.first else { return nil }
        let configuration = Int(first >> 3)
        let frame =
            switch configuration {
            case 0..<12: [480, 960, 1920, 2880][configuration & 3]
            case 12..<16: [480, 960][configuration & 1]
            default: [120, 240, 480, 960][configuration & 3]
            }
        let frames: Int
        switch first & 3 {
        case 0: frames = 1
        case 1, 2: frames = 2
        default:
            guard packet.count >= 2 else { return nil }
            frames = Int(packet[1] & 0x3F)
        }
        guard frames > 0, frame * frames <= Self.maximumSamples else { return nil }
        samples = frame * frames
    }
}
