package import Core
package import MediaPipeline

/// One avatar that people talk with: carries out what ``TurnStateMachine`` orders, with a voice, a recogniser, an
/// answerer and a stage.
///
/// Conversations share no state, so what is said in one cannot reach another. Nothing here waits by polling: back ends,
/// microphones and the stage bring events, and each event's orders are carried out before the next is looked at.
package actor Conversation {
    /// Characters that may wait for the voice, over all that is to be said.
    package static let maximumPendingCharacters = 16_000
    /// Seconds of a sound that is to be played.
    package static let maximumSoundSeconds = 120

    package nonisolated let id: String
    nonisolated let profile: ConversationProfile
    nonisolated let stage: any SpeakingStage
    nonisolated let metrics: ConversationMetrics
    nonisolated let clock: @Sendable () -> Instant
    nonisolated let subscribers: EventSubscribers
    nonisolated let floor: Floor
    static let logger = Logger("conversation")

    var machine: TurnStateMachine
    var speeches: [UtteranceID: SpeechID] = [:]
    var utterances: [SpeechID: UtteranceID] = [:]
    /// What was heard, for the turns whose words are still to be found.
    var recognitions: [TurnID: any RecognitionSession] = [:]
    var recognition: Task<Void, Never>?
    var answer: Task<Void, Never>?
    var synthesis: Task<Void, Never>?
    var cutting: (serial: UInt64, task: Task<[Interruption], Never>)?
    private var lastCutting: UInt64 = 0
    private var timer: (due: Instant, task: Task<Void, Never>)?
    private var lastTurn: UInt64 = 0
    private(set) var isClosed = false

    package init(
        id: String, profile: ConversationProfile, stage: any SpeakingStage, metrics: ConversationMetrics,
        clock: @escaping @Sendable () -> Instant = { SystemClock.now() }
    ) {
        self.id = id
        self.profile = profile
        self.stage = stage
        self.metrics = metrics
        self.clock = clock
        subscribers = EventSubscribers(dropped: metrics.droppedEvents)
        var configuration = TurnStateMachine.Configuration()
        configuration.systemPrompt = profile.systemPrompt
        configuration.historyMessages = profile.historyMessages
        configuration.historyCharacters = profile.historyCharacters
        configuration.maximumAnswerCharacters = profile.maximumAnswerCharacters
        configuration.apology = profile.apology
        configuration.patience = profile.patience
        configuration.isBargeInAllowed = profile.hearing.bargeIn
        machine = TurnStateMachine(configuration: configuration)
        floor = Floor(recogniser: profile.recogniser)
        Task { [weak self, heard = floor.events] in
            for await event in heard { await self?.take(event) }
        }
    }

    deinit {
        floor.close()
        subscribers.close()
    }

    /// What happens from now on, until ``close()``. For any number of readers; one that reads too slowly misses the
    /// oldest events.
    package nonisolated func subscribe() -> AsyncStream<ConversationEvent> {
        subscribers.subscribe()
    }

    /// Answers a question; what was asked or said before is cut off. Not `aloud`: the answer is written only.
    @discardableResult
    package func ask(_ text: String, aloud: Bool = true) throws(ConversationError) -> TurnID {
        let question = try clean(text, limit: profile.maximumQuestionCharacters)
        let turn = makeTurnID()
        metrics.count(turn: .typed)
        handle(.questionAsked(turn, question, isAloud: aloud))
        return turn
    }

    /// Says a text as it is, after what is being said.
    package func say(_ text: String) throws(ConversationError) -> UtteranceID {
        let cleaned = try clean(text, limit: profile.maximumQuestionCharacters)
        var stream = SentenceStream()
        let sentences = stream.append(cleaned) + stream.finish()
        guard !sentences.isEmpty else {
            throw ConversationError(code: .textEmpty, reason: "the text has nothing to say", remedy: "send words")
        }
        let waiting = machine.pendingCharacters
        guard waiting + cleaned.count <= Self.maximumPendingCharacters else {
            throw ConversationError(
                code: .tooMuchWaiting, reason: "\(waiting) characters wait to be said",
                remedy: "wait for them, or interrupt")
        }
        let (speech, utterance) = try beginGivenUtterance()
        handle(.textGiven(speech, sentences))
        return utterance
    }

    /// Plays a sound, 48 kHz, after what is being said.
    package func say(sound: [Int16]) throws(ConversationError) -> UtteranceID {
        try checkOpen()
        guard !sound.isEmpty, sound.count <= Self.maximumSoundSeconds * OpusFormat.sampleRateHz else {
            throw ConversationError(
                code: .soundUnusable,
                reason: "a sound of \(sound.count / OpusFormat.sampleRateHz) s",
                remedy: "send some sound, at most \(Self.maximumSoundSeconds) s of it")
        }
        let (speech, utterance) = try beginGivenUtterance()
        handle(.soundGiven(speech, sound))
        return utterance
    }

    /// Stops what is being heard, thought of and said. Answers once the stage has, with what was cut off and where.
    @discardableResult
    package func interrupt() async -> [Interruption] {
        guard !isClosed else { return [] }
        handle(.interrupted)
        // Asked in any case: the stage may be saying something that is not of this conversation.
        if cutting == nil { interruptStage() }
        return await cutting?.task.value ?? []
    }

    /// Takes in what the stage reports.
    package func note(_ event: StageEvent) {
        switch event {
        case .speechStarted(let utterance):
            floor.isAvatarSpeaking = true
            send(.speechStarted(utterance))
            if let speech = speeches[utterance] { handle(.playbackStarted(speech)) }
        case .speechFinished(let utterance, let position, let interrupted):
            floor.isAvatarSpeaking = false
            send(.speechFinished(utterance, position: position, interrupted: interrupted))
            guard let speech = speeches.removeValue(forKey: utterance) else { return }
            utterances[speech] = nil
            handle(.playbackFinished(speech, position: position, interrupted: interrupted))
        case .activityChanged(let activity):
            send(.activityChanged(activity))
        case .degraded:
            break
        }
    }

    /// Ends the conversation: silence, no further event.
    package func close() async {
        guard !isClosed else { return }
        handle(.interrupted)
        isClosed = true
        floor.close()
        timer?.task.cancel()
        timer = nil
        for session in recognitions.values { session.cancel() }
        recognitions.removeAll()
        _ = await cutting?.task.value
        subscribers.close()
    }

    // MARK: Inputs

    func handle(_ input: TurnStateMachine.Input) {
        guard !isClosed else { return }
        machine.handle(input, now: clock())
        while let output = machine.pollOutput() { perform(output) }
        armTimer()
    }

    func checkOpen() throws(ConversationError) {
        guard !isClosed else {
            throw ConversationError(code: .closed, reason: "the conversation is over", remedy: "begin a new one")
        }
    }

    private func clean(_ text: String, limit: Int) throws(ConversationError) -> String {
        try checkOpen()
        guard let cleaned = SpeakableText.cleaned(text, limit: limit) else {
            throw ConversationError(
                code: .textTooLong, reason: "a text of \(text.utf8.count) bytes",
                remedy: "send at most \(limit) characters")
        }
        guard cleaned.contains(where: { !$0.isWhitespace }) else {
            throw ConversationError(code: .textEmpty, reason: "the text is empty", remedy: "send words")
        }
        return cleaned
    }

    func makeTurnID() -> TurnID {
        lastTurn += 1
        return TurnID(lastTurn)
    }

    private func beginGivenUtterance() throws(ConversationError) -> (SpeechID, UtteranceID) {
        let utterance: UtteranceID
        do throws(StageError) {
            utterance = try stage.beginUtterance()
        } catch {
            throw ConversationError(
                code: error.code == .tooManyUtterances ? .tooMuchWaiting : .stageRefused, reason: error.reason,
                remedy: error.remedy)
        }
        let speech = machine.makeSpeechID()
        speeches[utterance] = speech
        utterances[speech] = utterance
        return (speech, utterance)
    }

    func send(_ event: ConversationEvent) {
        subscribers.send(event)
    }

    func interruptStage() {
        lastCutting += 1
        let serial = lastCutting
        // Begun at once, on this very call, so that whatever is said next comes after it.
        let task = Task.immediate { [stage] in await stage.interrupt() }
        cutting = (serial, task)
        Task {
            _ = await task.value
            if cutting?.serial == serial { cutting = nil }
        }
    }

    // MARK: Time

    /// Keeps one alarm, for the machine's deadline or earlier.
    private func armTimer() {
        guard let due = machine.deadline, !isClosed else { return }
        if let armed = timer, armed.due <= due { return }
        timer?.task.cancel()
        let task = Task { [weak self, clock] in
            do {
                try await Task.sleep(for: max(.zero, due - clock()))
            } catch {
                return
            }
            await self?.alarm(due)
        }
        timer = (due, task)
    }

    private func alarm(_ due: Instant) {
        guard timer?.due == due else { return }
        timer = nil
        handle(.timeout)
    }
}
