import Core
import Foundation
import PeerConnection
import Synchronization
import TestSupport
import Testing

@testable import MediaPipeline

/// Keeps the frames of a stage that runs on a hand-moved clock.
private final class KeepingSink: MediaFrameSink {
    let frames = Mutex<[MediaFrame]>([])
    func deliver(_ frame: MediaFrame, stage: StageID) {
        frames.withLock { $0.append(frame) }
    }
}

@Suite("A file source")
struct FileSourceTests {
    /// What a stage delivers in `seconds` of a hand-moved clock, from `lead` after the stage's origin on.
    private func play(
        _ configuration: StageConfiguration, seconds: Double, lead: Duration, allowsFailures: Bool = false,
        at second: (inout Playout, Double) -> Void = { _, _ in }
    ) throws -> [MediaFrame] {
        let sink = KeepingSink()
        let source = try configuration.makeSource()
        var clock = ManualClock()
        var playout = Playout(
            configuration: Playout.Configuration(
                framesPerSecond: configuration.framesPerSecond, hasSourceSound: source.hasSound),
            origin: clock.now)
        var performer = StagePerformer(
            stage: StageID("file"), configuration: configuration, sink: sink,
            metrics: StageMetrics(MetricsRegistry()), source: source)
        clock.advance(by: lead)
        playout.handle(.viewerCountChanged(1), now: clock.now)
        for step in 0..<Int(seconds * 200) {
            second(&playout, Double(step) / 200)
            playout.handle(.timeout, now: clock.now)
            while let output = playout.pollOutput() { performer.perform(output, now: clock.now) }
            clock.advance(by: .milliseconds(5))
        }
        #expect(allowsFailures || !performer.takeReports().contains { if case .degraded = $0 { true } else { false } })
        return sink.frames.withLock { $0 }
    }

    @Test("shows the flash when the beep is heard, within 20 ms, round after round", arguments: [0, 13, 507])
    func skew(leadMilliseconds: Int) throws {
        let path = try FlashAndBeep.write(seconds: 3)
        defer { try? FileManager.default.removeItem(atPath: path) }
        var configuration = StageConfiguration(source: .file(path: path))
        (configuration.width, configuration.height) = (128, 96)
        let frames = try play(configuration, seconds: 8.5, lead: .milliseconds(leadMilliseconds))

        var videoDecoder = try VP8Decoder()
        var flashes: [Instant] = []
        var wasBright = true
        for frame in frames where frame.kind == .video {
            let picture = try videoDecoder.decode(depacketize(frame.payloads))
            let isBright = picture.meanLuma(x: 32..<96, y: 24..<72) > 120
            if isBright, !wasBright { flashes.append(frame.presentationTime) }
            wasBright = isBright
        }
        var soundDecoder = try OpusPacketDecoder()
        var beeps: [Instant] = []
        var quietSamples = 0
        for frame in frames where frame.kind == .audio {
            let samples = try soundDecoder.decode(frame.payloads.storage)
            for (index, sample) in samples.enumerated() {
                if abs(Int(sample)) > 3000 {
                    if quietSamples > 20_000 {
                        let offset = Int64(index) * 1_000_000_000 / 48_000
                        beeps.append(frame.presentationTime + .nanoseconds(offset))
                    }
                    quietSamples = 0
                } else {
                    quietSamples += 1
                }
            }
        }
        #expect(flashes.count >= 7)
        for flash in flashes.dropFirst() {
            let beep = try #require(beeps.min { abs(($0 - flash).nanoseconds) < abs(($1 - flash).nanoseconds) })
            #expect(abs((flash - beep).milliseconds) < 20, "skew \((flash - beep).milliseconds) ms")
        }
        // A second is a second also where the file begins anew.
        for (one, next) in zip(flashes, flashes.dropFirst()) {
            #expect(abs((next - one).milliseconds - 1000) < 40)
        }
    }

    @Test("lets a voice be heard instead of the file's sound, and goes on with it in time when the voice is done")
    func speech() throws {
        let path = try FlashAndBeep.write(seconds: 3)
        defer { try? FileManager.default.removeItem(atPath: path) }
        var configuration = StageConfiguration(source: .file(path: path))
        (configuration.width, configuration.height) = (128, 96)
        let utterance = UtteranceID("u")
        let frames = try play(configuration, seconds: 6, lead: .zero) { playout, second in
            guard second == 1.5 else { return }
            playout.handle(.utteranceBegan(utterance), now: playout.deadline ?? .zero)
            // Quieter than a beep, louder than what lies between beeps.
            let voice = (0..<96_000).map { Int16(1_500 * sin(2 * .pi * 300 * Double($0) / 48_000)) }
            playout.handle(.soundArrived(utterance, SpokenPart(samples: voice)), now: playout.deadline ?? .zero)
            playout.handle(.utteranceEnded(utterance), now: playout.deadline ?? .zero)
        }
        var decoder = try OpusPacketDecoder()
        var peaks: [Int] = []
        for frame in frames where frame.kind == .audio {
            peaks.append(try decoder.decode(frame.payloads.storage).map { abs(Int($0)) }.max() ?? 0)
        }
        func isLoud(_ range: Range<Int>) -> Bool { peaks[range].contains { $0 > 5_000 } }
        // A beep begins with each second; the voice takes the place of those at 2 s and 3 s.
        #expect(isLoud(50..<56) && !isLoud(80..<170) && isLoud(200..<206) && isLoud(250..<256))
        #expect(peaks[80..<170].allSatisfy { (700...3_000).contains($0) })
        #expect(frames.count { $0.kind == .video } == 180)
    }

    @Test("leaves the bars beside a picture of another shape black, whatever FFmpeg writes past its rows' ends")
    func bars() throws {
        let path = try FlashAndBeep.write(seconds: 1)
        defer { try? FileManager.default.removeItem(atPath: path) }
        // 64x48 becomes 88x66: no multiple of the 16 points that FFmpeg writes at once.
        let source = try MediaFileSource(path: path, width: 128, height: 66, framesPerSecond: 25)
        let picture = I420Picture(width: 128, height: 66)
        try source.draw(PictureMoment(motionTime: 0, mouth: .rest, sourceTime: .milliseconds(40)), into: picture)
        #expect(picture.meanLuma(x: 20..<108, y: 0..<66) > 100)
        #expect(picture.darkPoints(x: 0..<20, y: 0..<66, below: 17) == 20 * 66)
        #expect(picture.darkPoints(x: 108..<128, y: 0..<66, below: 17) == 20 * 66)
    }

    @Test("plays a damaged file as far as it goes, and goes on delivering picture and sound")
    func damagedFile() throws {
        let path = try FlashAndBeep.write(seconds: 2)
        defer { try? FileManager.default.removeItem(atPath: path) }
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        let random = RandomSource.seeded(11)
        // The header stays, so that the file opens; every hundredth byte of the rest is anything.
        for index in stride(from: 600, to: bytes.count, by: 100) { bytes[index] = UInt8(random.uint32() & 255) }
        bytes.removeLast(bytes.count / 3)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        var configuration = StageConfiguration(source: .file(path: path))
        (configuration.width, configuration.height) = (128, 96)
        let frames = try play(configuration, seconds: 5, lead: .zero, allowsFailures: true)
        #expect((149...151).contains(frames.count { $0.kind == .video }))
        #expect((249...251).contains(frames.count { $0.kind == .audio }))
    }

    @Test("plays a file whose frames claim to be millions of years away")
    func impossibleTimes() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Fuzz/Corpus/FuzzMediaFile/late-cluster").standardized.path
        let source = try MediaFileSource(path: path, width: 64, height: 48, framesPerSecond: 10)
        // Longer than the file, which begins anew after 0.6 s.
        for tick in 0..<100 {
            #expect(try source.sound(at: .milliseconds(20 * tick)).count == OpusFormat.samplesPerPacket)
        }
    }

    @Test("refuses a file that is not there or is none, and says how to look into it")
    func refusals() throws {
        let path = NSTemporaryDirectory() + "no-media-\(UUID().uuidString)"
        try Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 * 7) }).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        for broken in ["/nowhere/at/all.mp4", path] {
            let error = #expect(throws: StageError.self) {
                _ = try Stage(
                    id: StageID("s"), configuration: StageConfiguration(source: .file(path: broken)),
                    sink: KeepingSink(), metrics: MetricsRegistry())
            }
            #expect(error?.code == .sourceUnavailable)
            #expect(error?.reason.contains(broken) == true)
        }
    }
}
