/// A codec that we can speak. Its raw value is the encoding name of SDP.
package enum MediaCodec: String, Hashable, Sendable {
    case vp8 = "VP8"
    /// Constrained baseline, in packetization mode 1 ([RFC 6184](https://www.rfc-editor.org/rfc/rfc6184)).
    case h264 = "H264"
    case opus = "opus"

    package var kind: MediaKind {
        switch self {
        case .vp8, .h264: .video
        case .opus: .audio
        }
    }
}
