import Core
import Foundation
import PeerConnection
import Synchronization
import Testing

@testable import MediaPipeline

@Suite("A stage and its source", .serialized)
struct StageSourceTests {
    private func stage(
        _ script: ScriptedSource.Script, _ metrics: MetricsRegistry = MetricsRegistry(),
        pictureWait: Duration? = nil, sink: any MediaFrameSink = SilentSink()
    ) throws -> Stage {
        var configuration = StageConfiguration(source: .testPattern)
        (configuration.width, configuration.height) = (64, 64)
        configuration.maximumWaitingSeconds = 4
        let stage = try Stage(id: StageID("s"), configuration: configuration, sink: sink, metrics: metrics) {
            ScriptedSource(script, pictureWait: pictureWait)
        }
        stage.start()
        stage.setViewerCount(1)
        return stage
    }

    private struct SilentSink: MediaFrameSink {
        func deliver(_ frame: MediaFrame, stage: StageID) {}
    }

    /// The stage's events up to the first that satisfies `isLast`.
    private func events(_ stage: Stage, until isLast: (StageEvent) -> Bool) async -> [StageEvent] {
        var seen: [StageEvent] = []
        for await event in stage.events {
            seen.append(event)
            if isLast(event) { break }
        }
        return seen
    }

    private func isFinished(_ event: StageEvent) -> Bool {
        if case .speechFinished = event { true } else { false }
    }

    @Test("is told each utterance's sound at 16 kHz, in order and without a seam")
    func hearing() async throws {
        let script = ScriptedSource.Script()
        let stage = try stage(script)
        defer { stage.stop() }
        let utterance = try stage.beginUtterance()
        let tone = (0..<24_000).map { Int16(8_000 * sin(2 * .pi * 500 * Double($0) / 48_000)) }
        for first in stride(from: 0, to: tone.count, by: 1_777) {
            try stage.append(
                SpokenPart(samples: Array(tone[first..<min(first + 1_777, tone.count)])), to: utterance)
        }
        stage.endUtterance(utterance)
        await script.wait(for: "ended \(utterance)")
        let heard = try #require(script.record.withLock { $0.heard[utterance] })
        #expect(heard.count == 8_000)
        let errors = heard.indices[100..<7_900].map {
            abs(Double(heard[$0]) - 8_000 * sin(2 * .pi * 500 * Double($0) / 16_000))
        }
        #expect(errors.max()! < 120)
        #expect(script.record.withLock { $0.calls } == ["connect", "began \(utterance)", "ended \(utterance)"])
        let finished = await events(stage, until: isFinished)
        #expect(finished.last == .speechFinished(utterance, position: .milliseconds(500), interrupted: false))
        // Pictures were bound to places in the sound, which only rise.
        let positions = script.record.withLock { $0.positions.map(\.sample) }
        #expect(positions.count > 5 && positions == positions.sorted() && positions.allSatisfy { $0 < 24_000 })
    }

    @Test("holds its voice back until the source has a picture")
    func picturesReady() async throws {
        let script = ScriptedSource.Script()
        let stage = try stage(script, pictureWait: .seconds(3_600))
        defer { stage.stop() }
        let utterance = try stage.beginUtterance()
        try stage.append(.tone(packets: 10), to: utterance)
        stage.endUtterance(utterance)
        await script.wait(for: "ended \(utterance)")
        script.send(.picturesReady(utterance))
        let seen = await events(stage, until: isFinished)
        #expect(seen.first == .speechStarted(utterance))
        #expect(seen.last == .speechFinished(utterance, position: .milliseconds(200), interrupted: false))
    }

    @Test("lets a source speak that speaks itself, and drops what it brings too late")
    func speaksItself() async throws {
        let script = ScriptedSource.Script()
        script.record.withLock { $0.speaksItself = true }
        let stage = try stage(script)
        defer { stage.stop() }
        let utterance = try stage.beginUtterance()
        try stage.append(.tone(packets: 100), to: utterance)
        stage.endUtterance(utterance)
        await script.wait(for: "ended \(utterance)")
        script.send(.sound(UtteranceID("another"), .tone(packets: 100)))
        for _ in 0..<5 { script.send(.sound(utterance, .tone(packets: 2))) }
        script.send(.soundEnded(utterance))
        let seen = await events(stage, until: isFinished)
        #expect(seen.last == .speechFinished(utterance, position: .milliseconds(200), interrupted: false))
        // Without any sound there is nothing to wait for.
        let silent = try stage.beginUtterance()
        stage.endUtterance(silent)
        let end = await events(stage, until: isFinished)
        #expect(end.last == .speechFinished(silent, position: .zero, interrupted: false))
        // The source is lost before it said anything: nobody waits for it.
        let lost = try stage.beginUtterance()
        try stage.append(.tone(packets: 10), to: lost)
        await script.wait(for: "began \(lost)")
        script.record.withLock { $0.speaksItself = false }
        stage.endUtterance(lost)
        let afterLoss = await events(stage, until: isFinished)
        #expect(afterLoss.last == .speechFinished(lost, position: .zero, interrupted: false))
    }

    @Test("is interrupted many times: each call is answered with what was cut off, and the source is cleared")
    func interruptions() async throws {
        let script = ScriptedSource.Script()
        let metrics = MetricsRegistry()
        let stage = try stage(script, metrics)
        defer { stage.stop() }
        var iterator = stage.events.makeAsyncIterator()
        for _ in 0..<20 {
            let first = try stage.beginUtterance()
            let second = try stage.beginUtterance()
            try stage.append(.tone(packets: 100), to: first)
            while let event = await iterator.next(), event != .speechStarted(first) {}
            let answer = await stage.interrupt()
            #expect(answer.map(\.utterance) == [first, second])
            #expect(try #require(answer.first).position >= .milliseconds(20))
            #expect(answer.last?.position == .zero)
            #expect(throws: StageError.self) { try stage.append(.tone(packets: 1), to: first) }
        }
        #expect(script.record.withLock { $0.calls.count { $0 == "clear" } } == 20)
        #expect(await stage.interrupt().isEmpty)
        // All are told but perhaps the last, whose packet may still be to come.
        let histogram = metrics.histogram("avatar_stage_interruption_seconds", help: "", bounds: []).current
        #expect((19...20).contains(histogram.total))
        // Everything that waited is free again.
        let last = try stage.beginUtterance()
        try stage.append(.tone(packets: 199), to: last)
    }

    @Test("answers an interruption also when it has ended, and lets nobody wait")
    func interruptionAtTheEnd() async throws {
        let stage = try stage(ScriptedSource.Script())
        await withTaskGroup { group in
            for _ in 0..<50 { group.addTask { _ = await stage.interrupt() } }
            stage.stop()
        }
        #expect(await stage.interrupt().isEmpty)
        let error = #expect(throws: StageError.self) { _ = try stage.beginUtterance() }
        #expect(error?.code == .notRunning)
    }

    @Test("takes so many utterances and so much sound, and frees them as they are said")
    func limits() async throws {
        let script = ScriptedSource.Script()
        let stage = try stage(script)
        defer { stage.stop() }
        stage.setViewerCount(0)
        var utterances: [UtteranceID] = []
        for _ in 0..<Stage.maximumPendingUtterances { utterances.append(try stage.beginUtterance()) }
        #expect(throws: StageError.self) { _ = try stage.beginUtterance() }
        try stage.append(.tone(packets: 200), to: utterances[0])
        let error = #expect(throws: StageError.self) { try stage.append(.tone(packets: 1), to: utterances[1]) }
        #expect(error?.code == .tooMuchSound)
        #expect(await stage.interrupt().count == Stage.maximumPendingUtterances)
        let unknown = #expect(throws: StageError.self) { try stage.append(.tone(packets: 1), to: utterances[0]) }
        #expect(unknown?.code == .utteranceOver)
        stage.setViewerCount(1)
        let next = try stage.beginUtterance()
        try stage.append(.tone(packets: 5), to: next)
        stage.endUtterance(next)
        _ = await events(stage) { $0 == .speechFinished(next, position: .milliseconds(100), interrupted: false) }
    }

    @Test("tells a failure once, and when all is well again")
    func degraded() async throws {
        let script = ScriptedSource.Script()
        let stage = try stage(script)
        defer { stage.stop() }
        await script.wait(for: "connect")
        script.send(.degraded(reason: "the engine starts"))
        var iterator = stage.events.makeAsyncIterator()
        #expect(await iterator.next() == .degraded(reason: "the engine starts"))
        script.record.withLock { $0.failure = "no picture" }
        #expect(await iterator.next() == .degraded(reason: "no picture"))
        script.send(.degraded(reason: nil))
        #expect(await iterator.next() == .degraded(reason: "no picture"))
        script.record.withLock { $0.failure = nil }
        #expect(await iterator.next() == .degraded(reason: nil))
    }

    @Test("replays the loop that its source brings, and refuses one of another size")
    func loop() async throws {
        let script = ScriptedSource.Script()
        let sink = RecordingSink()
        let metrics = MetricsRegistry()
        let stage = try stage(script, metrics, sink: sink)
        defer { stage.stop() }
        await script.wait(for: "connect")
        func loop(side: Int) throws -> IdleLoop {
            let key = IdleLoop.Key(
                width: side, height: side, framesPerSecond: 30, bitRate: 100_000, keyFrameInterval: 10)
            return try IdleLoop(key: key, pictureCount: 23) { index, picture in
                _ = picture.copy(from: [UInt8](repeating: UInt8(index * 8), count: side * side * 3 / 2))
            }
        }
        script.send(.loopReady(try loop(side: 128)))
        var iterator = stage.events.makeAsyncIterator()
        guard case .degraded(reason: _?)? = await iterator.next() else {
            Issue.record("a loop of another size was taken")
            return
        }
        script.send(.loopReady(try loop(side: 64)))
        #expect(await iterator.next() == .degraded(reason: nil))
        let replayed = metrics.counter("avatar_stage_frames_total", help: "", labels: ["kind": "loop"])
        let frames = await sink.collect { _ in replayed.current > 30 }
        #expect(frames.contains { $0.kind == .video && $0.payloads.isKeyFrame })
        #expect(throws: CodecError.self) {
            _ = try IdleLoop(key: try loop(side: 64).key, pictureCount: 0) { _, _ in }
        }
        let error = #expect(throws: CodecError.self) {
            _ = try IdleLoop(key: try loop(side: 64).key, pictureCount: 3) { index, _ in
                if index == 2 { throw SourceError(reason: "picture lost") }
            }
        }
        #expect(error?.reason.contains("picture lost") == true)
    }
}
