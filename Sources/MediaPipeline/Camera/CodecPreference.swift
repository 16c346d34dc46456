package import PeerConnection

/// Which codec the next viewer of a camera is offered first.
///
/// What a viewer costs us is its packets: each is encrypted and sent by itself, and that costs the same whatever is in it. Pass-through
/// of the robot's H.264 costs nothing else. VP8 costs a decoder and an encoder besides, many hundred viewers' worth of packets, but
/// only once for all its viewers. Therefore:
/// - While nobody watches in VP8, H.264 comes first.
/// - While VP8 is being made anyway, the codec with fewer packets a second comes first. VP8 has to win by a fifth: it is the second
///   loss on the way, and it comes some milliseconds later.
/// - Before both rates are known, H.264 comes first.
///
/// It is a preference only: a viewer who cannot decode H.264 negotiates VP8, and one who cannot decode VP8 gets H.264.
package enum CodecPreference {
    /// VP8's share of H.264's packets a second below which it is chosen.
    static let advantage = 0.8

    package static func order(vp8Viewers: Int, h264: StreamRate, vp8: StreamRate) -> [MediaCodec] {
        guard vp8Viewers > 0, h264.packetsPerSecond > 0, vp8.packetsPerSecond > 0,
            vp8.packetsPerSecond < advantage * h264.packetsPerSecond
        else { return [.h264, .vp8] }
        return [.vp8, .h264]
    }
}
