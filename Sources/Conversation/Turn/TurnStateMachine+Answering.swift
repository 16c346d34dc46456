internal import Core

/// From what was heard to what is said: transcripts, tokens, and what goes wrong with them.
extension TurnStateMachine {
    mutating func transcribed(_ id: TurnID, _ text: String, _ took: Duration, _ now: Instant) {
        guard turn?.id == id, turn?.phase == .recognising else { return }
        turn?.timeline.servicesTook += took
        guard text.contains(where: { $0.isLetter || $0.isNumber }) else {
            turn?.timeline.transcript = now
            outputs.append(.countEmptyTranscript)
            outputs.append(.report(.processing(status: "nothing_understood", message: "Nothing was understood")))
            turn?.phase = .written
            finishTurnIfDone()
            return
        }
        outputs.append(.report(.transcription(text)))
        ask(text, now)
    }

    mutating func received(_ token: String, of id: TurnID, _ took: Duration, _ now: Instant) {
        guard isAnswering(id), !token.isEmpty, var current = turn else { return }
        current.lastProgress = now
        // What comes after the first sentence does not hold up the first sound.
        if current.speech == nil { current.timeline.servicesTook += took }
        if current.phase == .thinking {
            current.phase = .writing
            current.timeline.firstToken = now
        }
        let room = configuration.maximumAnswerCharacters - current.written.count
        let isCut = token.count > room
        let piece = isCut ? String(token.prefix(max(0, room))) : token
        current.written += piece
        turn = current
        if !piece.isEmpty { outputs.append(.report(.textStream(piece))) }
        let sentences = turn?.sentences.append(piece) ?? []
        speak(sentences)
        if isCut {
            outputs.append(.cancelAnswer(id))
            outputs.append(.countCutAnswer)
            answerEnded(now)
        }
    }

    mutating func answerEnded(_ now: Instant) {
        guard let current = turn else { return }
        guard current.written.contains(where: { !$0.isWhitespace }) else {
            fail(
                BackendError(
                    code: .malformedAnswer, part: "answering", reason: "the answer is empty",
                    remedy: "see what the model answers to this dialogue"), now)
            return
        }
        completeText()
        speak(turn?.sentences.finish() ?? [])
        completeSpeech()
        finishTurnIfDone()
    }

    /// The answer's text will not grow any more: tells it, and remembers it.
    mutating func completeText() {
        guard var current = turn, current.phase != .written else { return }
        current.phase = .written
        if !current.written.isEmpty {
            outputs.append(.report(.textComplete(current.written)))
            current.historySerial = history.append(answer: current.written)
        }
        turn = current
    }

    /// Hearing or answering gave no result: what is there is said, and then the apology.
    mutating func fail(_ error: BackendError, _ now: Instant) {
        guard let current = turn else { return }
        outputs.append(.report(.failed(error)))
        if current.phase != .recognising {
            completeText()
            speak(turn?.sentences.finish() ?? [])
        }
        turn?.phase = .written
        if current.isAloud { apologise(.configured) }
        completeSpeech()
        finishTurnIfDone()
    }

    /// A part that gives nothing for too long has failed.
    mutating func givePatienceUp(_ now: Instant) {
        if let current = turn, let limit = turnPatienceEnd, limit <= now {
            let part = current.phase == .recognising ? "hearing" : "answering"
            let cancel: Output =
                current.phase == .recognising ? .cancelRecognition(current.id) : .cancelAnswer(current.id)
            outputs.append(cancel)
            fail(timedOut(part), now)
        }
        if let work = voiceWork, work.lastProgress + configuration.patience <= now {
            outputs.append(.cancelSynthesis(work.sentence))
            voiceFailed(work, timedOut("voice"))
        }
    }

    private func timedOut(_ part: String) -> BackendError {
        BackendError(
            code: .timedOut, part: part,
            reason: "nothing came for \(Int(min(configuration.patience.seconds, 86_400))) s",
            remedy: "see whether the service is overloaded")
    }

    var turnPatienceEnd: Instant? {
        guard let current = turn, current.phase != .written else { return nil }
        return current.lastProgress + configuration.patience
    }
}
