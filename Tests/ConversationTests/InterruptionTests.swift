import Core
import MediaPipeline
import TestSupport
import Testing

@testable import Conversation

@Suite("The turn machine, interrupted")
struct InterruptionTests {
    /// How far a turn has come when it is interrupted.
    enum Moment: CaseIterable {
        case recognising, thinking, writing, voicing, begun, heard, between, lastHeard

        /// Brings a bench there, and tells what must be called off.
        func reach(_ bench: inout TurnBench) -> Set<String> {
            guard self != .recognising else {
                bench.feed(.personFinished(TurnID(1), ended: bench.clock.now))
                return ["cancel recognition t1"]
            }
            bench.feed(.questionAsked(TurnID(1), "count", isAloud: true))
            if self == .thinking { return ["cancel answer t1"] }
            bench.feed(.tokenReceived(TurnID(1), "One is", took: .zero))
            if self == .writing { return ["cancel answer t1"] }
            bench.feed(.tokenReceived(TurnID(1), " one. Two is two. ", took: .zero))
            if self == .voicing { return ["cancel answer t1", "cancel synthesis s1"] }
            _ = bench.part(1, seconds: 2)
            if self == .begun { return ["cancel answer t1", "cancel synthesis s1", "interrupt stage"] }
            bench.feed(.playbackStarted(SpeechID(value: 1)))
            if self == .heard { return ["cancel answer t1", "cancel synthesis s1", "interrupt stage"] }
            _ = bench.made(1)
            _ = bench.part(2, seconds: 2)
            _ = bench.made(2)
            if self == .between { return ["cancel answer t1", "interrupt stage"] }
            bench.feed(.answerEnded(TurnID(1)))
            return ["interrupt stage"]
        }
    }

    @Test("calls off exactly what is going on, at every moment", arguments: Moment.allCases)
    func interrupted(moment: Moment) {
        var bench = TurnBench()
        let expected = moment.reach(&bench)
        let told = bench.feed(.interrupted)
        #expect(Set(told.filter { $0.hasPrefix("cancel") || $0 == "interrupt stage" }) == expected)
        #expect(told.last == "idle")
        #expect(told.contains("interrupted by request"))
        #expect(bench.machine.isAtRest)
        #expect(bench.machine.deadline == nil)
        // Once more has nothing to call off.
        #expect(bench.feed(.interrupted) == ["idle"])
    }

    @Test("begins the next question at every moment of the one before", arguments: Moment.allCases)
    func twoQuestions(moment: Moment) {
        var bench = TurnBench()
        let expected = moment.reach(&bench)
        let told = bench.feed(.questionAsked(TurnID(2), "and now", isAloud: true))
        #expect(Set(told.filter { $0.hasPrefix("cancel") || $0 == "interrupt stage" }) == expected)
        #expect(told.contains("interrupted by question"))
        #expect(told.last?.hasPrefix("answer t2: ") == true)
        #expect(!told.contains("idle"))
        // And is answered aloud.
        bench.feed(.tokenReceived(TurnID(2), "Yes. ", took: .zero))
        bench.feed(.answerEnded(TurnID(2)))
        let sentence = bench.machine.voiceWork?.sentence
        #expect(sentence != nil)
    }

    @Test("listens when somebody speaks over it, at every moment", arguments: Moment.allCases)
    func bargeIn(moment: Moment) {
        var bench = TurnBench()
        let expected = moment.reach(&bench)
        #expect(bench.feed(.personBeganToSpeak) == ["person speaks"])
        let told = bench.feed(.bargedIn)
        #expect(Set(told.filter { $0.hasPrefix("cancel") || $0 == "interrupt stage" }) == expected)
        #expect(told.contains("interrupted by barge_in"))
        #expect(told.last == "listening")
        #expect(bench.feed(.personGaveUp) == ["person is silent", "idle"])
    }

    @Test("does not begin to speak over somebody who goes on with the question")
    func goesOn() {
        var bench = TurnBench()
        bench.feed(.personBeganToSpeak)
        bench.feed(.personFinished(TurnID(1), ended: bench.clock.now))
        bench.feed(.transcribed(TurnID(1), "tell me", took: .zero))
        bench.feed(.tokenReceived(TurnID(1), "What? ", took: .zero))
        bench.feed(.personBeganToSpeak)
        _ = bench.part(1, seconds: 1)
        let told = bench.feed(.playbackStarted(SpeechID(value: 1)))
        #expect(told.contains("interrupt stage"))
        bench.feed(.playbackFinished(SpeechID(value: 1), position: .milliseconds(20), interrupted: true))
        bench.feed(.personFinished(TurnID(2), ended: bench.clock.now))
        let next = bench.feed(.transcribed(TurnID(2), "about trees", took: .zero))
        #expect(next.contains { $0.hasPrefix("answer t2: user tell me") && $0.hasSuffix("about trees") })
    }

    @Test("keeps what was heard: by the clock at once, by the stage's word exactly")
    func heard() {
        var bench = TurnBench()
        bench.speak()
        bench.feed(.interrupted, after: .milliseconds(3_100))
        #expect(bench.dialogue == ["user: count", "assistant: One is one. Two is"])
        bench.feed(.playbackFinished(SpeechID(value: 1), position: .milliseconds(2_000), interrupted: true))
        #expect(bench.dialogue == ["user: count", "assistant: One is one."])
    }

    @Test("gives the next question a history that ends where the voice was cut")
    func historyOfNext() {
        var bench = TurnBench()
        bench.speak()
        let told = bench.feed(.questionAsked(TurnID(2), "stop", isAloud: true), after: .milliseconds(500))
        #expect(told.last == "answer t2: user count / assistant One / user stop")
    }

    @Test("forgets an answer of which nothing was heard, and joins the questions")
    func unheard() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "first", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "One is one. Two is two.", took: .zero))
        bench.feed(.answerEnded(TurnID(1)))
        let told = bench.feed(.questionAsked(TurnID(2), "second", isAloud: true), after: .seconds(5))
        #expect(told.last == "answer t2: user first\nsecond")
    }

    @Test("keeps a written answer whole when it is cut off, for it was read")
    func read() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: false))
        bench.feed(.tokenReceived(TurnID(1), "Hello the", took: .zero))
        #expect(bench.feed(.interrupted).contains("text: Hello the"))
        #expect(bench.dialogue == ["user: hi", "assistant: Hello the"])
    }

    @Test("cuts given texts off too, and says nothing of them afterwards")
    func verbatim() {
        var bench = TurnBench()
        let speech = bench.machine.makeSpeechID()
        bench.feed(.textGiven(speech, [sentence("A."), sentence("B.")]))
        let told = bench.feed(.interrupted)
        #expect(told.contains("cancel synthesis s1"))
        #expect(told.contains("interrupt stage"))
        #expect(bench.feed(.playbackFinished(speech, position: .zero, interrupted: true)) == [])
        #expect(bench.machine.isAtRest)
    }

    @Test("ends the turn where the stage was stopped by somebody else")
    func stageStopped() {
        var bench = TurnBench()
        bench.speak()
        let told = bench.feed(
            .playbackFinished(SpeechID(value: 1), position: .seconds(1), interrupted: true), after: .seconds(1))
        #expect(told.contains("interrupted by stage"))
        #expect(told.last == "idle")
        #expect(bench.machine.isAtRest)
        #expect(bench.dialogue == ["user: count", "assistant: One is"])
    }

    @Test("takes a hundred interruptions in a row at any time, each with the words that were heard")
    func hundred() {
        var bench = TurnBench()
        for number in 0..<100 {
            let turn = TurnID(UInt64(number + 1))
            bench.feed(.questionAsked(turn, "q\(number)", isAloud: true))
            bench.feed(.tokenReceived(turn, "aa bb cc dd ee ff gg hh ii jj. Next", took: .zero))
            let sentence = SentenceID(value: UInt64(number + 1))
            let part = SpokenPart(samples: [Int16](repeating: 0, count: 48_000), visemes: nil)
            bench.feed(.partMade(sentence, part, took: .zero))
            let speech = SpeechID(value: UInt64(number + 1))
            bench.feed(.playbackStarted(speech))
            let time = Duration.milliseconds(10 + 9 * number)
            bench.feed(.interrupted, after: time)
            bench.feed(.playbackFinished(speech, position: time, interrupted: true))
            // 30 characters a second; the word that was begun counts.
            let characters = (10 + 9 * number) * 30 / 1000
            let words = min(10, (characters + 2) / 3)
            let heard = bench.machine.dialogue.last { $0.role == .assistant }?.content.split(separator: " ").count
            let expected = characters % 3 == 0 ? words...max(words, words + 1) : words...words
            #expect(number == 0 || expected.contains(heard ?? 0), "\(time): \(heard ?? 0) of \(words)")
        }
        #expect(bench.machine.cutSpeeches.isEmpty)
        #expect(bench.machine.isAtRest)
    }
}
