package import Core
internal import MediaPipeline

/// From sentences to sound on the stage.
extension TurnStateMachine {
    /// Hands sentences of the answer to the voice's queue.
    mutating func speak(_ sentences: [SentenceStream.Sentence]) {
        guard !sentences.isEmpty, turn?.isAloud == true, let index = turnSpeech() else { return }
        if speeches[index].pending.isEmpty, speeches[index].made.isEmpty {
            outputs.append(
                .report(.processing(status: "generating_audio_video", message: "The voice is being made")))
        }
        speeches[index].pending += sentences.map { Sentence(text: $0, voice: .configured, isAnswer: true) }
    }

    /// The current turn's speech, made where there is none.
    private mutating func turnSpeech() -> Int? {
        guard let current = turn else { return nil }
        if let id = current.speech { return speeches.firstIndex { $0.id == id } }
        let id = makeSpeechID()
        turn?.speech = id
        speeches.append(Speech(id: id, turn: current.id, isComplete: false, isBegun: false))
        return speeches.count - 1
    }

    mutating func completeSpeech() {
        guard let id = turn?.speech, let index = speeches.firstIndex(where: { $0.id == id }) else { return }
        speeches[index].isComplete = true
    }

    /// Says that something went wrong, at the end of what the turn says.
    mutating func apologise(_ voice: SpeakingVoice) {
        guard let index = turnSpeech() else { return }
        apologise(voice, in: index)
    }

    private mutating func apologise(_ voice: SpeakingVoice, in index: Int) {
        guard let spoken = SpeakableText.spoken(configuration.apology) else { return }
        outputs.append(.countApology)
        let text = SentenceStream.Sentence(written: configuration.apology, spoken: spoken)
        speeches[index].pending.append(Sentence(text: text, voice: voice, isAnswer: false))
    }

    mutating func say(_ sentences: [SentenceStream.Sentence], _ id: SpeechID) {
        let pending = sentences.map { Sentence(text: $0, voice: .configured, isAnswer: false) }
        speeches.append(Speech(id: id, turn: nil, pending: pending, isComplete: true, isBegun: true))
    }

    mutating func play(_ samples: [Int16], _ id: SpeechID) {
        speeches.append(Speech(id: id, turn: nil, isComplete: true, isBegun: true))
        outputs.append(.append(SpokenPart(samples: samples, visemes: nil), id))
    }

    // MARK: The voice

    mutating func made(_ part: SpokenPart, of id: SentenceID, _ took: Duration, _ now: Instant) {
        guard var work = voiceWork, work.sentence == id,
            let index = speeches.firstIndex(where: { $0.id == work.speech }), !speeches[index].made.isEmpty
        else { return }
        work.lastProgress = now
        let isFirstSound = speeches[index].samples == 0
        if isFirstSound, turn?.speech == work.speech { turn?.timeline.servicesTook += took }
        if !part.samples.isEmpty {
            work.hasSound = true
            speeches[index].made[speeches[index].made.count - 1].samples += part.samples.count
            if !speeches[index].isBegun {
                speeches[index].isBegun = true
                outputs.append(.beginUtterance(work.speech))
            }
            outputs.append(.append(part, work.speech))
        }
        voiceWork = work
    }

    /// The rest of the speech is not said; the other voice apologises, once.
    mutating func voiceFailed(_ work: VoiceWork, _ error: BackendError) {
        voiceWork = nil
        outputs.append(.report(.failed(error)))
        guard let index = speeches.firstIndex(where: { $0.id == work.speech }) else { return }
        let failed = speeches[index].made.last?.sentence.voice
        speeches[index].pending.removeAll()
        if turn?.speech == work.speech { turn?.isAloud = false }
        speeches[index].hasFailed = true
        if failed == .configured { apologise(.apologising, in: index) }
        speeches[index].isComplete = true
    }

    mutating func stageRefused(_ id: SpeechID, _ error: BackendError, _ now: Instant) {
        guard let index = speeches.firstIndex(where: { $0.id == id }) else { return }
        outputs.append(.report(.failed(error)))
        if voiceWork?.speech == id, let work = voiceWork {
            outputs.append(.cancelSynthesis(work.sentence))
            voiceWork = nil
        }
        if turn?.speech == id { turn?.isAloud = false }
        speeches[index].hasFailed = true
        speeches[index].pending.removeAll()
        speeches[index].isComplete = true
    }

    /// Starts the voice where there is something to say and room for it, and ends what is complete.
    mutating func advance(_ now: Instant) {
        while voiceWork == nil, let index = nextToMake(now) {
            let sentence = speeches[index].pending.removeFirst()
            speeches[index].made.append(MadeSentence(sentence: sentence))
            let id = makeSentenceID()
            voiceWork = VoiceWork(sentence: id, speech: speeches[index].id, lastProgress: now)
            outputs.append(.synthesise(id, sentence.text.spoken, sentence.voice))
        }
        for index in speeches.indices where isReadyToEnd(speeches[index]) {
            speeches[index].isEnded = true
            reportSilence(of: speeches[index])
            if speeches[index].isBegun { outputs.append(.endUtterance(speeches[index].id)) }
        }
        // What never made a sound has nothing to be waited for.
        for speech in speeches where speech.isEnded && !speech.isBegun { remove(speech.id) }
    }

    /// A voice that has no sound for a whole text, such as a script it cannot read, has not failed; but whoever waits to hear
    /// it is told.
    private mutating func reportSilence(of speech: Speech) {
        guard !speech.made.isEmpty, speech.samples == 0, !speech.hasFailed else { return }
        let error = BackendError(
            code: .unusableInput, part: "voice", reason: "the voice makes no sound of this text",
            remedy: "set voice.backend to one that speaks its language")
        outputs.append(.report(.failed(error)))
    }

    private func isReadyToEnd(_ speech: Speech) -> Bool {
        speech.isComplete && speech.pending.isEmpty && !speech.isEnded && voiceWork?.speech != speech.id
    }

    private func nextToMake(_ now: Instant) -> Int? {
        var ahead = 0
        for (index, speech) in speeches.enumerated() {
            ahead += unheard(speech, now)
            // One is heard, the others wait.
            if ahead > Self.sentencesAhead { return nil }
            if !speech.pending.isEmpty { return index }
        }
        return nil
    }

    /// Sentences with sound that are heard now or later, by the clock.
    private func unheard(_ speech: Speech, _ now: Instant) -> Int {
        guard let started = speech.startedAt else { return speech.made.count { $0.samples > 0 } }
        var end = 0
        return speech.made.count { sentence in
            end += sentence.samples
            return sentence.samples > 0 && started + Self.duration(ofSamples: end) > now
        }
    }

    static func duration(ofSamples count: Int) -> Duration {
        .nanoseconds(Int64(count) * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
    }

    /// When something is to be done though nothing happens: the voice has room again, or a part took too long.
    package var deadline: Instant? {
        var deadlines: [Instant] = []
        if let end = turnPatienceEnd { deadlines.append(end) }
        if let work = voiceWork {
            deadlines.append(work.lastProgress + configuration.patience)
        } else if speeches.contains(where: { !$0.pending.isEmpty }), let end = nextSentenceEnd {
            deadlines.append(end)
        }
        return deadlines.min()
    }

    /// When the sentence that is heard now will have been heard, by the clock.
    private var nextSentenceEnd: Instant? {
        guard let heard = speeches.first(where: { $0.startedAt != nil }), let started = heard.startedAt else {
            return nil
        }
        var samples = 0
        for sentence in heard.made {
            samples += sentence.samples
            let end = started + Self.duration(ofSamples: samples)
            if end > lastHandled { return end }
        }
        return nil
    }

    // MARK: The stage

    mutating func playbackStarted(_ id: SpeechID, _ now: Instant) {
        guard let index = speeches.firstIndex(where: { $0.id == id }), speeches[index].startedAt == nil else { return }
        speeches[index].startedAt = now
        guard turn?.speech == id else { return }
        turn?.timeline.firstSound = now
        reportTimeline()
        // The person went on speaking after all; what they add becomes part of the question.
        if isPersonSpeaking, turn?.timeline.kind == .spoken, configuration.isBargeInAllowed {
            cutOff(by: .bargeIn, now)
            rest()
        }
    }

    mutating func playbackFinished(_ id: SpeechID, _ position: Duration, _ interrupted: Bool, _ now: Instant) {
        if let index = cutSpeeches.firstIndex(where: { $0.speech.id == id }) {
            let cut = cutSpeeches.remove(at: index)
            history.replace(answer: cut.historySerial, with: Self.heard(of: cut.speech, position))
            return
        }
        guard let speech = speeches.first(where: { $0.id == id }) else { return }
        if interrupted {
            // Somebody stopped the stage itself: nothing of what was planned is heard.
            cutOff(by: .stage, now)
            playbackFinished(id, position, true, now)
            rest()
            return
        }
        if speech.isEnded { remove(id) }
    }

    /// The speech is over.
    mutating func remove(_ id: SpeechID) {
        speeches.removeAll { $0.id == id }
        if turn?.speech == id {
            turn?.speech = nil
            finishTurnIfDone()
        } else {
            rest()
        }
    }
}
