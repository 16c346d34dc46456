import Core
import MediaPipeline
import Testing

@testable import Conversation

@Suite("The turn machine, when a part fails")
struct FailureTests {
    @Test("apologises where the recogniser fails, and takes the next question")
    func hearing() {
        var bench = TurnBench()
        bench.feed(.recordingGiven(TurnID(1)))
        #expect(
            bench.feed(.recognitionFailed(TurnID(1), hearingFailure))
                == ["failed hearing timedOut", "apology", "synthesise s1 Sorry."])
        finishApology(&bench)
    }

    @Test("apologises where the answer fails before its first word")
    func answering() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        #expect(
            bench.feed(.answerFailed(TurnID(1), answeringFailure))
                == ["failed answering unreachable", "apology", "synthesise s1 Sorry."])
        #expect(bench.dialogue == ["user: hi"])
        finishApology(&bench)
    }

    @Test("says what was written of an answer that fails half way, and then apologises")
    func answeringHalfWay() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Well. I thi", took: .zero))
        let told = bench.feed(.answerFailed(TurnID(1), answeringFailure))
        #expect(told.contains("text: Well. I thi"))
        _ = bench.part(1, seconds: 1)
        #expect(bench.made(1) == ["synthesise s2 I thi"])
        _ = bench.part(2, seconds: 1)
        #expect(bench.made(2) == ["synthesise s3 Sorry."])
        _ = bench.part(3, seconds: 1)
        #expect(bench.made(3) == ["end p1"])
        #expect(bench.dialogue == ["user: hi", "assistant: Well. I thi"])
    }

    @Test("only writes where the answer fails and nobody listens")
    func written() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: false))
        #expect(
            bench.feed(.answerFailed(TurnID(1), answeringFailure))
                == ["failed answering unreachable", "timeline t1", "idle"])
    }

    @Test("apologises with the other voice where the voice fails, at its first or a later sentence", arguments: [1, 2])
    func voice(at failing: UInt64) {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Aa. Bb. Cc. Dd", took: .zero))
        if failing == 2 {
            _ = bench.part(1, seconds: 1)
            _ = bench.made(1)
        }
        let told = bench.feed(.voiceFailed(SentenceID(value: failing), voiceFailure))
        #expect(told == ["failed voice refused", "apology", "synthesise s\(failing + 1) Sorry. (other voice)"])
        // The text goes on, unsaid.
        #expect(bench.feed(.tokenReceived(TurnID(1), " and more. ", took: .zero)) == ["token:  and more. "])
        #expect(bench.feed(.answerEnded(TurnID(1))).contains("text: Aa. Bb. Cc. Dd and more. "))
        _ = bench.part(failing + 1, seconds: 1)
        #expect(bench.made(failing + 1) == ["end p1"])
        #expect(
            bench.feed(.playbackFinished(SpeechID(value: 1), position: .seconds(1), interrupted: false)).last == "idle")
        #expect(bench.machine.isAtRest)
    }

    @Test("gives up where the other voice fails as well")
    func bothVoices() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Aa. Bb", took: .zero))
        bench.feed(.answerEnded(TurnID(1)))
        bench.feed(.voiceFailed(SentenceID(value: 1), voiceFailure))
        #expect(
            bench.feed(.voiceFailed(SentenceID(value: 2), voiceFailure)) == [
                "failed voice refused", "timeline t1", "idle",
            ])
        #expect(bench.machine.isAtRest)
    }

    @Test("apologises in a given text's own utterance where the voice fails, and says the next text")
    func verbatim() {
        var bench = TurnBench()
        let (first, second) = (bench.machine.makeSpeechID(), bench.machine.makeSpeechID())
        bench.feed(.textGiven(first, [sentence("A."), sentence("B.")]))
        bench.feed(.textGiven(second, [sentence("C.")]))
        #expect(
            bench.feed(.voiceFailed(SentenceID(value: 1), voiceFailure))
                == ["failed voice refused", "apology", "synthesise s2 Sorry. (other voice)"])
        #expect(bench.part(2, seconds: 1) == ["append 48000 to p1"])
        #expect(bench.made(2) == ["synthesise s3 C.", "end p1"])
    }

    @Test("ends the turn where the stage takes no utterance, and where it takes no more sound", arguments: [1, 2])
    func stage(at part: UInt64) {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Aa. Bb. Cc", took: .zero))
        _ = bench.part(1, seconds: 1)
        if part == 2 {
            _ = bench.made(1)
            _ = bench.part(2, seconds: 1)
        }
        let told = bench.feed(.stageRefused(SpeechID(value: 1), stageFailure))
        #expect(told == ["failed stage refused", "cancel synthesis s\(part)", "end p1"])
        bench.feed(.answerEnded(TurnID(1)))
        bench.feed(.playbackFinished(SpeechID(value: 1), position: .seconds(1), interrupted: false))
        #expect(bench.machine.isAtRest)
    }

    @Test("loses patience with a recogniser, an answerer and a voice that give nothing")
    func patience() {
        var bench = TurnBench { $0.patience = .seconds(10) }
        bench.feed(.recordingGiven(TurnID(1)))
        #expect(bench.feed(.timeout, after: .milliseconds(9_999)) == [])
        #expect(bench.passDeadline()?.prefix(2) == ["cancel recognition t1", "failed hearing timedOut"])

        bench.feed(.questionAsked(TurnID(2), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(2), "We", took: .zero), after: .seconds(8))
        #expect(bench.feed(.timeout, after: .seconds(8)) == [])
        let told = bench.passDeadline() ?? []
        #expect(told.contains("cancel answer t2"))
        #expect(told.contains("failed answering timedOut"))

        bench.feed(.questionAsked(TurnID(3), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(3), "Well. ", took: .zero))
        bench.feed(.answerEnded(TurnID(3)))
        let silent = bench.machine.voiceWork?.sentence.value ?? 0
        let last = bench.passDeadline() ?? []
        #expect(last.prefix(2) == ["cancel synthesis s\(silent)", "failed voice timedOut"])
        #expect(last.last == "synthesise s\(silent + 1) Sorry. (other voice)")
    }

    @Test("tells where the voice has no sound for a whole text, and is silent about a sentence of it")
    func silence() {
        var bench = TurnBench()
        bench.feed(.questionAsked(TurnID(1), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(1), "Ja.", took: .zero))
        bench.feed(.answerEnded(TurnID(1)))
        #expect(bench.made(1).contains("failed voice unusableInput"))
        #expect(bench.machine.isAtRest)

        bench.feed(.questionAsked(TurnID(2), "hi", isAloud: true))
        bench.feed(.tokenReceived(TurnID(2), "Ja. Yes.", took: .zero))
        bench.feed(.answerEnded(TurnID(2)))
        var told = bench.made(2)
        told += bench.part(3, seconds: 1)
        told += bench.made(3)
        #expect(told.last == "end p2")
        #expect(!told.contains { $0.hasPrefix("failed") })
    }

    private func finishApology(_ bench: inout TurnBench) {
        #expect(bench.part(1, seconds: 1) == ["begin p1", "append 48000 to p1"])
        #expect(bench.made(1) == ["end p1"])
        bench.feed(.playbackStarted(SpeechID(value: 1)))
        #expect(
            bench.feed(.playbackFinished(SpeechID(value: 1), position: .seconds(1), interrupted: false)).last == "idle")
        #expect(bench.machine.isAtRest)
        #expect(bench.feed(.questionAsked(TurnID(9), "again", isAloud: true)).first == "thinking")
    }
}
