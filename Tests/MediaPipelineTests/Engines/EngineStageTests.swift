import Core
import Foundation
import Networking
import PeerConnection
import Synchronization
import Testing

@testable import MediaPipeline

@Suite("A stage with an engine's avatar", .serialized, .timeLimit(.minutes(15)))
struct EngineStageTests {
    /// Serves until the socket says `shutdown`: grey in silence, white in speech, under credit.
    private static func serve(_ endpoint: String) throws {
        let engine = try TestEngine(endpoint)
        try engine.hello([TestEngine.avatar("anna")])
        try engine.sendIdlePictures("anna")
        let white = [UInt8](repeating: 255, count: 64 * 64 * 3)
        var (session, utterance, epoch) = ("", "", 0)
        var (credit, next, known, end) = (0, 0, 0, Int.max)
        while true {
            let (header, payload) = try engine.receiveAny()
            switch header["type"]?.stringValue {
            case "credit": credit += header["frames"]?.integerValue ?? 0
            case "speech":
                let name = header["utterance"]?.stringValue ?? ""
                if name != utterance { (utterance, next, known, end) = (name, 0, 0, Int.max) }
                session = header["session"]?.stringValue ?? ""
                epoch = header["epoch"]?.integerValue ?? 0
                known = (header["first_sample"]?.integerValue ?? 0) + payload.count / 2
            case "end": end = header["samples"]?.integerValue ?? 0
            case "clear": (known, next) = (0, Int.max)
            case "shutdown": return
            default: break
            }
            while credit > 0, next < min(known, end) {
                try engine.sendFrame(
                    session: session, epoch: epoch, utterance: utterance, firstSample: next, white)
                credit -= 1
                next += 640
            }
        }
    }

    private final class Flag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    @Test("replays the idle loop, shows the engine's pictures while it speaks, and idle again")
    func speaks() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "es-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let registry = MetricsRegistry()
        let host = EngineHost(
            configuration: EngineConfiguration(name: "test"), directory: directory.path, metrics: registry,
            random: .system, limits: .patient, claims: EngineClaims())
        try host.start()
        let endpoint = try #require(host.endpoint)
        let thread = Thread { try? Self.serve(endpoint) }
        thread.start()
        var configuration = StageConfiguration(source: .engine(try #require(host.avatar("anna"))))
        (configuration.width, configuration.height, configuration.framesPerSecond) = (64, 64, 25)
        let sink = RecordingSink()
        let stage = try Stage(id: StageID("e"), configuration: configuration, sink: sink, metrics: registry)
        stage.start()
        defer { stage.stop() }
        stage.setViewerCount(1)
        var decoder = try VP8Decoder()
        let hasFinished = Flag()
        let listener = Task { [stage, hasFinished] in
            for await event in stage.events {
                if case .speechFinished = event { hasFinished.isSet.store(true, ordering: .releasing) }
            }
        }
        defer { listener.cancel() }
        // Ten seconds of speech: an engine that had to wait for a processor catches up within them.
        let seconds = 10
        var hasAsked = false
        var (grey, white, greyAfter) = (0, 0, 0)
        for await frame in sink.frames where frame.kind == .video {
            // What was delivered before the stage told the end may still be of the speech.
            let isAfter = hasFinished.isSet.load(ordering: .acquiring)
            let luma = try decoder.decode(depacketize(frame.payloads)).meanLuma(x: 0..<64, y: 0..<64)
            let isGrey = abs(luma - 102) < 8
            if isGrey { grey += 1 }
            if luma > 220 { white += 1 }
            if isAfter { greyAfter = isGrey ? greyAfter + 1 : 0 }
            if greyAfter == 10 { break }
            guard grey == 30, !hasAsked else { continue }
            hasAsked = true
            let utterance = try stage.beginUtterance()
            try stage.append(
                SpokenPart(samples: [Int16](repeating: 500, count: 48_000 * seconds), visemes: nil), to: utterance)
            stage.endUtterance(utterance)
        }
        // White while the voice is heard; fewer where the machine was too slow for the engine, some more where it held up the voice.
        #expect((20...(50 * seconds)).contains(white))
        #expect(host.metrics.shown.current >= 20)
        await host.stop()
    }
}
