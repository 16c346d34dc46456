import Core
import MediaPipeline
import PeerConnection
import Testing

@Suite("A stage", .serialized)
struct StageTests {
    @Test("delivers a test pattern that decodes, with rising timestamps, from a key frame on")
    func testPattern() async throws {
        let sink = RecordingSink()
        let stage = try Stage(
            id: StageID("pattern"), configuration: StageConfiguration(source: .testPattern), sink: sink,
            metrics: MetricsRegistry())
        stage.start()
        defer { stage.stop() }
        stage.setViewerCount(1)
        var videoCount = 0
        let frames = await sink.collect { frame in
            videoCount += frame.kind == .video ? 1 : 0
            return videoCount == 45
        }
        let video = frames.filter { $0.kind == .video }
        let first = try #require(video.first)
        #expect(first.payloads.isKeyFrame)
        var decoder = try VP8Decoder()
        for frame in video {
            let picture = try decoder.decode(depacketize(frame.payloads))
            #expect(picture.width == 512 && picture.height == 512)
        }
        for kind in [MediaKind.video, .audio] {
            let stamps = frames.filter { $0.kind == kind }.map(\.rtpTimestamp)
            #expect(zip(stamps, stamps.dropFirst()).allSatisfy { $1 > $0 })
        }
        // One media clock: a timestamp tells the presentation time, for picture and sound alike.
        let origin = first.presentationTime - .nanoseconds(Int64(first.rtpTimestamp) * 1_000_000_000 / 90_000)
        for frame in frames {
            let expected =
                origin
                + .nanoseconds(
                    Int64(frame.rtpTimestamp) * 1_000_000_000 / Int64(frame.kind.clockRateHz))
            #expect(abs((frame.presentationTime - expected).milliseconds) < 0.1)
        }
        let bytes = video.dropFirst(5).reduce(0) { $0 + $1.payloads.storage.count }
        let bitRate = Double(bytes * 8) / (Double(video.count - 5) / 30)
        #expect((700_000...1_400_000).contains(bitRate), "\(bitRate) bit/s")
    }

    @Test("says a text: lips still before and after, moving between; sound only between")
    func speaks() async throws {
        let sink = RecordingSink()
        let stage = try Stage(
            id: StageID("avatar"), configuration: StageConfiguration(), sink: sink, metrics: MetricsRegistry())
        stage.start()
        defer { stage.stop() }
        stage.setViewerCount(1)
        var videoCount = 0
        var frames = await sink.collect { frame in
            videoCount += frame.kind == .video ? 1 : 0
            return videoCount == 20
        }
        let utterance = try stage.beginUtterance()
        SpeechSynthesizer.shared.speak(
            "Hello, I am happy to see you.", cancellation: SpeechSynthesizer.Cancellation()
        ) { event in
            if case .part(let part) = event { try? stage.append(part, to: utterance) }
            if case .ended = event { stage.endUtterance(utterance) }
        }
        var finishedAt: Instant?
        var events = stage.events.makeAsyncIterator()
        let started = await events.next()
        #expect(started == .speechStarted(utterance))
        #expect(await events.next() == .activityChanged(.speaking))
        if case .speechFinished(let id, let position, let interrupted) = await events.next() {
            #expect(id == utterance && !interrupted)
            #expect((1.0...4.0).contains(position.seconds))
            finishedAt = SystemClock.now()
        }
        let end = try #require(finishedAt) + .milliseconds(1500)
        frames += await sink.collect { $0.presentationTime >= end }

        let mouth = (x: 224..<290, y: 298..<350)
        var decoder = try VP8Decoder()
        var openness: [(time: Instant, dark: Int)] = []
        for frame in frames where frame.kind == .video {
            let picture = try decoder.decode(depacketize(frame.payloads))
            openness.append((frame.presentationTime, picture.darkPoints(x: mouth.x, y: mouth.y, below: 75)))
        }
        var sound = try OpusPacketDecoder()
        var loud: [Instant] = []
        for frame in frames where frame.kind == .audio {
            if rms(try sound.decode(frame.payloads.storage)) > 300 { loud.append(frame.presentationTime) }
        }
        let (first, last) = (try #require(loud.first), try #require(loud.last))
        let before = openness.filter { $0.time < first - .milliseconds(100) }.map(\.dark)
        let during = openness.filter { $0.time >= first && $0.time <= last }.map(\.dark)
        let after = openness.filter { $0.time > last + .milliseconds(300) }.map(\.dark)
        #expect(!before.isEmpty && !after.isEmpty)
        let rest = try #require(before.max())
        #expect(try #require(after.max()) <= rest + 25)
        #expect(try #require(during.max()) > rest + 100)
        // It opens and closes more than once.
        let isOpen = during.map { $0 > rest + 60 }
        #expect(zip(isOpen, isOpen.dropFirst()).filter { $0 != $1 }.count >= 4)
    }
}
