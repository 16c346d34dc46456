internal import Core
internal import PeerConnection

/// Makes VP8 of a camera's H.264: decodes once and encodes once, whatever the number of viewers. Owned by the camera's thread.
///
/// Pictures wait in a queue, and ``work()`` takes one at a time, so that the thread looks after what is urgent between two of them.
/// While nobody watches in VP8 there is no decoder and no encoder.
struct CameraTranscoder: ~Copyable {
    /// A picture that was encoded.
    struct Output {
        var frame: VP8Encoder.EncodedFrame
        var picture: CameraPicture
        /// It was there before anybody wanted it.
        var isCatchUp: Bool
    }

    private struct Waiting {
        var picture: CameraPicture
        var isCatchUp: Bool
    }

    /// A picture is encoded only if fewer newer ones wait: whoever watches wants the newest.
    static let encodedWaiting = 2
    /// Pictures that may wait for the decoder: a whole group to catch up with, and as many that come meanwhile.
    static let maximumWaiting = 2 * PictureGroup.maximumPictures
    /// Key frames that viewers ask for are no closer together than this.
    static let keyFrameInterval: Duration = .seconds(1)
    /// What the encoder's rate control counts with; the pictures' own times are told it one by one.
    private static let nominalFramesPerSecond = 30
    /// Ticks of the 90 kHz clock that one picture may be said to last.
    private static let pictureTicks: ClosedRange<Int64> = 900...90_000

    private(set) var counts = CameraStatistics.Transcoding()
    /// Of the picture as the robot sends it.
    private(set) var pictureSize: H264Decoder.PictureSize?

    private let configuration: CameraStageConfiguration
    private let metrics: CameraMetrics
    private var decoder: H264Decoder?
    private var encoder: VP8Encoder?
    private var encodedSize: H264Decoder.PictureSize?
    private var picture: I420Picture?
    private var waiting: [Waiting] = []
    private var firstWaiting = 0
    /// The decoder's chain is broken, or has not begun.
    private var awaitsKeyFrame = true
    private var decodedEpoch: UInt32?
    private var isKeyFrameWanted = false
    private var lastKeyFrame: Instant?
    private var lastTimestamp: UInt32?

    init(configuration: CameraStageConfiguration, metrics: CameraMetrics) {
        self.configuration = configuration
        self.metrics = metrics
    }

    var isRunning: Bool { counts.isRunning }
    var hasWork: Bool { firstWaiting < waiting.count }

    /// Begins with the pictures since the last key frame, if there are any; they are decoded, and the newest is shown.
    mutating func start(with group: [CameraPicture]) {
        guard !isRunning else { return }
        counts.isRunning = true
        waiting = group.map { Waiting(picture: $0, isCatchUp: true) }
        firstWaiting = 0
        awaitsKeyFrame = group.isEmpty
    }

    /// Lets go of everything.
    mutating func stop() {
        counts.isRunning = false
        waiting.removeAll()
        firstWaiting = 0
        awaitsKeyFrame = true
        decoder = nil
        encoder = nil
        encodedSize = nil
        picture = nil
        isKeyFrameWanted = false
        lastKeyFrame = nil
        lastTimestamp = nil
    }

    /// The next picture is to be a key frame.
    mutating func requestKeyFrame() {
        isKeyFrameWanted = true
    }

    mutating func add(_ picture: CameraPicture) {
        guard isRunning else { return }
        if picture.unit.isKeyFrame { awaitsKeyFrame = false }
        guard !awaitsKeyFrame else {
            drop(1)
            return
        }
        if waiting.count - firstWaiting >= Self.maximumWaiting {
            // Far behind: go on with the newest picture that can be decoded by itself.
            drop(waiting.count - firstWaiting)
            waiting.removeAll()
            firstWaiting = 0
            guard picture.unit.isKeyFrame else {
                drop(1)
                awaitsKeyFrame = true
                return
            }
        }
        waiting.append(Waiting(picture: picture, isCatchUp: false))
    }

    /// Decodes the oldest picture that waits, and encodes it if it is still worth it.
    mutating func work(now: Instant) throws(CodecError) -> Output? {
        guard hasWork else { return nil }
        let next = waiting[firstWaiting]
        firstWaiting += 1
        if firstWaiting == waiting.count {
            waiting.removeAll(keepingCapacity: waiting.capacity <= PictureGroup.maximumPictures)
            firstWaiting = 0
        }
        guard try decode(next.picture) else { return nil }
        let newer = waiting.count - firstWaiting
        if next.isCatchUp { return newer == 0 ? try encode(next, now) : nil }
        guard newer < Self.encodedWaiting else {
            counts.skippedPictures &+= 1
            metrics.skipped.increment()
            return nil
        }
        return try encode(next, now)
    }

    private mutating func drop(_ count: Int) {
        counts.droppedPictures &+= UInt64(count)
        metrics.dropped.increment(by: UInt64(count))
    }

    // MARK: Codecs

    /// True where there is a picture to show.
    private mutating func decode(_ picture: CameraPicture) throws(CodecError) -> Bool {
        // A stream that began anew owes nothing to what the decoder remembers.
        if decodedEpoch != picture.epoch { decoder = nil }
        decodedEpoch = picture.epoch
        if decoder == nil { decoder = try H264Decoder() }
        let start = SystemClock.now()
        do throws(CodecError) {
            let size = try decoder?.decode(picture.unit.nalUnits)
            metrics.decodeSeconds.observe((SystemClock.now() - start).seconds)
            counts.decodedPictures &+= 1
            guard let size else { return false }
            pictureSize = size
            return true
        } catch {
            counts.corruptPictures &+= 1
            metrics.corrupt.increment()
            return false
        }
    }

    private mutating func encode(_ waiting: Waiting, _ now: Instant) throws(CodecError) -> Output? {
        let start = SystemClock.now()
        do throws(CodecError) {
            let size = try decoder?.draw(
                into: &picture,
                limit: H264Decoder.PictureSize(
                    width: configuration.maximumWidth, height: configuration.maximumHeight))
            guard let size, let frame = try encodePicture(of: size, at: waiting.picture.rtpTimestamp, now) else {
                return nil
            }
            metrics.encodeSeconds.observe((SystemClock.now() - start).seconds)
            counts.encodedPictures &+= 1
            if frame.isKeyFrame { counts.keyFrames &+= 1 }
            return Output(frame: frame, picture: waiting.picture, isCatchUp: waiting.isCatchUp)
        } catch {
            counts.encoderFailures &+= 1
            // Its state is in doubt; the next one begins with a key frame.
            encoder = nil
            encodedSize = nil
            throw error
        }
    }

    /// Encodes ``picture``, with another encoder where it has another size than the one before.
    private mutating func encodePicture(
        of size: H264Decoder.PictureSize, at timestamp: UInt32, _ now: Instant
    ) throws(CodecError) -> VP8Encoder.EncodedFrame? {
        guard picture != nil else { return nil }
        if encodedSize != size {
            var settings = VP8Encoder.Configuration(
                width: size.width, height: size.height, framesPerSecond: Self.nominalFramesPerSecond,
                bitRate: configuration.videoBitRate)
            settings.ticksPerSecond = Int(MediaKind.video.clockRateHz)
            encoder = try VP8Encoder(settings)
            encodedSize = size
            lastKeyFrame = nil
        }
        let isAllowed = lastKeyFrame.map { now - $0 >= Self.keyFrameInterval } ?? true
        let passed = lastTimestamp.map { Int64(timestamp &- $0) } ?? 90_000 / Int64(Self.nominalFramesPerSecond)
        let ticks = min(max(passed, Self.pictureTicks.lowerBound), Self.pictureTicks.upperBound)
        let frame = try encoder?.encode(picture!, forceKeyFrame: isKeyFrameWanted && isAllowed, ticks: ticks)
        lastTimestamp = timestamp
        if frame?.isKeyFrame == true {
            isKeyFrameWanted = false
            lastKeyFrame = now
        }
        return frame
    }
}
