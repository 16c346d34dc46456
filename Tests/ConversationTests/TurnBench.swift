import Core
import MediaPipeline
import TestSupport

@testable import Conversation

/// A turn machine with a clock that the test moves, and everything it ordered, in words.
struct TurnBench {
    var machine: TurnStateMachine
    var clock = ManualClock()
    /// Samples of a part of one second.
    static let second = 48_000

    init(change: (inout TurnStateMachine.Configuration) -> Void = { _ in }) {
        var configuration = TurnStateMachine.Configuration()
        configuration.apology = "Sorry."
        change(&configuration)
        machine = TurnStateMachine(configuration: configuration)
    }

    /// Feeds one input and tells what came of it.
    @discardableResult
    mutating func feed(_ input: TurnStateMachine.Input, after time: Duration = .zero) -> [String] {
        clock.advance(by: time)
        machine.handle(input, now: clock.now)
        var told: [String] = []
        while let output = machine.pollOutput() { told.append(Self.words(output)) }
        return told
    }

    /// Moves the clock to the machine's deadline.
    mutating func passDeadline() -> [String]? {
        guard let deadline = machine.deadline else { return nil }
        return feed(.timeout, after: max(.zero, deadline - clock.now))
    }

    mutating func part(_ sentence: UInt64, seconds: Double, after time: Duration = .zero) -> [String] {
        let samples = [Int16](repeating: 1, count: Int(seconds * Double(Self.second)))
        return feed(
            .partMade(SentenceID(value: sentence), SpokenPart(samples: samples, visemes: nil), took: .zero), after: time)
    }

    mutating func made(_ sentence: UInt64) -> [String] {
        feed(.sentenceMade(SentenceID(value: sentence)))
    }

    /// A turn that has answered "One is one. Two is two." and is saying its first sentence, two seconds a sentence.
    mutating func speak() {
        feed(.questionAsked(TurnID(1), "count", isAloud: true))
        feed(.tokenReceived(TurnID(1), "One is one. Two is two.", took: .zero))
        feed(.answerEnded(TurnID(1)))
        _ = part(1, seconds: 2)
        _ = made(1)
        _ = part(2, seconds: 2)
        _ = made(2)
        feed(.playbackStarted(SpeechID(value: 1)))
    }

    var dialogue: [String] { machine.dialogue.map { "\($0.role.rawValue): \($0.content)" } }

    static func words(_ output: TurnStateMachine.Output) -> String {
        switch output {
        case .recognise(let turn): "recognise \(turn)"
        case .cancelRecognition(let turn): "cancel recognition \(turn)"
        case .answer(let turn, let messages):
            "answer \(turn): " + messages.map { "\($0.role.rawValue) \($0.content)" }.joined(separator: " / ")
        case .cancelAnswer(let turn): "cancel answer \(turn)"
        case .synthesise(let sentence, let text, let voice):
            "synthesise s\(sentence.value) \(text)" + (voice == .configured ? "" : " (other voice)")
        case .cancelSynthesis(let sentence): "cancel synthesis s\(sentence.value)"
        case .beginUtterance(let speech): "begin p\(speech.value)"
        case .append(let part, let speech): "append \(part.samples.count) to p\(speech.value)"
        case .endUtterance(let speech): "end p\(speech.value)"
        case .interruptStage: "interrupt stage"
        case .setActivity(let activity): activity.rawValue
        case .report(let event): words(event)
        case .countInterruption(let by): "interrupted by \(by.rawValue)"
        case .countApology: "apology"
        case .countEmptyTranscript: "empty transcript"
        case .countCutAnswer: "answer cut"
        }
    }

    static func words(_ event: ConversationEvent) -> String {
        switch event {
        case .activityChanged(let activity): "now \(activity.rawValue)"
        case .userSpeaking(let speaks): speaks ? "person speaks" : "person is silent"
        case .transcription(let text): "heard: \(text)"
        case .textStream(let token): "token: \(token)"
        case .textComplete(let text): "text: \(text)"
        case .processing(let status, _): status
        case .speechStarted: "speech started"
        case .speechFinished: "speech finished"
        case .failed(let error): "failed \(error.part) \(error.code.rawValue)"
        case .turn(let timeline): "timeline \(timeline.turn)"
        }
    }
}

let answeringFailure = BackendError(code: .unreachable, part: "answering", reason: "gone", remedy: "start it")
let voiceFailure = BackendError(code: .refused, part: "voice", reason: "status 500", remedy: "see its log")
let hearingFailure = BackendError(code: .timedOut, part: "hearing", reason: "slow", remedy: "wait")
let stageFailure = BackendError(code: .refused, part: "stage", reason: "full", remedy: "wait")
