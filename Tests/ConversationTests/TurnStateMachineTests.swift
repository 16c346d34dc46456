import Core
import MediaPipeline
import TestSupport
import Testing

@testable import Conversation

@Suite("The turn machine")
struct TurnStateMachineTests {
    @Test("takes a typed question through tokens, sentences and sound to rest")
    func typedTurn() {
        var bench = TurnBench { $0.systemPrompt = "Be kind." }
        let turn = TurnID(1)
        #expect(
            bench.feed(.questionAsked(turn, "who are you", isAloud: true))
                == ["thinking", "answer t1: system Be kind. / user who are you"])
        #expect(bench.feed(.tokenReceived(turn, "I am Ada.", took: .zero)) == ["token: I am Ada."])
        #expect(
            bench.feed(.tokenReceived(turn, " And you?", took: .zero))
                == ["token:  And you?", "generating_audio_video", "synthesise s1 I am Ada."])
        #expect(bench.feed(.answerEnded(turn)) == ["text: I am Ada. And you?"])
        #expect(bench.part(1, seconds: 1) == ["begin p1", "append 48000 to p1"])
        #expect(bench.made(1) == ["synthesise s2 And you?"])
        #expect(bench.feed(.playbackStarted(SpeechID(value: 1))) == ["timeline t1"])
        #expect(bench.part(2, seconds: 1) == ["append 48000 to p1"])
        #expect(bench.made(2) == ["end p1"])
        #expect(
            bench.feed(.playbackFinished(SpeechID(value: 1), position: .seconds(2), interrupted: false)) == ["idle"])
        #expect(bench.machine.isAtRest)
        #expect(bench.machine.deadline == nil)
        #expect(bench.dialogue == ["user: who are you", "assistant: I am Ada. And you?"])
    }

    @Test("takes speech through recognition to an answer")
    func spokenTurn() {
        var bench = TurnBench()
        let ended = bench.clock.now
        #expect(bench.feed(.personBeganToSpeak) == ["person speaks", "listening"])
        #expect(bench.feed(.personBeganToSpeak).isEmpty)
        #expect(
            bench.feed(.personFinished(TurnID(4), ended: ended), after: .milliseconds(700))
                == ["person is silent", "thinking", "recognise t4"])
        #expect(
            bench.feed(.transcribed(TurnID(4), "hello", took: .milliseconds(90)), after: .milliseconds(100))
                == ["heard: hello", "answer t4: user hello"])
    }

    @Test("tells each part of a turn's time, and the server's own share of it")
    func timeline() throws {
        var bench = TurnBench()
        let ended = bench.clock.now
        bench.feed(.personFinished(TurnID(1), ended: ended), after: .milliseconds(700))
        bench.feed(.transcribed(TurnID(1), "hello", took: .milliseconds(90)), after: .milliseconds(95))
        bench.feed(.tokenReceived(TurnID(1), "Good", took: .milliseconds(200)), after: .milliseconds(201))
        bench.feed(.tokenReceived(TurnID(1), " day. ", took: .milliseconds(50)), after: .milliseconds(50))
        // What is written while the voice works does not count again.
        bench.feed(.tokenReceived(TurnID(1), "More", took: .milliseconds(5)), after: .milliseconds(5))
        let part = SpokenPart(samples: [1, 2, 3], visemes: nil)
        bench.feed(.partMade(SentenceID(value: 1), part, took: .milliseconds(60)), after: .milliseconds(57))
        bench.clock.advance(by: .milliseconds(20))
        bench.machine.handle(.playbackStarted(SpeechID(value: 1)), now: bench.clock.now)
        var timeline: TurnTimeline?
        while let output = bench.machine.pollOutput() {
            if case .report(.turn(let found)) = output { timeline = found }
        }
        let found = try #require(timeline)
        #expect(found.timeToHeard == .milliseconds(700))
        #expect(found.timeToTranscript == .milliseconds(795))
        #expect(found.timeToFirstToken == .milliseconds(996))
        #expect(found.timeToFirstSound == .milliseconds(1128))
        #expect(found.serverShare == .milliseconds(1128 - 700 - 90 - 250 - 60))
    }

    @Test("answers in writing only where nobody shall hear it")
    func written() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: false))
        bench.feed(.tokenReceived(TurnID(1), "Hello there. ", took: .zero))
        #expect(bench.feed(.answerEnded(TurnID(1))) == ["text: Hello there. ", "timeline t1", "idle"])
        #expect(bench.machine.isAtRest)
    }

    @Test("says given texts one after the other, without a turn")
    func verbatim() {
        var bench = TurnBench()
        let (first, second) = (bench.machine.makeSpeechID(), bench.machine.makeSpeechID())
        #expect(bench.feed(.textGiven(first, [sentence("A.")])) == ["synthesise s1 A."])
        #expect(bench.feed(.textGiven(second, [sentence("B.")])) == [])
        #expect(bench.part(1, seconds: 1) == ["append 48000 to p1"])
        #expect(bench.made(1) == ["synthesise s2 B.", "end p1"])
        #expect(bench.part(2, seconds: 1) == ["append 48000 to p2"])
        #expect(bench.made(2) == ["end p2"])
        #expect(bench.feed(.playbackFinished(first, position: .seconds(1), interrupted: false)) == [])
        #expect(bench.feed(.playbackFinished(second, position: .seconds(1), interrupted: false)) == ["idle"])
        #expect(bench.dialogue.isEmpty)
    }

    @Test("plays a given sound as it is")
    func sound() {
        var bench = TurnBench()
        let speech = bench.machine.makeSpeechID()
        #expect(bench.feed(.soundGiven(speech, [1, 2, 3])) == ["append 3 to p1", "end p1"])
        #expect(bench.feed(.playbackFinished(speech, position: .zero, interrupted: false)) == ["idle"])
    }

    @Test("makes two sentences ahead of the one that is heard, and the next when that one has been heard")
    func pipelining() throws {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "count", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Aa. Bb. Cc. Dd. Ee. ", took: .zero))
        bench.feed(.answerEnded(TurnID(1)))
        _ = bench.part(1, seconds: 1)
        #expect(bench.made(1) == ["synthesise s2 Bb."])
        bench.feed(.playbackStarted(SpeechID(value: 1)))
        let started = bench.clock.now
        _ = bench.part(2, seconds: 1)
        #expect(bench.made(2) == ["synthesise s3 Cc."])
        _ = bench.part(3, seconds: 1)
        // The first is heard, two wait: no fourth.
        #expect(bench.made(3) == [])
        #expect(bench.machine.deadline == started + .seconds(1))
        #expect(bench.feed(.timeout, after: .milliseconds(999)) == [])
        #expect(bench.feed(.timeout, after: .milliseconds(1)) == ["synthesise s4 Dd."])
        _ = bench.part(4, seconds: 1)
        #expect(bench.made(4) == [])
        #expect(bench.passDeadline() == ["synthesise s5 Ee."])
        #expect(bench.clock.now == started + .seconds(2))
        _ = bench.part(5, seconds: 1)
        #expect(bench.made(5) == ["end p1"])
        #expect(bench.machine.deadline == nil)
    }

    @Test("does not let a text that waits behind take the answer's room at the voice")
    func room() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "count", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Aa. Bb", took: .zero))
        _ = bench.part(1, seconds: 1)
        _ = bench.made(1)
        bench.feed(.playbackStarted(SpeechID(value: 1)))
        let later = bench.machine.makeSpeechID()
        #expect(
            bench.feed(.textGiven(later, [sentence("X."), sentence("Y."), sentence("Z.")])) == ["synthesise s2 X."])
        _ = bench.part(2, seconds: 1)
        #expect(bench.made(2) == ["synthesise s3 Y."])
        _ = bench.part(3, seconds: 1)
        #expect(bench.made(3) == [])
        #expect(bench.feed(.tokenReceived(TurnID(1), ". C", took: .zero)) == ["token: . C", "synthesise s4 Bb."])
    }

    @Test("every deadline passes: none is due for ever", arguments: 1...6)
    func deadlinesPass(sentences: Int) {
        var bench = TurnBench()
        let began = bench.clock.now
        let (first, second) = (bench.machine.makeSpeechID(), bench.machine.makeSpeechID())
        bench.feed(.textGiven(first, (0..<sentences).map { sentence("A\($0).") }))
        bench.feed(.textGiven(second, (0..<sentences).map { sentence("B\($0).") }))
        bench.feed(.playbackStarted(first))
        for number in 1...UInt64(sentences * 2) {
            _ = bench.part(number, seconds: 0.5)
            _ = bench.made(number)
            var last: Instant?
            while bench.machine.voiceWork == nil, let deadline = bench.machine.deadline {
                #expect(last.map { deadline > $0 } ?? true)
                last = deadline
                _ = bench.passDeadline()
            }
        }
        #expect(bench.clock.now - began < .seconds(10))
    }

    @Test("understands nothing and rests", arguments: ["", " \n", "...", "?!"])
    func emptyTranscript(text: String) {
        var bench = TurnBench()
        bench.feed(.personFinished(TurnID(1), ended: bench.clock.now))
        #expect(
            bench.feed(.transcribed(TurnID(1), text, took: .zero))
                == ["empty transcript", "nothing_understood", "timeline t1", "idle"])
        #expect(bench.dialogue.isEmpty)
    }

    @Test("apologises for an empty answer", arguments: ["", " \n "])
    func emptyAnswer(text: String) {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), text, took: .zero))
        let told = bench.feed(.answerEnded(TurnID(1)))
        #expect(told.contains("failed answering malformedAnswer"))
        #expect(told.last == "synthesise s1 Sorry.")
    }

    @Test("says nothing of an answer that cannot be said, and rests")
    func unspeakableAnswer() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "\u{1F600}\u{1F680} !!", took: .zero))
        #expect(bench.feed(.answerEnded(TurnID(1))).last == "idle")
        #expect(bench.machine.isAtRest)
    }

    @Test("cuts an answer at its limit, and what comes after changes nothing")
    func longAnswer() {
        var bench = TurnBench { $0.maximumAnswerCharacters = 30 }
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Word word. ", took: .zero))
        let told = bench.feed(.tokenReceived(TurnID(1), String(repeating: "x", count: 1_000_000), took: .zero))
        #expect(told.contains("cancel answer t1"))
        #expect(told.contains("answer cut"))
        #expect(told.contains("text: Word word. " + String(repeating: "x", count: 19)))
        #expect(bench.feed(.tokenReceived(TurnID(1), "more", took: .zero)) == [])
        #expect(bench.feed(.answerEnded(TurnID(1))) == [])
    }

    @Test("lets stale results change nothing")
    func stale() {
        var bench = TurnBench()
        bench.speak()
        bench.feed(.questionAsked(TurnID(2), "next", isAloud: true))
        let stale: [TurnStateMachine.Input] = [
            .tokenReceived(TurnID(1), "old", took: .zero), .answerEnded(TurnID(1)),
            .answerFailed(TurnID(1), answeringFailure), .transcribed(TurnID(1), "old", took: .zero),
            .transcribed(TurnID(2), "never asked for", took: .zero), .recognitionFailed(TurnID(2), hearingFailure),
            .sentenceMade(SentenceID(value: 1)), .voiceFailed(SentenceID(value: 2), voiceFailure),
            .partMade(SentenceID(value: 2), SpokenPart(samples: [1], visemes: nil), took: .zero),
            .stageRefused(SpeechID(value: 1), stageFailure), .playbackStarted(SpeechID(value: 1)),
            .playbackFinished(SpeechID(value: 99), position: .zero, interrupted: true), .timeout, .personGaveUp,
        ]
        for input in stale { #expect(bench.feed(input) == [], "\(input)") }
    }
}

func sentence(_ text: String) -> SentenceStream.Sentence {
    SentenceStream.Sentence(written: text, spoken: text)
}
