import Core
import MediaPipeline
import Synchronization
import Testing

@testable import Conversation
@testable import PeerConnection

@Suite("The floor", .timeLimit(.minutes(15)))
struct FloorTests {
    private func next(_ events: inout AsyncStream<Floor.Event>.Iterator) async -> String {
        switch await events.next() {
        case .began: "began"
        case .bargedIn: "barged in"
        case .gaveUp: "gave up"
        case .finished(_, let ended): "finished at \(ended.nanoseconds)"
        case nil: "end"
        }
    }

    @Test("belongs to the first who speaks, until that speech ends")
    func oneSpeaker() async {
        let recogniser = ScriptedRecogniser(.success("hi"))
        let floor = Floor(recogniser: recogniser)
        var events = floor.events.makeAsyncIterator()
        let (first, second) = (floor.makeMicrophone(), floor.makeMicrophone())
        floor.began(first)
        floor.began(second)
        floor.heard([1, 2, 3], first)
        floor.heard([1, 2, 3, 4, 5], second)
        floor.bargedIn(second)
        floor.finished(second, ended: Instant(nanoseconds: 1))
        floor.gaveUp(second)
        floor.finished(first, ended: Instant(nanoseconds: 2))
        floor.heard([1], first)
        floor.began(second)
        floor.bargedIn(second)
        floor.gaveUp(second)
        floor.close()
        var told: [String] = []
        for _ in 0..<6 { told.append(await next(&events)) }
        #expect(told == ["began", "finished at 2", "began", "barged in", "gave up", "end"])
        #expect(recogniser.samples.withLock { $0 } == 3)
        #expect(recogniser.begun.withLock { $0 } == 2)
        #expect(recogniser.cancelled.withLock { $0 } == 1)
    }

    @Test("is nobody's without a recogniser, and after its end")
    func closed() async {
        let deaf = Floor(recogniser: nil)
        deaf.began(deaf.makeMicrophone())
        deaf.bargedIn(1)
        deaf.close()
        var events = deaf.events.makeAsyncIterator()
        #expect(await next(&events) == "end")
        let recogniser = ScriptedRecogniser(.success(""))
        let floor = Floor(recogniser: recogniser)
        floor.began(floor.makeMicrophone())
        floor.close()
        floor.began(floor.makeMicrophone())
        #expect(recogniser.begun.withLock { $0 } == 1)
        #expect(recogniser.cancelled.withLock { $0 } == 1)
    }
}

@Suite("A conversation that listens", .serialized, .timeLimit(.minutes(15)))
struct ListeningTests {
    /// Packets of a viewer's microphone: what Flite says, and silence behind it.
    private func packets(_ text: String, silence: Duration = .seconds(1)) async throws -> [ReceivedPacket] {
        var samples: [Int16] = []
        for try await part in FliteVoice().synthesise(text) { samples += part.samples }
        samples += [Int16](repeating: 0, count: Int(silence.seconds * 48_000))
        var encoder = try OpusPacketEncoder(bitRate: 32_000)
        var packets: [ReceivedPacket] = []
        for start in stride(from: 0, through: samples.count - 960, by: 960) {
            let number = packets.count
            packets.append(
                ReceivedPacket(
                    kind: .audio, payloadType: 111, ssrc: SSRC(7), sequenceNumber: UInt16(number),
                    timestamp: UInt32(number * 960), marker: number == 0, isRetransmitted: false,
                    payload: try encoder.encode(Array(samples[start..<start + 960]))))
        }
        return packets
    }

    @Test("hears a question, answers it, and tells when its speech ended")
    func question() async throws {
        let recogniser = ScriptedRecogniser(.success("hello"))
        let bench = try StageBench("listens", try ConversationTests.profile(recogniser))
        var events = EventReader(bench.conversation)
        let microphone = bench.conversation.microphone()
        let sound = try await packets("Who are you?", silence: .milliseconds(800))
        // They come every 20 ms on a clock that is ahead of the real one: whatever this test's threads wait for, no silence is
        // filled in between, and all fit in at once.
        #expect(sound.count <= MicrophoneReceiver.maximumWaiting)
        let start = SystemClock.now() + .seconds(3600)
        for (number, packet) in sound.enumerated() {
            microphone.receive(packet, now: start + .milliseconds(20 * number))
        }
        let told = await events.read(until: \.isTurn)
        #expect(told.contains(.userSpeaking(true)))
        #expect(told.contains(.userSpeaking(false)))
        #expect(told.contains(.transcription("hello")))
        #expect(told.contains(.activityChanged(.listening)))
        #expect(recogniser.samples.withLock { $0 } > 8_000)
        guard case .turn(let timeline) = try #require(told.last) else { return }
        #expect(timeline.kind == .spoken)
        #expect(timeline.asked <= timeline.heard)
        #expect(bench.metrics.prometheusText().contains("avatar_turn_recognition_seconds_count 1"))
        microphone.ended()
        await bench.close()
    }

    @Test("falls silent when a person speaks over it, and hears what that person says")
    func bargeIn() async throws {
        let recogniser = ScriptedRecogniser(.success("hello"))
        let bench = try StageBench("barge", try ConversationTests.profile(recogniser))
        var events = EventReader(bench.conversation)
        try await bench.conversation.ask("count")
        await events.read(until: { $0.isSpeechStarted })
        #expect(bench.conversation.floor.isAvatarSpeaking)
        let number = bench.conversation.floor.makeMicrophone()
        bench.conversation.floor.began(number)
        bench.conversation.floor.bargedIn(number)
        let told = await events.read(until: { $0.isSpeechFinished })
        guard case .speechFinished(_, _, let interrupted) = try #require(told.last) else { return }
        #expect(interrupted)
        bench.conversation.floor.finished(number, ended: SystemClock.now())
        // It begins to speak before or after that.
        let answer = await events.read(until: { $0 == .textComplete("Hello. I am happy to see you.") })
        #expect(answer.last == .textComplete("Hello. I am happy to see you."))
        let text = bench.metrics.prometheusText()
        #expect(text.contains("avatar_conversation_interruptions_total{by=\"barge_in\"} 1"))
        await bench.close()
    }

    @Test("answers a recording, and refuses one that is none")
    func recording() async throws {
        let recogniser = ScriptedRecogniser(.success("hello"))
        let bench = try StageBench("recording", try ConversationTests.profile(recogniser))
        var events = EventReader(bench.conversation)
        let turn = try await bench.conversation.ask(recording: Self.wave(seconds: 1))
        let told = await events.read(until: \.isTurn)
        #expect(told.contains(.transcription("hello")))
        guard case .turn(let timeline) = try #require(told.last) else { return }
        #expect(timeline.turn == turn && timeline.kind == .recording)
        #expect((15_000...17_000).contains(recogniser.samples.withLock { $0 }))
        for rubbish in [[], [UInt8](repeating: 7, count: 5_000), Array("<html>no sound</html>".utf8)] {
            await #expect(throws: ConversationError.self) { try await bench.conversation.ask(recording: rubbish) }
        }
        await bench.close()
    }

    @Test("apologises where the recogniser fails, and hears the next recording")
    func recogniserFails() async throws {
        let recogniser = ScriptedRecogniser(
            .failure(BackendError(code: .timedOut, part: "hearing", reason: "slow", remedy: "wait")))
        let bench = try StageBench("deaf", try ConversationTests.profile(recogniser))
        var events = EventReader(bench.conversation)
        for _ in 0..<2 {
            try await bench.conversation.ask(recording: Self.wave(seconds: 0.2))
            let told = await events.read(until: \.isSpeechFinished)
            #expect(told.contains { $0.isFailure(of: "hearing") })
        }
        await bench.close()
    }

    /// A WAV file of silence, 16 kHz.
    private static func wave(seconds: Double) -> [UInt8] {
        let bytes = UInt32(seconds * 32_000)
        func little(_ value: UInt32, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) } }
        return Array("RIFF".utf8) + little(36 + bytes, 4) + Array("WAVEfmt ".utf8) + little(16, 4) + little(1, 2)
            + little(1, 2) + little(16_000, 4) + little(32_000, 4) + little(2, 2) + little(16, 2) + Array("data".utf8)
            + little(bytes, 4) + [UInt8](repeating: 0, count: Int(bytes))
    }
}
