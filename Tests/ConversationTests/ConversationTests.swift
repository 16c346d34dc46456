import Core
import MediaPipeline
import Synchronization
import Testing

@testable import Conversation

@Suite("A conversation on a real stage", .serialized, .timeLimit(.minutes(15)))
struct ConversationTests {
    static func script() throws -> ScriptedDialogue {
        try ScriptedDialogue(
            entries: [
                .init(any: ["hello"], answer: "Hello. I am happy to see you."),
                .init(
                    any: ["count"], answer: "One and two. Three and four. Five and six. Seven and eight. Nine and ten."),
            ],
            fallbacks: ["I do not know."])
    }

    static func profile(_ recogniser: (any Recogniser)? = nil) throws -> ConversationProfile {
        ConversationProfile(voice: FliteVoice(), recogniser: recogniser, answerer: try script())
    }

    @Test("answers a text aloud: text, sound on the wire, an end, and where the time went")
    func turn() async throws {
        let bench = try StageBench("turn", try Self.profile())
        var events = EventReader(bench.conversation)
        let first = bench.sink.count
        let turn = try await bench.conversation.ask("Hello!")
        let told = await events.read(until: \.isSpeechFinished)
        let texts = told.compactMap { if case .textStream(let token) = $0 { token } else { nil } }
        #expect(texts.joined() == "Hello. I am happy to see you.")
        #expect(told.contains(.textComplete("Hello. I am happy to see you.")))
        #expect(told.contains(.activityChanged(.thinking)))
        #expect(told.contains(.activityChanged(.speaking)))
        let timeline = try #require(told.compactMap { if case .turn(let found) = $0 { found } else { nil } }.first)
        #expect(timeline.turn == turn && timeline.kind == .typed)
        let (token, sound) = (try #require(timeline.firstToken), try #require(timeline.firstSound))
        #expect(timeline.asked <= token && token <= sound)
        let share = try #require(timeline.serverShare)
        #expect(share <= sound - timeline.asked)
        guard case .speechFinished(_, let position, let interrupted) = try #require(told.last) else { return }
        #expect(!interrupted && position > .seconds(1))
        let loud = try bench.sink.levels(from: first).filter { $0 > 200 }.count
        #expect(loud >= 40, "\(loud) loud packets")
        #expect(bench.metrics.prometheusText().contains("avatar_turn_first_sound_seconds_count 1"))
        #expect(bench.metrics.prometheusText().contains("avatar_turn_server_share_seconds_count 1"))
        await bench.close()
    }

    @Test("tells the time from a text to its first sound")
    func timeToFirstSound() async throws {
        let bench = try StageBench("time", try Self.profile())
        var events = EventReader(bench.conversation)
        var sounds: [Double] = []
        var shares: [Double] = []
        for _ in 0..<15 {
            try await bench.conversation.ask("hello")
            let told = await events.read(until: \.isTurn)
            guard case .turn(let timeline) = told.last else { continue }
            sounds.append(try #require(timeline.timeToFirstSound).milliseconds)
            shares.append(try #require(timeline.serverShare).milliseconds)
        }
        try #require(sounds.count == 15, "only \(sounds.count) of 15 turns were told")
        let median = (sounds.sorted()[7], shares.sorted()[7])
        print(
            "text to first sound: median \(median.0) ms, the server's share \(median.1) ms, at most \(shares.max() ?? 0)"
        )
        #expect(median.0 > 0)
        #expect(median.1 <= median.0)
        await bench.close()
    }

    @Test("stops a hundred times within a packet or two, each time at the position it tells")
    func interruptions() async throws {
        let bench = try StageBench("interrupt", try Self.profile())
        var events = EventReader(bench.conversation)
        // A loud tone, so that each packet of speech is heard as such.
        let tone = (0..<(48_000 * 10)).map { Int16(8_000 * sin(Double($0) * 2 * .pi * 400 / 48_000)) }
        var worst = 0.0
        for number in 0..<100 {
            let first = bench.sink.count
            let utterance = try await bench.conversation.say(sound: tone)
            await events.read(until: { $0 == .speechStarted(utterance) })
            await bench.sink.wait(for: number % 5)
            let interruptions = await bench.conversation.interrupt()
            let atAnswer = bench.sink.count
            #expect(interruptions.map(\.utterance) == [utterance])
            let position = try #require(interruptions.first).position
            // The report of the stage says the same.
            let last = await events.read(until: \.isSpeechFinished).last
            #expect(last == .speechFinished(utterance, position: position, interrupted: true))
            await bench.sink.wait(for: 3)
            let levels = try bench.sink.levels(from: first)
            let heard = Double(levels.filter { $0 > 1_000 }.count) * 20
            worst = max(worst, abs(heard - position.milliseconds))
            #expect(abs(heard - position.milliseconds) <= 40, "heard \(heard) ms, told \(position.milliseconds) ms")
            let after = levels.dropFirst(atAnswer - first + 2)
            #expect(after.allSatisfy { $0 < 1_000 }, "sound after the answer")
        }
        print("positions are right within \(worst) ms")
        await bench.close()
    }

    @Test("says a new answer at once after an interruption, and what is begun after it is not dropped")
    func interruptAndAsk() async throws {
        let bench = try StageBench("again", try Self.profile())
        var events = EventReader(bench.conversation)
        for _ in 0..<5 {
            try await bench.conversation.ask("count")
            await events.read(until: \.isSpeechStarted)
            // Not awaited before the next: they meet on the way.
            async let interruption = bench.conversation.interrupt()
            let utterance = try await bench.conversation.say("Yes.")
            _ = await interruption
            let told = await events.read(until: { $0 == .speechStarted(utterance) || isFinish($0, of: utterance) })
            if case .speechFinished(_, _, let interrupted) = told.last { #expect(interrupted) }
            await bench.conversation.interrupt()
        }
        try await bench.conversation.ask("count")
        await events.read(until: \.isSpeechStarted)
        try await bench.conversation.ask("hello")
        let next = await events.read(until: \.isSpeechStarted)
        #expect(next.contains(.textComplete("Hello. I am happy to see you.")))
        let end = await events.read(until: { isFinish($0) })
        if case .speechFinished(_, _, let interrupted) = end.last { #expect(!interrupted) }
        await bench.close()
    }

    private func isFinish(_ event: ConversationEvent, of utterance: UtteranceID? = nil) -> Bool {
        if case .speechFinished(let id, _, _) = event { utterance == nil || id == utterance } else { false }
    }

    @Test("lets nothing cross over to another conversation")
    func isolation() async throws {
        let (left, right) = (try StageBench("left", try Self.profile()), try StageBench("right", try Self.profile()))
        var (leftEvents, rightEvents) = (EventReader(left.conversation), EventReader(right.conversation))
        try await left.conversation.ask("count")
        try await right.conversation.ask("hello")
        await leftEvents.read(until: \.isSpeechStarted)
        await rightEvents.read(until: \.isSpeechStarted)
        #expect(await left.conversation.interrupt().count == 1)
        let end = await rightEvents.read(until: \.isSpeechFinished)
        guard case .speechFinished(_, _, let interrupted) = end.last else { return }
        #expect(!interrupted)
        #expect(
            !rightEvents.all.contains { if case .textStream(let token) = $0 { token.contains("One") } else { false } })
        #expect(await right.conversation.machine.dialogue.map(\.content) == ["hello", "Hello. I am happy to see you."])
        await left.close()
        await right.close()
    }

    @Test("apologises aloud with the built-in voice where the voice fails, and goes on")
    func voiceFails() async throws {
        var profile = try Self.profile()
        profile.voice = ScriptedVoice { _, continuation in
            continuation.finish(
                throwing: BackendError(code: .refused, part: "voice", reason: "status 500", remedy: "see its log"))
        }
        let bench = try StageBench("voice", profile)
        var events = EventReader(bench.conversation)
        for _ in 0..<2 {
            let first = bench.sink.count
            try await bench.conversation.ask("hello")
            let told = await events.read(until: \.isSpeechFinished)
            #expect(told.contains { $0.isFailure(of: "voice") })
            #expect(told.contains(.textComplete("Hello. I am happy to see you.")))
            let loud = try bench.sink.levels(from: first).filter { $0 > 200 }.count
            #expect(loud > 30)
        }
        #expect(
            bench.metrics.prometheusText().contains(
                "avatar_conversation_failures_total{part=\"voice\",code=\"refused\"} 2"))
        await bench.close()
    }

    @Test("apologises where the answer fails with an error of any kind, and goes on")
    func answerFails() async throws {
        struct Odd: Error {}
        var profile = try Self.profile()
        profile.answerer = ScriptedAnswerer { history, continuation in
            if history.last?.content == "fail" { return continuation.finish(throwing: Odd()) }
            continuation.yield("All is well.")
            continuation.finish()
        }
        let bench = try StageBench("answer", profile)
        var events = EventReader(bench.conversation)
        try await bench.conversation.ask("fail")
        let told = await events.read(until: \.isSpeechFinished)
        #expect(told.contains { $0.isFailure(of: "answering") })
        try await bench.conversation.ask("again")
        #expect(await events.read(until: \.isSpeechFinished).contains(.textComplete("All is well.")))
        await bench.close()
    }

    @Test("calls a model off at once when it is interrupted, asked anew, or closed")
    func cancellation() async throws {
        let (ended, continuation) = AsyncStream<String>.makeStream()
        var profile = try Self.profile()
        profile.answerer = ScriptedAnswerer { history, writer in
            let question = history.last?.content ?? ""
            // Never finishes by itself.
            writer.onTermination = { _ in continuation.yield(question) }
            writer.yield("Wait")
        }
        let bench = try StageBench("cancel", profile)
        var events = EventReader(bench.conversation)
        var endings = ended.makeAsyncIterator()
        try await bench.conversation.ask("a", aloud: false)
        await events.read(until: { $0 == .textStream("Wait") })
        await bench.conversation.interrupt()
        #expect(await endings.next() == "a")
        try await bench.conversation.ask("b", aloud: false)
        await events.read(until: { $0 == .textStream("Wait") })
        try await bench.conversation.ask("c", aloud: false)
        #expect(await endings.next() == "b")
        await events.read(until: { $0 == .textStream("Wait") })
        await bench.conversation.close()
        #expect(await endings.next() == "c")
        await bench.close()
    }

    @Test("gives every subscriber the same events, and ends them all")
    func subscribers() async throws {
        let bench = try StageBench("many", try Self.profile())
        var readers = (0..<3).map { _ in EventReader(bench.conversation) }
        try await bench.conversation.ask("hello")
        await readers[0].read(until: \.isSpeechFinished)
        await bench.close()
        for index in readers.indices { await readers[index].readToEnd() }
        #expect(readers[0].all == readers[1].all && readers[1].all == readers[2].all)
        var late = EventReader(bench.conversation)
        await late.readToEnd()
        #expect(late.all.isEmpty)
    }

    @Test("keeps a slow subscriber's latest events only, and counts the others")
    func slowSubscriber() async throws {
        var profile = try Self.profile()
        profile.answerer = ScriptedAnswerer { _, continuation in
            for _ in 0..<2_000 { continuation.yield("a ") }
            continuation.finish()
        }
        let bench = try StageBench("slow", profile)
        var (quick, slow) = (EventReader(bench.conversation), EventReader(bench.conversation))
        try await bench.conversation.ask("much", aloud: false)
        await quick.read(until: \.isTurn)
        await bench.close()
        await slow.readToEnd()
        #expect(slow.all.count <= EventSubscribers.bufferedEvents)
        #expect(slow.all.contains { $0.isTurn })
        #expect(bench.conversation.metrics.droppedEvents.current > 0)
    }

    @Test("refuses what it cannot take, each with its reason")
    func refusals() async throws {
        let bench = try StageBench("refuse", try Self.profile())
        let conversation = bench.conversation
        await expectRefusal(.textEmpty) { try await conversation.ask(" \u{0}\n") }
        await expectRefusal(.textTooLong) {
            try await conversation.ask(String(repeating: "a", count: 1_000_000))
        }
        await expectRefusal(.textEmpty) { _ = try await conversation.say("\u{1F600}") }
        await expectRefusal(.soundUnusable) { _ = try await conversation.say(sound: []) }
        await expectRefusal(.hearingUnavailable) { try await conversation.ask(recording: [1, 2, 3]) }
        let text = String(repeating: "word ", count: 1_500)
        await expectRefusal(.tooMuchWaiting) {
            for _ in 0..<5 { _ = try await conversation.say(text) }
        }
        await bench.close()
        await expectRefusal(.closed) { try await conversation.ask("hello") }
        #expect(await conversation.interrupt().isEmpty)
    }
}

/// Expects a refusal with that code.
private func expectRefusal(_ code: ConversationError.Code, _ body: () async throws -> Void) async {
    do {
        try await body()
        Issue.record("nothing was refused: \(code)")
    } catch {
        #expect((error as? ConversationError)?.code == code, "\(error)")
    }
}

private func sin(_ value: Double) -> Double {
    // Taylor's series is enough for a tone, and needs no C library.
    var angle = value.truncatingRemainder(dividingBy: 2 * .pi)
    if angle > .pi { angle -= 2 * .pi }
    var (term, sum) = (angle, angle)
    for step in 1...8 {
        term *= -angle * angle / Double((2 * step) * (2 * step + 1))
        sum += term
    }
    return sum
}
