import Core
import MediaPipeline
import PeerConnection
import Testing

@Suite("Raw frames of a process", .serialized)
struct RawFramesTests {
    private func configuration(_ script: String) -> StageConfiguration {
        var configuration = StageConfiguration(source: .rawFrames(command: ["sh", "-c", script]))
        (configuration.width, configuration.height) = (64, 64)
        return configuration
    }

    @Test("are shown as they come, and again after the process has ended")
    func shown() async throws {
        let sink = RecordingSink()
        // Two grey pictures, then the end: it is started again and again.
        let stage = try Stage(
            id: StageID("raw"), configuration: configuration("head -c 12288 /dev/zero | tr '\\0' '\\200'"), sink: sink,
            metrics: MetricsRegistry())
        stage.start()
        defer { stage.stop() }
        stage.setViewerCount(1)
        var decoder = try VP8Decoder()
        var greyPictures = 0
        for await frame in sink.frames where frame.kind == .video {
            let picture = try decoder.decode(depacketize(frame.payloads))
            if abs(picture.meanLuma(x: 0..<64, y: 0..<64) - 128) < 6 { greyPictures += 1 }
            // More than the first run's two: the last one stands, then comes the second run.
            if greyPictures == 50 { break }
        }
        #expect(greyPictures == 50)
        for await event in stage.events {
            guard case .degraded(let reason?) = event else { continue }
            #expect(reason.contains("ended"))
            break
        }
    }

    @Test("need a program that exists")
    func missingProgram() {
        let error = #expect(throws: StageError.self) {
            _ = try Stage(
                id: StageID("raw"),
                configuration: StageConfiguration(source: .rawFrames(command: ["no-such-engine-here"])),
                sink: RecordingSink(), metrics: MetricsRegistry())
        }
        #expect(error?.code == .sourceUnavailable)
    }
}
