import Core
import Foundation
import Networking
import Synchronization
import Testing

@testable import MediaPipeline

@Suite("An engine's host", .serialized)
final class EngineHostTests {
    private let directory: String
    private let registry = MetricsRegistry()

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("eh-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        directory = folder.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func host(
        _ configuration: EngineConfiguration = EngineConfiguration(name: "test"),
        limits: EngineSupervisor.Limits = .patient, claims: EngineClaims = EngineClaims(),
        clock: @escaping @Sendable () -> Instant = { SystemClock.now() }
    ) throws -> EngineHost {
        let host = EngineHost(
            configuration: configuration, directory: directory, metrics: registry, random: .system, limits: limits,
            claims: claims, clock: clock)
        try host.start()
        return host
    }

    private func endpoint(_ host: EngineHost) throws -> String { try #require(host.endpoint) }

    private func key(_ size: Int = 64) -> IdleLoop.Key {
        IdleLoop.Key(width: size, height: size, framesPerSecond: 25, bitRate: 200_000, keyFrameInterval: 25)
    }

    private func moment(_ utterance: UtteranceID?, sample: Int64 = 0) -> PictureMoment {
        PictureMoment(
            motionTime: 0, mouth: .rest, sourceTime: .zero,
            speech: utterance.map { SpeechPosition(utterance: $0, sample: sample) })
    }

    /// A source whose events can be awaited.
    private func source(_ host: EngineHost, _ avatar: String, size: Int = 64) throws -> (
        EngineSource, AsyncStream<SourceEvent>.AsyncIterator
    ) {
        let source = EngineSource(avatar: try #require(host.avatar(avatar)), key: key(size))
        let (stream, continuation) = AsyncStream.makeStream(of: SourceEvent.self)
        source.connect { continuation.yield($0) }
        return (source, stream.makeAsyncIterator())
    }

    private func next(
        _ events: inout AsyncStream<SourceEvent>.AsyncIterator, _ isRight: (SourceEvent) -> Bool
    ) async {
        while let event = await events.next(), !isRight(event) {}
    }

    @Test("shows an engine's idle motion as a loop, and its pictures with their sound")
    func utterance() async throws {
        let host = try host()
        let engine = try TestEngine(endpoint(host))
        var (source, events) = try source(host, "anna")
        try engine.hello([TestEngine.avatar("anna")])
        #expect(try engine.receive("welcome").header["version"] == 1)
        try engine.sendIdlePictures("anna")
        var loop: IdleLoop?
        await next(&events) { event in
            if case .loopReady(let made) = event { loop = made }
            return loop != nil
        }
        #expect(loop?.frameCount == 26)  // Two positions, 13 times: no shorter than a key frame's interval.
        #expect(host.degraded == [])

        let utterance = UtteranceID("u1")
        source.utteranceBegan(utterance, motionTime: 0)
        source.heard([Int16](repeating: 7, count: 640), of: utterance)
        source.utteranceEnded(utterance)
        let speech = try engine.receive("speech")
        let session = try #require(speech.header["session"]?.stringValue)
        #expect(speech.payload.count == 1280)
        #expect(try engine.receive("end").header["samples"] == 640)
        try engine.sendFrame(
            session: session, utterance: "u1", firstSample: 0, [UInt8](repeating: 255, count: 64 * 64 * 3))
        await next(&events) { if case .picturesReady(utterance) = $0 { true } else { false } }
        let picture = I420Picture(width: 64, height: 64)
        try source.draw(moment(nil), into: picture)
        #expect(abs(picture.meanLuma(x: 0..<64, y: 0..<64) - 102) < 3)  // Grey 100 in limited range.
        try source.draw(moment(utterance), into: picture)
        #expect(picture.meanLuma(x: 0..<64, y: 0..<64) > 230)
        #expect(try engine.receive("credit").header["frames"] == 1)
        source.clear()
        #expect(try engine.receive("clear").header["epoch"] == 1)
        await host.stop()
    }

    @Test("composes patches over idle pictures, and fits them into a stage of another size")
    func patches() async throws {
        let host = try host()
        let engine = try TestEngine(endpoint(host))
        var (source, events) = try source(host, "anna", size: 128)
        try engine.hello([TestEngine.avatar("anna", patches: true)])
        try engine.sendIdlePictures("anna")
        await next(&events) { if case .loopReady = $0 { true } else { false } }
        let utterance = UtteranceID("u1")
        source.utteranceBegan(utterance, motionTime: 0)
        source.heard([1], of: utterance)
        let session = try #require(try engine.receive("speech").header["session"])
        try engine.send(
            [
                "type": "frame", "session": session, "epoch": 0, "utterance": "u1", "first_sample": 0, "kind": "patch",
                "idle_index": 1, "x": 32, "y": 32, "width": 32, "height": 32,
            ], [UInt8](repeating: 255, count: 32 * 32 * 3))
        await next(&events) { if case .picturesReady = $0 { true } else { false } }
        let picture = I420Picture(width: 128, height: 128)
        try source.draw(moment(utterance), into: picture)
        #expect(abs(picture.meanLuma(x: 0..<60, y: 0..<60) - 103) < 3)
        #expect(picture.meanLuma(x: 70..<128, y: 70..<128) > 230)
        await host.stop()
    }

    @Test("answers rubbish, counts it, lives on, and forgets an engine that sends nothing else")
    func rubbish() async throws {
        let host = try host()
        let engine = try TestEngine(endpoint(host))
        try engine.send(raw: [Array("not json".utf8)])
        #expect(try engine.receive("refused").header["code"] == "malformed")
        try engine.send(["type": "pong", "id": 1])
        #expect(try engine.receive("refused").header["code"] == "unknown_peer")
        try engine.hello([TestEngine.avatar("anna")])
        _ = try engine.receive("welcome")
        for count in [1, 6, 60] {
            try engine.send(raw: (0..<count).map { [UInt8(truncatingIfNeeded: $0), 0xFF, 0x00] })
        }
        try engine.send(raw: [[UInt8](repeating: 0x5B, count: 20_000)])
        for index in 0..<120 {
            try engine.send(
                ["type": "idle_picture", "avatar": "anna", "index": JSONValue(index)], [UInt8](repeating: 0, count: 7))
        }
        let deadline = SystemClock.now() + .seconds(20)
        while host.degraded.first?.reason.contains("faulty") != true, SystemClock.now() < deadline {
            await Task.yield()
        }
        #expect(host.degraded.first?.reason.contains("faulty") == true)
        #expect(host.metrics.faults.current >= 101)
        try engine.hello([TestEngine.avatar("anna")])
        _ = try engine.receive("welcome")
        await host.stop()
    }

    @Test("does not let a second engine take a name, nor an avatar of another engine")
    func claims() async throws {
        let claims = EngineClaims()
        let first = try host(claims: claims)
        let second = try host(EngineConfiguration(name: "other"), claims: claims)
        let engine = try TestEngine(endpoint(first))
        try engine.hello([TestEngine.avatar("anna")])
        _ = try engine.receive("welcome")
        let rival = try TestEngine(endpoint(first))
        try rival.hello([TestEngine.avatar("bert")])
        let refusal = try rival.receive("refused").header
        #expect(refusal["code"] == "name_taken")
        #expect(refusal["retry_after_ms"] == 1000)
        let thief = try TestEngine(endpoint(second))
        try thief.hello([TestEngine.avatar("anna")])
        #expect(try thief.receive("refused").header["code"] == "avatar_taken")
        #expect(first.avatars.map(\.id) == ["anna"])
        let deadline = SystemClock.now() + .seconds(20)
        while second.degraded.first?.reason.contains("anna") != true, SystemClock.now() < deadline {
            await Task.yield()
        }
        #expect(second.degraded.first?.reason.contains("anna is engine test's") == true)
        #expect(first.metrics.refusedHellos.current == 1)
        await first.stop()
        await second.stop()
    }

    @Test("forgets an engine that answers no ping, shows idle at once, and goes on with it when it is back")
    func hang() async throws {
        // Of the real time that it all takes no ping is overdue; the hour that makes one so is put on by hand.
        let ahead = Atomic<Int64>(0)
        let limits = EngineSupervisor.Limits.patient
        let host = try host(
            limits: limits, clock: { SystemClock.now() + .seconds(ahead.load(ordering: .relaxed)) })
        var engine = try TestEngine(endpoint(host))
        var (source, events) = try source(host, "anna")
        try engine.hello([TestEngine.avatar("anna")])
        try engine.sendIdlePictures("anna")
        await next(&events) { if case .loopReady = $0 { true } else { false } }
        let utterance = UtteranceID("u1")
        source.utteranceBegan(utterance, motionTime: 0)
        source.heard([Int16](repeating: 1, count: 16_000), of: utterance)
        // The stage waits for pictures until the engine is known to hang.
        _ = try engine.receive("ping", answersPings: false)
        #expect(host.metrics.hangs.current == 0)
        ahead.store(Int64(limits.pong.seconds), ordering: .relaxed)
        host.wake()
        await next(&events) { if case .picturesReady(utterance) = $0 { true } else { false } }
        #expect(host.metrics.hangs.current == 1)
        let picture = I420Picture(width: 64, height: 64)
        try source.draw(moment(utterance, sample: 14_400), into: picture)
        #expect(abs(picture.meanLuma(x: 0..<64, y: 0..<64) - 102) < 3)
        #expect(host.metrics.missing.current == 1)

        engine = try TestEngine(endpoint(host))
        try engine.hello([TestEngine.avatar("anna")])
        let speech = try engine.receive("speech").header
        #expect(speech["first_sample"] == 4800)
        let session = try #require(speech["session"]?.stringValue)
        try engine.sendFrame(
            session: session, utterance: "u1", firstSample: 4800, [UInt8](repeating: 255, count: 64 * 64 * 3))
        try engine.send(["type": "bye", "reason": "seen"])
        await host.stop()
    }

    @Test("starts a child with a token, and again when it dies, until it has died too often")
    func child() async throws {
        var limits = EngineSupervisor.Limits.patient
        limits.firstBackoff = .milliseconds(10)
        let log = directory + "/log"
        let script = "test -n \"$AVATAR_ENGINE_TOKEN\" && test -n \"$AVATAR_ENGINE_ENDPOINT\" && echo x >> \(log)"
        let host = try host(
            EngineConfiguration(name: "test", command: ["sh", "-c", script], maximumRestarts: 3), limits: limits)
        let impostor = try TestEngine(endpoint(host))
        try impostor.hello([TestEngine.avatar("anna")], token: "guessed")
        #expect(try impostor.receive("refused").header["code"] == "token")
        let deadline = SystemClock.now() + .seconds(20)
        while host.degraded.first?.reason.contains("3 times") != true, SystemClock.now() < deadline {
            await Task.yield()
        }
        #expect(host.degraded.first?.reason.contains("exit status 0") == true)
        #expect(host.metrics.restarts.current == 3)
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "x\nx\nx\nx\n")
        await host.stop()
    }

    @Test("says why a program cannot be started")
    func missingProgram() async throws {
        let host = try host(EngineConfiguration(name: "test", command: ["/no/such/engine"], maximumRestarts: 0))
        let deadline = SystemClock.now() + .seconds(20)
        while host.degraded.first?.reason.contains("/no/such/engine") != true, SystemClock.now() < deadline {
            await Task.yield()
        }
        #expect(host.degraded.first?.reason.contains("/no/such/engine") == true)
        await host.stop()
    }

    @Test("lets engines with a known key in over TCP, and no others")
    func curve() async throws {
        let server = try CurveKeyPair()
        let (known, unknown) = (try CurveKeyPair(), try CurveKeyPair())
        let file = directory + "/key"
        #expect(
            FileManager.default.createFile(
                atPath: file, contents: Data((server.secretKey.text + "\n").utf8),
                attributes: [.posixPermissions: 0o600]))
        let host = try host(
            EngineConfiguration(
                name: "test", endpoint: "tcp://127.0.0.1:*", serverSecretKeyFile: file,
                clientPublicKeys: [known.publicKey.text]))
        let stranger = try TestEngine(endpoint(host), keys: unknown, server: server.publicKey)
        try stranger.hello([TestEngine.avatar("anna")])
        let plain = try TestEngine(endpoint(host))
        try plain.hello([TestEngine.avatar("anna")])
        let engine = try TestEngine(endpoint(host), keys: known, server: server.publicKey)
        try engine.hello([TestEngine.avatar("bert")])
        _ = try engine.receive("welcome")
        #expect(host.avatars.map(\.id) == ["bert"])
        let deadline = SystemClock.now() + .seconds(20)
        while host.metrics.refusedConnections.current == 0, SystemClock.now() < deadline { await Task.yield() }
        #expect(host.metrics.refusedConnections.current >= 1)
        #expect(host.metrics.refusedHellos.current == 0)
        await host.stop()
    }

    @Test("needs keys for TCP, in a file that nobody else may read")
    func curveConfiguration() throws {
        func code(_ configuration: EngineConfiguration) -> EngineError.Code? {
            do throws(EngineError) {
                _ = try EngineEndpoint(configuration, directory: directory)
                return nil
            } catch {
                return error.code
            }
        }
        let file = directory + "/key"
        #expect(code(EngineConfiguration(name: "a", endpoint: "tcp://127.0.0.1:*")) == .invalidConfiguration)
        #expect(
            code(EngineConfiguration(name: "a", endpoint: "tcp://127.0.0.1:*", serverSecretKeyFile: file))
                == .keyUnavailable)
        #expect(
            FileManager.default.createFile(
                atPath: file, contents: Data(try CurveKeyPair().secretKey.text.utf8),
                attributes: [.posixPermissions: 0o644]))
        #expect(
            code(EngineConfiguration(name: "a", endpoint: "tcp://127.0.0.1:*", serverSecretKeyFile: file))
                == .keyUnavailable)
        #expect(code(EngineConfiguration(name: "../a")) == .invalidConfiguration)
        #expect(code(EngineConfiguration(name: "a", endpoint: "http://x")) == .invalidConfiguration)
    }

    @Test("passes a preparation's progress on, and shows the avatar afterwards")
    func preparation() async throws {
        let host = try host()
        let engine = try TestEngine(endpoint(host))
        try engine.hello([], canPrepare: true)
        _ = try engine.receive("welcome")
        var events = host.prepare(avatar: "carla", videoPath: "/tmp/a.mp4", appliesBlur: true).makeAsyncIterator()
        let order = try engine.receive("prepare").header
        #expect(order["avatar"] == "carla")
        #expect(order["video_path"] == "/tmp/a.mp4")
        try engine.send(["type": "prepare_progress", "avatar": "carla", "progress": .number(0.5)])
        #expect(await events.next() == .progress(0.5))
        try engine.send(["type": "prepared", "avatar": TestEngine.avatar("carla")])
        #expect(await events.next() == .ready)
        #expect(await events.next() == nil)
        #expect(host.avatars.map(\.id) == ["carla"])
        #expect(host.avatar("anna") == nil)

        var refused = host.prepare(avatar: "dora", videoPath: "/tmp/a.txt", appliesBlur: false).makeAsyncIterator()
        _ = try engine.receive("prepare")
        try engine.send(["type": "refused", "what": "prepare", "code": "failed", "avatar": "dora", "reason": "no face"])
        #expect(await refused.next() == .refused(reason: "no face"))
        await host.stop()
    }

    @Test("refuses patches whose idle pictures do not fit into the memory, and names the setting")
    func memory() async throws {
        let host = try host(EngineConfiguration(name: "test", idleMemoryLimit: 10_000))
        let engine = try TestEngine(endpoint(host))
        try engine.hello([TestEngine.avatar("anna", patches: true, idleCount: 3)])
        let refusal = try engine.receive("refused").header
        #expect(refusal["code"] == "too_large")
        #expect(refusal["reason"]?.stringValue?.contains("idle_memory_megabytes") == true)
        // Without patches every second picture does.
        try engine.hello([TestEngine.avatar("anna", idleCount: 2)])
        #expect(try engine.receive("idle_request").header["indices"] == [0])
        await host.stop()
    }

    @Test("takes pictures of 1080x1920 without losing one")
    func large() async throws {
        let host = try host()
        let engine = try TestEngine(endpoint(host))
        let source = EngineSource(
            avatar: try #require(host.avatar("anna")),
            key: IdleLoop.Key(width: 1080, height: 1920, framesPerSecond: 25, bitRate: 1_000_000, keyFrameInterval: 25))
        let (stream, continuation) = AsyncStream.makeStream(of: SourceEvent.self)
        var events = stream.makeAsyncIterator()
        source.connect { continuation.yield($0) }
        try engine.hello([TestEngine.avatar("anna", width: 1080, height: 1920, idleCount: 1)])
        try engine.sendIdlePictures("anna", width: 1080, height: 1920, count: 1)
        let utterance = UtteranceID("u1")
        // The engine has the session once it has credit.
        _ = try engine.receive("credit")
        source.utteranceBegan(utterance, motionTime: 0)
        source.heard([1], of: utterance)
        let session = try #require(try engine.receive("speech").header["session"]?.stringValue)
        let picture = I420Picture(width: 1080, height: 1920)
        for index in 0..<25 {
            try engine.sendFrame(
                session: session, utterance: "u1", firstSample: index * 640,
                [UInt8](repeating: UInt8(index * 10), count: 1080 * 1920 * 3))
            if index == 0 { await next(&events) { if case .picturesReady = $0 { true } else { false } } }
            while host.metrics.shown.current <= UInt64(index) {
                try source.draw(moment(utterance, sample: Int64(index * 1920)), into: picture)
                await Task.yield()
            }
            #expect(abs(picture.meanLuma(x: 0..<8, y: 0..<8) - (16 + Double(index * 10) * 219 / 255)) < 2)
        }
        #expect(host.metrics.shown.current == 25)
        #expect(host.metrics.late.current == 0)
        await host.stop()
    }
}
