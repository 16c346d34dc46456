import Foundation
import Testing

@testable import MediaPipeline

/// Audio files as people send them, made by the ffmpeg program.
struct RecordedSoundTests {
    /// One second of a 440 Hz tone, stereo, 44.1 kHz.
    private static func file(_ suffix: String, _ codec: [String], seconds: Double = 1) throws -> [UInt8] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "recording-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "tone.\(suffix)")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            [
                "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                "sine=frequency=440:sample_rate=44100:duration=\(seconds)",
                "-ac", "2",
            ] + codec + [path.path()]
        try process.run()
        process.waitUntilExit()
        return [UInt8](try Data(contentsOf: path))
    }

    @Test(
        "Files of the usual kinds become one channel at the rate that is asked for",
        arguments: [
            ("wav", [] as [String]), ("ogg", ["-c:a", "libopus"]), ("webm", ["-c:a", "libopus"]),
            ("mp3", ["-c:a", "libmp3lame"]), ("m4a", ["-c:a", "aac"]), ("flac", []), ("wav", ["-c:a", "pcm_f32le"]),
        ])
    func formats(suffix: String, codec: [String]) throws {
        let bytes = try Self.file(suffix, codec)
        for rate in [16_000, 48_000] {
            let sound = try RecordedSound(bytes, sampleRateHz: rate)
            #expect(sound.sampleRateHz == rate)
            #expect(abs(sound.samples.count - rate) < rate / 8)
            let middle = sound.samples[(rate / 4)..<(rate * 3 / 4)]
            let crossings = zip(middle, middle.dropFirst()).count { ($0 < 0) != ($1 < 0) }
            // Half a second of 440 Hz passes zero 440 times.
            #expect(abs(crossings - 440) < 8)
            #expect((middle.max() ?? 0) > 1000)
        }
    }

    @Test(
        "Text, markup, a playlist and rubbish are refused",
        arguments: [
            "This is a text and no sound at all. " + String(repeating: "It is not. ", count: 400),
            "<html><body>" + String(repeating: "<p>no sound</p>", count: 300),
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n",
            "ffconcat version 1.0\nfile /etc/passwd\n", "\u{0}\u{1}\u{2}", "RIFF", "OggS",
        ])
    func refused(text: String) {
        let error = #expect(throws: RecordedSoundError.self) {
            try RecordedSound(Array(text.utf8), sampleRateHz: 16_000)
        }
        #expect(error?.code == .unreadable)
        #expect(error?.reason.isEmpty == false)
    }

    @Test("A recording that is empty, too large or too long is refused")
    func limits() throws {
        #expect(throws: RecordedSoundError(code: .empty, reason: "the recording is empty")) {
            try RecordedSound([], sampleRateHz: 16_000)
        }
        let large = #expect(throws: RecordedSoundError.self) {
            try RecordedSound([UInt8](repeating: 0, count: RecordedSound.maximumBytes + 1), sampleRateHz: 16_000)
        }
        #expect(large?.code == .tooLarge)
        let long = try Self.file("ogg", ["-c:a", "libopus", "-b:a", "16k"], seconds: 125)
        let error = #expect(throws: RecordedSoundError.self) { try RecordedSound(long, sampleRateHz: 16_000) }
        #expect(error?.code == .tooLong)
    }

    @Test("A file cut short is heard as far as it goes")
    func cutShort() throws {
        let bytes = try Self.file("wav", [])
        let sound = try RecordedSound(Array(bytes.prefix(bytes.count / 2)), sampleRateHz: 16_000)
        #expect(abs(sound.samples.count - 8000) < 500)
    }

    @Test("A file that claims an impossible rate is refused, not blown up")
    func impossibleRate() throws {
        var bytes = try Self.file("wav", [])
        // The rate lies at byte 24 of a WAV file, little endian.
        bytes.replaceSubrange(24..<28, with: [1, 0, 0, 0])
        #expect(throws: RecordedSoundError.self) { try RecordedSound(bytes, sampleRateHz: 48_000) }
    }
}
