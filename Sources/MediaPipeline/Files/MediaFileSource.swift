internal import CFFmpeg
internal import Core

/// A media file, played for ever: picture and sound are looked up by their time in the file, so they cannot drift.
final class MediaFileSource: PictureSource {
    private let path: String
    private let pictures: FilePictures?
    private let sounds: FileSounds?
    /// The file's length in samples: both streams begin anew at the same time.
    private let loopSamples: Int64

    init(path: String, width: Int, height: Int, framesPerSecond: Int) throws(StageError) {
        let remedy = "check the path; `ffprobe \(path)` tells what FFmpeg makes of the file"
        do throws(SourceError) {
            let pictureReader = try MediaDemuxer(path: path, kind: .picture)
            let soundReader = try MediaDemuxer(path: path, kind: .sound)
            guard let duration = pictureReader?.duration ?? soundReader?.duration else {
                throw SourceError(reason: "\(path) has neither picture nor sound")
            }
            guard duration >= 0.04 else { throw SourceError(reason: "\(path) does not tell its length") }
            pictures = pictureReader.map {
                FilePictures($0, width: width, height: height, framesPerSecond: framesPerSecond)
            }
            sounds = soundReader.map(FileSounds.init)
            loopSamples = Int64(min(duration, MediaDemuxer.latestTime) * Double(OpusFormat.sampleRateHz))
            self.path = path
        } catch {
            throw StageError(code: .sourceUnavailable, reason: error.reason, remedy: remedy)
        }
    }

    var hasSound: Bool { true }
    var wantsSound: Bool { false }

    func draw(_ moment: PictureMoment, into picture: borrowing I420Picture) throws(SourceError) {
        guard let pictures else { return }
        let sample = Self.sample(at: moment.sourceTime)
        let (round, rest) = sample.quotientAndRemainder(dividingBy: loopSamples)
        try pictures.advance(toRound: round, seconds: Double(rest) / Double(OpusFormat.sampleRateHz))
        picture.copy(from: pictures.current)
    }

    func sound(at sourceTime: Duration) throws(SourceError) -> [Int16] {
        var position = Self.sample(at: sourceTime)
        var packet: [Int16] = []
        packet.reserveCapacity(OpusFormat.samplesPerPacket)
        while packet.count < OpusFormat.samplesPerPacket {
            let (round, rest) = position.quotientAndRemainder(dividingBy: loopSamples)
            let count = min(OpusFormat.samplesPerPacket - packet.count, Int(clamping: loopSamples - rest))
            if let sounds {
                packet += try sounds.samples(inRound: round, from: rest, count: count)
            } else {
                packet += [Int16](repeating: 0, count: count)
            }
            position += Int64(count)
        }
        return packet
    }

    private static func sample(at time: Duration) -> Int64 {
        // Rounded to the nearest sample: packets are whole numbers of samples apart.
        (time.nanoseconds / 1000 * Int64(OpusFormat.sampleRateHz) + 500_000) / 1_000_000
    }
}

/// The pictures of a file at the times they are asked for, in rising order.
private final class FilePictures {
    private let reader: MediaDemuxer
    private var scaler = PictureScaler()
    /// The picture that is being shown, and the one after it with its time.
    let current: I420Picture
    private let following: I420Picture
    private var followingTime: Double?
    /// Half a frame of the stage, in seconds: each picture is shown at the tick that is nearest to its time.
    private let tolerance: Double
    private var round: Int64 = 0

    init(_ reader: MediaDemuxer, width: Int, height: Int, framesPerSecond: Int) {
        self.reader = reader
        tolerance = 0.5 / Double(framesPerSecond)
        current = I420Picture(width: width, height: height)
        following = I420Picture(width: width, height: height)
        followingTime = -1
    }

    func advance(toRound wanted: Int64, seconds: Double) throws(SourceError) {
        if wanted != round {
            try reader.rewind()
            round = wanted
            followingTime = -1
        }
        while let time = followingTime, time <= seconds + tolerance {
            if time >= 0 { current.copy(from: following) }
            let read = try unsafe reader.next { frame, time in unsafe (scale(frame), max(0, time)) }
            if let read, !read.0 { throw SourceError(reason: "the file's pictures cannot be converted") }
            followingTime = read?.1
        }
    }

    private func scale(_ frame: UnsafeMutablePointer<AVFrame>) -> Bool {
        unsafe scaler.scale(frame, into: following)
    }
}

/// The samples of a file at the positions they are asked for, in rising order.
private final class FileSounds {
    private let reader: MediaDemuxer
    private var converter = SoundConverter()
    private var buffer: [Int16] = []
    /// The position in the file of the buffer's first sample; nil until the first frame after a rewind tells.
    private var bufferStart: Int64?
    private var isAtEnd = false
    private var round: Int64 = 0

    init(_ reader: MediaDemuxer) {
        self.reader = reader
    }

    func samples(inRound wanted: Int64, from start: Int64, count: Int) throws(SourceError) -> [Int16] {
        if wanted != round {
            try reader.rewind()
            converter.reset()
            buffer.removeAll()
            bufferStart = nil
            isAtEnd = false
            round = wanted
        }
        let end = start + Int64(count)
        while !isAtEnd, bufferStart.map({ $0 + Int64(buffer.count) < end }) ?? true { try readMore(dropBefore: start) }
        guard let bufferStart else { return [Int16](repeating: 0, count: count) }
        // What lies before the first or after the last sample of the file is silence.
        return (0..<count).map { offset in
            let index = start + Int64(offset) - bufferStart
            return index >= 0 && index < Int64(buffer.count) ? buffer[Int(index)] : 0
        }
    }

    private func readMore(dropBefore start: Int64) throws(SourceError) {
        let read = try unsafe reader.next { frame, time in
            unsafe (convert(frame), Int64((time * Double(OpusFormat.sampleRateHz)).rounded()))
        }
        guard let (samples, position) = read else {
            isAtEnd = true
            return
        }
        if let known = bufferStart {
            let drop = min(max(0, start - known), Int64(buffer.count))
            if drop > 0 {
                buffer.removeFirst(Int(drop))
                bufferStart = known + drop
            }
        } else {
            bufferStart = position
        }
        buffer += samples
    }

    private func convert(_ frame: UnsafeMutablePointer<AVFrame>) -> [Int16] {
        unsafe converter.convert(frame) ?? []
    }
}
