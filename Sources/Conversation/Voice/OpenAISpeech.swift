internal import Core
internal import MediaPipeline

/// Turns the body of `/audio/speech`, as it arrives, into sound of 48 kHz; does no I/O.
///
/// Raw PCM as asked for, or a WAV file, which says its own rate. The first part is short, so that speech begins at once.
struct SpeechSoundReader: Sendable {
    /// Samples of the first part: 100 ms.
    static let firstPartSamples = OpusFormat.sampleRateHz / 10
    /// Of every further part: 400 ms.
    static let partSamples = OpusFormat.sampleRateHz * 2 / 5
    /// Of one sentence: two minutes.
    static let maximumSamples = OpusFormat.sampleRateHz * 120
    /// Of a voice, in samples a second.
    private static let rates = 8_000...48_000
    /// Media types that are none of ours, by how they begin.
    private static let encodings: [(magic: String, name: String)] = [
        ("ID3", "MP3"), ("OggS", "Ogg"), ("fLaC", "FLAC"), ("<!DO", "HTML"), ("<htm", "HTML"), ("<HTM", "HTML"),
        ("{\"", "JSON"),
    ]
    private static let mediaTypes: Set<String> = [
        "audio/pcm", "audio/x-pcm", "audio/raw", "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave",
        "application/octet-stream", "binary/octet-stream",
    ]

    private let mediaType: String?
    private let rawLayout: PCMLayout
    /// Bytes before the layout is known; then the beginning of a frame whose rest is to come.
    private var held: [UInt8] = []
    private var layout: PCMLayout?
    private var converter: VoiceResampler?
    private var sound: [Int16] = []
    private var producedSamples = 0
    private var isFirst = true

    /// - Parameters:
    ///   - mediaType: of the answer; nil where it does not say.
    ///   - rawRateHz: of raw PCM.
    init(mediaType: String?, rawRateHz: Int) {
        self.mediaType = mediaType
        rawLayout = PCMLayout(sampleRateHz: rawRateHz, channels: 1)
    }

    /// The parts that the next bytes complete.
    mutating func append(_ bytes: [UInt8]) throws(ServiceAnswerFault) -> [[Int16]] {
        held += bytes
        if layout == nil { try findLayout(isLast: false) }
        try convert()
        return cut(isLast: false)
    }

    /// The rest, once the answer has ended.
    mutating func finish() throws(ServiceAnswerFault) -> [[Int16]] {
        if layout == nil { try findLayout(isLast: true) }
        try convert()
        if var converter {
            sound += converter.finish()
            self.converter = nil
        }
        let parts = cut(isLast: true)
        guard producedSamples > 0 else { throw .malformed("the answer holds no sound") }
        return parts
    }

    private mutating func findLayout(isLast: Bool) throws(ServiceAnswerFault) {
        if let mediaType, !Self.mediaTypes.contains(mediaType) {
            let type = ServiceExcerpt.clean(Array(mediaType.utf8))
            let isText = mediaType.hasPrefix("text/") || mediaType.hasSuffix("json")
            let detail = isText ? ServiceExcerpt.errorMessage(held) ?? ServiceExcerpt.clean(held) : ""
            throw .malformed("the answer is \(type), neither PCM nor WAV" + (detail.isEmpty ? "" : ": \(detail)"))
        }
        let found: PCMLayout
        switch WAVHeader.find(in: held) {
        case .incomplete:
            guard isLast else { return }
            throw .malformed(held.isEmpty ? "the answer holds no sound" : "the answer ended within its header")
        case .unusable(let reason): throw .malformed("the answer is \(reason)")
        case .found(let layout, let offset):
            held.removeFirst(offset)
            found = layout
        case .absent:
            guard held.count >= 4 || isLast else { return }
            if let known = Self.encodings.first(where: { held.starts(with: $0.magic.utf8) }) {
                throw .malformed("the answer is \(known.name), neither PCM nor WAV")
            }
            found = rawLayout
        }
        guard 1...2 ~= found.channels, Self.rates.contains(found.sampleRateHz),
            let converter = VoiceResampler(from: found.sampleRateHz)
        else {
            throw .malformed("the answer is sound of \(found.channels) channels at \(found.sampleRateHz) Hz")
        }
        layout = found
        self.converter = converter
    }

    /// Converts the whole frames that are held.
    private mutating func convert() throws(ServiceAnswerFault) {
        guard let layout, converter != nil else { return }
        let size = 2 * layout.channels
        let count = held.count / size
        guard count > 0 else { return }
        var samples: [Int16] = []
        samples.reserveCapacity(count)
        for frame in 0..<count {
            var sum = 0
            for channel in 0..<layout.channels {
                let offset = frame * size + channel * 2
                sum += Int(Int16(truncatingIfNeeded: Int(held[offset]) | Int(held[offset + 1]) << 8))
            }
            samples.append(Int16(truncatingIfNeeded: sum / layout.channels))
        }
        held.removeFirst(count * size)
        sound += converter?.convert(samples) ?? []
        guard producedSamples + sound.count <= Self.maximumSamples else {
            throw .malformed("the answer to one sentence is longer than two minutes")
        }
    }

    private mutating func cut(isLast: Bool) -> [[Int16]] {
        var parts: [[Int16]] = []
        var start = 0
        while true {
            let size = isFirst ? Self.firstPartSamples : Self.partSamples
            let left = sound.count - start
            guard left >= size || (isLast && left > 0) else { break }
            let count = min(size, left)
            parts.append(Array(sound[start..<(start + count)]))
            start += count
            isFirst = false
        }
        sound.removeFirst(start)
        producedSamples += start
        return parts
    }
}
