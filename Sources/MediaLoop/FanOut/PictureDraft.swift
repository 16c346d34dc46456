internal import PeerConnection

/// The frames of a picture whose last one has yet to come.
struct PictureDraft {
    /// What a frame does to the picture.
    enum Outcome {
        case waiting
        case whole([MediaFrame])
        /// It is dropped, and what follows has nothing to refer to.
        case tooLarge
    }

    /// Frames of one picture.
    static let maximumFrames = 256
    /// Bytes of one picture: with the packets' headers it fits into an empty send batch.
    static let maximumBytes = 896 << 10

    private var frames: [MediaFrame] = []
    private var byteCount = 0

    mutating func append(_ frame: MediaFrame) -> Outcome {
        // A picture that was never ended is not continued by another one.
        if let first = frames.first, first.rtpTimestamp != frame.rtpTimestamp || first.epoch != frame.epoch { clear() }
        byteCount += frame.payloads.storage.count
        frames.append(frame)
        guard frames.count <= Self.maximumFrames, byteCount <= Self.maximumBytes else {
            clear()
            return .tooLarge
        }
        guard frame.endsPicture else { return .waiting }
        defer { clear() }
        return .whole(frames)
    }

    private mutating func clear() {
        frames = []
        byteCount = 0
    }
}
