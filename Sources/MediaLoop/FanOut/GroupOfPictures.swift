internal import Core
internal import PeerConnection

/// The pictures of one codec since the last key frame: what a joiner needs to have a picture at once.
///
/// Bounded in pictures and bytes. Past either bound it is of no use to a joiner any more, and a key frame has to be asked for.
struct GroupOfPictures {
    /// How much of a codec is held.
    struct Bounds: Hashable {
        let pictures: Int
        /// What a joiner may be sent at once.
        let bytes: Int

        /// Ours ask for a key frame where they need one: a second of picture at up to 60 frames.
        static let encodedByUs = Bounds(pictures: 60, bytes: 512 << 10)
        /// A camera's key frames come when they come, every 2.1 s of a Go2's 25 to 30 frames a second, and cannot be asked for:
        /// room for 5 s, and for 2.1 s of 4 Mbit/s. Past that a joiner waits for the next one.
        static let passedThrough = Bounds(pictures: 150, bytes: 1 << 20)

        init(pictures: Int, bytes: Int) {
            self.pictures = pictures
            self.bytes = bytes
        }

        init(_ codec: MediaCodec) {
            self = codec == .h264 ? .passedThrough : .encodedByUs
        }
    }

    /// Ticks of the 90 kHz clock between two pictures of a catch-up: they all lie before the next live picture.
    private static let catchUpStep: UInt32 = 8

    let bounds: Bounds
    private var frames: [MediaFrame] = []
    private var pictureCount = 0
    private var byteCount = 0
    private var hasOverflowed = false

    init(_ codec: MediaCodec) {
        bounds = Bounds(codec)
    }

    /// True where a decoder can start with what is held.
    var isDecodable: Bool { !hasOverflowed && frames.first?.payloads.isKeyFrame == true }

    /// Takes the frames of one picture.
    mutating func append(_ picture: [MediaFrame]) {
        if picture.first?.payloads.isKeyFrame == true {
            frames.removeAll(keepingCapacity: true)
            pictureCount = 0
            byteCount = 0
            hasOverflowed = false
        }
        guard !hasOverflowed else { return }
        pictureCount += 1
        byteCount += picture.reduce(0) { $0 + $1.payloads.storage.count }
        guard pictureCount <= bounds.pictures, byteCount <= bounds.bytes else {
            hasOverflowed = true
            frames.removeAll(keepingCapacity: true)
            return
        }
        frames += picture
    }

    /// The frames for a joiner, restamped to lie within a fraction of a frame right after the last one sent:
    /// the decoder runs through them and shows the newest.
    func catchUp() -> [MediaFrame] {
        guard isDecodable, let last = frames.last else { return [] }
        var picture: UInt32 = 1
        return frames.map { frame in
            let timestamp = last.rtpTimestamp &+ picture &* Self.catchUpStep
            if frame.endsPicture { picture &+= 1 }
            return MediaFrame(
                codec: frame.codec, payloads: frame.payloads, rtpTimestamp: timestamp,
                presentationTime: last.presentationTime, epoch: frame.epoch, capturedAt: frame.capturedAt,
                endsPicture: frame.endsPicture)
        }
    }
}
