internal import Core
internal import PeerConnection

/// The frames since the last key frame: what a joiner needs to have a picture at once.
///
/// Bounded in frames and bytes. Past either bound it is of no use to a joiner any more, and a key frame has to be asked for.
struct GroupOfPictures {
    /// A second of picture at up to 60 frames.
    static let maximumFrames = 60
    /// What a joiner may be sent at once.
    static let maximumBytes = 512 * 1024
    /// Ticks of the 90 kHz clock between two frames of a catch-up: they all lie before the next live frame.
    private static let catchUpStep: UInt32 = 8

    private var frames: [MediaFrame] = []
    private var byteCount = 0
    private var hasOverflowed = false

    /// True where a decoder can start with what is held.
    var isDecodable: Bool { !hasOverflowed && frames.first?.payloads.isKeyFrame == true }
    var lastFrame: MediaFrame? { frames.last }

    mutating func append(_ frame: MediaFrame) {
        if frame.payloads.isKeyFrame {
            frames.removeAll(keepingCapacity: true)
            byteCount = 0
            hasOverflowed = false
        }
        guard !hasOverflowed else { return }
        byteCount += frame.payloads.storage.count
        guard frames.count < Self.maximumFrames, byteCount <= Self.maximumBytes else {
            hasOverflowed = true
            frames.removeAll(keepingCapacity: true)
            return
        }
        frames.append(frame)
    }

    /// The frames for a joiner, restamped to lie within a fraction of a frame right after the last one sent:
    /// the decoder runs through them and shows the newest.
    func catchUp() -> [MediaFrame] {
        guard isDecodable, let last = frames.last else { return [] }
        return frames.enumerated().map { index, frame in
            MediaFrame(
                kind: frame.kind, payloads: frame.payloads,
                rtpTimestamp: last.rtpTimestamp &+ UInt32(index + 1) &* Self.catchUpStep,
                presentationTime: last.presentationTime, epoch: frame.epoch, capturedAt: frame.capturedAt)
        }
    }
}
