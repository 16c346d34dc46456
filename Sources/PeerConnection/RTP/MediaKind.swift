/// What an RTP stream carries.
package enum MediaKind: Hashable, Sendable {
    case audio
    case video

    /// The RTP clock rate of what we send: 48 kHz for Opus (RFC 7587 §4.1), 90 kHz for VP8 (RFC 7741 §4.1).
    package var clockRateHz: UInt32 {
        switch self {
        case .audio: 48_000
        case .video: 90_000
        }
    }
}
