/// Why a recording cannot be heard.
package struct RecordedSoundError: Error, Equatable, Sendable {
    package enum Code: Sendable {
        case empty, tooLarge, tooLong, unreadable
    }
    package let code: Code
    /// In words for a person.
    package let reason: String
}

/// The sound of an audio file that somebody sent: WAV, Ogg, WebM, MP3, MP4, FLAC, as FFmpeg reads them. The bytes may be hostile.
package struct RecordedSound: Equatable, Sendable {
    package static let maximumBytes = 10 << 20
    package static let maximumSeconds = 120
    /// What a sender may mean by an audio file; FFmpeg knows some hundred formats more, playlists among them.
    private static let formats = "wav,ogg,matroska,webm,mp3,mov,mp4,m4a,flac,aac,aiff,au"

    /// One channel.
    package let samples: [Int16]
    package let sampleRateHz: Int

    /// Decodes a whole file, which takes a few milliseconds a second of sound; do it on no media thread.
    /// - Parameter sampleRateHz: of the result: 16,000 for a recogniser, 48,000 for a stage.
    package init(_ bytes: [UInt8], sampleRateHz: Int) throws(RecordedSoundError) {
        guard !bytes.isEmpty else { throw RecordedSoundError(code: .empty, reason: "the recording is empty") }
        guard bytes.count <= Self.maximumBytes else {
            throw RecordedSoundError(
                code: .tooLarge,
                reason: "the recording has \(bytes.count) bytes, more than the limit of \(Self.maximumBytes)")
        }
        do throws(SourceError) {
            samples = try Self.decode(bytes, sampleRateHz)
        } catch {
            throw RecordedSoundError(code: .unreadable, reason: error.reason)
        }
        guard !samples.isEmpty else {
            throw RecordedSoundError(code: .unreadable, reason: "the recording holds no sound")
        }
        guard samples.count <= Self.maximumSeconds * sampleRateHz else {
            throw RecordedSoundError(
                code: .tooLong, reason: "the recording is longer than \(Self.maximumSeconds) s")
        }
        self.sampleRateHz = sampleRateHz
    }

    /// One packet more than the limit at most.
    private static func decode(_ bytes: [UInt8], _ sampleRateHz: Int) throws(SourceError) -> [Int16] {
        guard let file = MemoryFile(bytes) else { throw SourceError(reason: "no memory for the recording") }
        guard let reader = try MediaDemuxer(memory: file, kind: .sound, formats: formats) else {
            throw SourceError(reason: "the recording has no sound track")
        }
        var converter = SoundConverter(sampleRateHz: sampleRateHz)
        var samples: [Int16] = []
        while samples.count <= maximumSeconds * sampleRateHz {
            let read = try unsafe reader.next { frame, _ in unsafe converter.convert(frame) }
            guard let read else { break }
            guard let piece = read else { throw SourceError(reason: "the recording's sound cannot be converted") }
            samples += piece
        }
        return samples
    }
}
