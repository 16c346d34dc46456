package import Core
package import MediaPipeline

/// One thing the avatar says on the stage: an answer, or a text or sound it was given. One utterance.
package struct SpeechID: Hashable, Sendable {
    package let value: UInt64
}

/// One sentence on its way through the voice.
package struct SentenceID: Hashable, Sendable {
    package let value: UInt64
}

/// Which voice says a sentence.
package enum SpeakingVoice: Equatable, Sendable {
    case configured
    /// The one that apologises for the configured one.
    case apologising
}

/// One conversation: who speaks, what is asked, answered and said. Does no I/O.
///
/// Feed it with ``handle(_:now:)``, carry out ``pollOutput()`` until it gives nil, feed `.timeout` once ``deadline`` has
/// passed. One turn is current at most; a new question cuts off the one before. Sentences are handed to the voice while
/// the answer is still written and while the ones before are heard, ``sentencesAhead`` at most. Results of something
/// that was called off change nothing.
/// - SeeAlso: `docs/conversation.md` for the diagram.
package struct TurnStateMachine: Sendable {
    package struct Configuration: Sendable {
        package var systemPrompt: String?
        package var historyMessages = 40
        package var historyCharacters = 24_000
        package var maximumAnswerCharacters = 16_000
        package var apology = "I am sorry, something went wrong."
        package var patience: Duration = .seconds(60)
        package var isBargeInAllowed = true

        package init() {}
    }

    package enum Input: Sendable {
        /// Somebody wrote a question; `isAloud` false: the answer is written only.
        case questionAsked(TurnID, String, isAloud: Bool)
        case personBeganToSpeak
        /// The person spoke over the avatar for long enough.
        case bargedIn
        /// It was no speech after all, or the microphone went away.
        case personGaveUp
        /// `ended` is when the speech ended, before the pause that told so.
        case personFinished(TurnID, ended: Instant)
        case recordingGiven(TurnID, isAloud: Bool = true)
        /// `took` is what the recogniser needed of the time, here and in the other results.
        case transcribed(TurnID, String, took: Duration)
        case recognitionFailed(TurnID, BackendError)
        case tokenReceived(TurnID, String, took: Duration)
        case answerEnded(TurnID)
        case answerFailed(TurnID, BackendError)
        /// To be said as it is, in an utterance that has begun.
        case textGiven(SpeechID, [SentenceStream.Sentence])
        case soundGiven(SpeechID, [Int16])
        case partMade(SentenceID, SpokenPart, took: Duration)
        case sentenceMade(SentenceID)
        case voiceFailed(SentenceID, BackendError)
        /// The stage took no utterance, or no more sound.
        case stageRefused(SpeechID, BackendError)
        case playbackStarted(SpeechID)
        case playbackFinished(SpeechID, position: Duration, interrupted: Bool)
        case interrupted
        case timeout
    }

    package enum Output: Sendable {
        /// Give the transcript of what was heard, or of the recording.
        case recognise(TurnID)
        case cancelRecognition(TurnID)
        case answer(TurnID, [DialogueMessage])
        case cancelAnswer(TurnID)
        case synthesise(SentenceID, String, SpeakingVoice)
        case cancelSynthesis(SentenceID)
        case beginUtterance(SpeechID)
        case append(SpokenPart, SpeechID)
        case endUtterance(SpeechID)
        /// Stop what is heard and drop what waits.
        case interruptStage
        case setActivity(StageActivity)
        case report(ConversationEvent)
        case countInterruption(Interrupter)
        case countApology, countEmptyTranscript, countCutAnswer
    }

    /// Sentences that are made ahead of the one that is heard.
    package static let sentencesAhead = 2

    struct Turn: Sendable {
        enum Phase: Sendable {
            case recognising
            /// The question is asked, nothing of the answer is there.
            case thinking
            case writing
            /// The answer is whole, or will not come.
            case written
        }
        let id: TurnID
        /// Sentences are said; false too once the voice has failed.
        var isAloud: Bool
        var phase: Phase
        var timeline: TurnTimeline
        var written = ""
        var sentences = SentenceStream()
        var speech: SpeechID?
        /// The answer in the history.
        var historySerial: Int?
        var isTimelineReported = false
        /// When a back end last gave something.
        var lastProgress: Instant
    }

    struct Sentence: Sendable {
        let text: SentenceStream.Sentence
        let voice: SpeakingVoice
        /// Part of the answer, so that it belongs into the history.
        let isAnswer: Bool
    }

    struct MadeSentence: Sendable {
        let sentence: Sentence
        /// 48 kHz.
        var samples = 0
    }

    struct Speech: Sendable {
        let id: SpeechID
        let turn: TurnID?
        var pending: [Sentence] = []
        var made: [MadeSentence] = []
        /// No further sentence will come.
        var isComplete: Bool
        /// It has an utterance on the stage.
        var isBegun: Bool
        var isEnded = false
        /// It was told that the voice or the stage failed.
        var hasFailed = false
        var startedAt: Instant?

        var samples: Int { made.reduce(0) { $0 + $1.samples } }
    }

    struct VoiceWork: Sendable {
        let sentence: SentenceID
        let speech: SpeechID
        var hasSound = false
        var lastProgress: Instant
    }

    /// A cut off answer whose exact position is still to come from the stage.
    struct CutSpeech: Sendable {
        let speech: Speech
        let historySerial: Int
    }

    let configuration: Configuration
    var turn: Turn?
    /// In the order in which they are heard.
    var speeches: [Speech] = []
    var voiceWork: VoiceWork?
    var cutSpeeches: [CutSpeech] = []
    var history: DialogueHistory
    var isPersonSpeaking = false
    /// When anything was last fed in.
    private(set) var lastHandled: Instant = .zero
    var outputs: [Output] = []
    private var outputIndex = 0
    private var lastSpeech: UInt64 = 0
    private var lastSentence: UInt64 = 0

    package init(configuration: Configuration) {
        self.configuration = configuration
        history = DialogueHistory(
            maximumMessages: configuration.historyMessages, maximumCharacters: configuration.historyCharacters)
    }

    /// The dialogue so far, without the system prompt.
    package var dialogue: [DialogueMessage] { history.messages }
    /// Nothing is heard, thought of or said.
    package var isAtRest: Bool { turn == nil && speeches.isEmpty && !isPersonSpeaking }
    /// Characters that wait for the voice.
    package var pendingCharacters: Int {
        speeches.reduce(0) { sum, speech in speech.pending.reduce(sum) { $0 + $1.text.spoken.count } }
    }

    package mutating func pollOutput() -> Output? {
        guard outputIndex < outputs.count else {
            outputs.removeAll(keepingCapacity: true)
            outputIndex = 0
            return nil
        }
        defer { outputIndex += 1 }
        return outputs[outputIndex]
    }

    /// A name for the next speech; the driver needs one before it hands in a text.
    package mutating func makeSpeechID() -> SpeechID {
        lastSpeech += 1
        return SpeechID(value: lastSpeech)
    }

    mutating func makeSentenceID() -> SentenceID {
        lastSentence += 1
        return SentenceID(value: lastSentence)
    }

    package mutating func handle(_ input: Input, now: Instant) {
        lastHandled = now
        switch input {
        case .questionAsked(let id, let text, let isAloud):
            cutOff(by: .question, now)
            begin(id, .typed, asked: now, phase: .thinking, isAloud: isAloud, now)
            ask(text, now)
        case .personBeganToSpeak:
            personBegan()
        case .bargedIn:
            cutOff(by: .bargeIn, now)
            rest()
        case .personGaveUp:
            personCeased()
            rest()
        case .personFinished(let id, let ended):
            personCeased()
            cutOff(by: .question, now)
            begin(id, .spoken, asked: min(ended, now), phase: .recognising, isAloud: true, now)
            outputs.append(.recognise(id))
        case .recordingGiven(let id, let isAloud):
            cutOff(by: .question, now)
            begin(id, .recording, asked: now, phase: .recognising, isAloud: isAloud, now)
            outputs.append(.recognise(id))
        case .transcribed(let id, let text, let took):
            transcribed(id, text, took, now)
        case .recognitionFailed(let id, let error):
            guard turn?.id == id, turn?.phase == .recognising else { return }
            fail(error, now)
        case .tokenReceived(let id, let token, let took):
            received(token, of: id, took, now)
        case .answerEnded(let id):
            guard isAnswering(id) else { return }
            answerEnded(now)
        case .answerFailed(let id, let error):
            guard isAnswering(id) else { return }
            fail(error, now)
        case .textGiven(let id, let sentences):
            say(sentences, id)
        case .soundGiven(let id, let samples):
            play(samples, id)
        case .partMade(let id, let part, let took):
            made(part, of: id, took, now)
        case .sentenceMade(let id):
            guard voiceWork?.sentence == id else { return }
            voiceWork = nil
        case .voiceFailed(let id, let error):
            guard let work = voiceWork, work.sentence == id else { return }
            voiceFailed(work, error)
        case .stageRefused(let id, let error):
            stageRefused(id, error, now)
        case .playbackStarted(let id):
            playbackStarted(id, now)
        case .playbackFinished(let id, let position, let interrupted):
            playbackFinished(id, position, interrupted, now)
        case .interrupted:
            cutOff(by: .request, now)
            rest()
        case .timeout:
            givePatienceUp(now)
        }
        advance(now)
    }

    // MARK: People

    private mutating func personBegan() {
        guard !isPersonSpeaking else { return }
        isPersonSpeaking = true
        outputs.append(.report(.userSpeaking(true)))
        if turn == nil, speeches.isEmpty { outputs.append(.setActivity(.listening)) }
    }

    private mutating func personCeased() {
        guard isPersonSpeaking else { return }
        isPersonSpeaking = false
        outputs.append(.report(.userSpeaking(false)))
    }

    /// Shows what the avatar does when nothing of a turn is left.
    mutating func rest() {
        guard turn == nil, speeches.isEmpty else { return }
        outputs.append(.setActivity(isPersonSpeaking ? .listening : .idle))
    }

    // MARK: Turns

    private mutating func begin(
        _ id: TurnID, _ kind: TurnTimeline.Kind, asked: Instant, phase: Turn.Phase, isAloud: Bool, _ now: Instant
    ) {
        turn = Turn(
            id: id, isAloud: isAloud, phase: phase,
            timeline: TurnTimeline(turn: id, kind: kind, asked: asked, heard: now), lastProgress: now)
        outputs.append(.setActivity(.thinking))
    }

    mutating func ask(_ question: String, _ now: Instant) {
        guard var current = turn else { return }
        current.phase = .thinking
        current.timeline.transcript = now
        current.lastProgress = now
        turn = current
        history.append(question: question)
        var messages = history.messages
        if let prompt = configuration.systemPrompt, !prompt.isEmpty {
            messages.insert(DialogueMessage(role: .system, content: prompt), at: 0)
        }
        outputs.append(.answer(current.id, messages))
    }

    /// Ends the turn where its answer is whole and heard.
    mutating func finishTurnIfDone() {
        guard let current = turn, current.phase == .written, current.speech == nil else { return }
        reportTimeline()
        turn = nil
        rest()
    }

    mutating func reportTimeline() {
        guard let current = turn, !current.isTimelineReported else { return }
        turn?.isTimelineReported = true
        outputs.append(.report(.turn(current.timeline)))
    }

    func isAnswering(_ id: TurnID) -> Bool {
        guard let current = turn, current.id == id else { return false }
        return current.phase == .thinking || current.phase == .writing
    }
}
