internal import Core
internal import MediaPipeline

/// What the state machine orders, carried out.
extension Conversation {
    func perform(_ output: TurnStateMachine.Output) {
        switch output {
        case .recognise(let turn): recognise(turn)
        case .cancelRecognition(let turn):
            recognition?.cancel()
            recognitions.removeValue(forKey: turn)?.cancel()
        case .answer(let turn, let messages): beginAnswer(turn, messages)
        case .cancelAnswer: answer?.cancel()
        case .synthesise(let sentence, let text, let voice):
            synthesise(sentence, text, voice == .configured ? profile.voice : profile.apologisingVoice)
        case .cancelSynthesis: synthesis?.cancel()
        case .beginUtterance(let speech): beginUtterance(speech)
        case .append(let part, let speech): append(part, speech)
        case .endUtterance(let speech):
            if let utterance = utterances[speech] { stage.endUtterance(utterance) }
        case .interruptStage: interruptStage()
        case .setActivity(let activity): stage.setActivity(activity)
        case .report(let event): report(event)
        case .countInterruption(let interrupter): metrics.count(interruptionBy: interrupter)
        case .countApology: metrics.apologies.increment()
        case .countEmptyTranscript: metrics.emptyTranscripts.increment()
        case .countCutAnswer: metrics.cutAnswers.increment()
        }
    }

    private func report(_ event: ConversationEvent) {
        switch event {
        case .failed(let error):
            metrics.count(failure: error)
            noteCondition(error)
            Self.logger.warning(
                "a part of the conversation failed",
                [
                    "conversation": .string(id), "part": .string(error.part), "code": .string(error.code.rawValue),
                    "reason": .string(error.reason), "remedy": .string(error.remedy),
                ])
        case .turn(let timeline):
            metrics.observe(timeline)
        default: break
        }
        send(event)
    }

    /// The voice that apologises is no service's.
    private func noteCondition(_ error: BackendError) {
        switch error.part {
        case "voice": metrics.conditions.note(error, of: profile.voice.name)
        case "hearing": metrics.conditions.note(error, of: profile.recogniser?.name ?? "off")
        case "answering": metrics.conditions.note(error, of: profile.answerer.name)
        default: break
        }
    }

    // MARK: Back ends

    private func recognise(_ turn: TurnID) {
        guard let session = recognitions[turn] else { return }
        recognition = Task {
            let called = clock()
            do throws(BackendError) {
                let text = try await session.finish()
                recognitions[turn] = nil
                if Task.isCancelled { return }
                metrics.conditions.noteResult(part: "hearing", of: profile.recogniser?.name ?? "off")
                handle(.transcribed(turn, text, took: clock() - called))
            } catch {
                recognitions[turn] = nil
                handle(.recognitionFailed(turn, error))
            }
        }
    }

    private func beginAnswer(_ turn: TurnID, _ messages: [DialogueMessage]) {
        let answerer = profile.answerer
        answer = Task {
            var called = clock()
            do {
                for try await token in answerer.answer(messages) {
                    if Task.isCancelled { return }
                    handle(.tokenReceived(turn, token, took: clock() - called))
                    called = clock()
                }
                // A stream that was called off ends as well.
                if Task.isCancelled { return }
                // Before it is looked at: an empty answer is a failure all the same.
                metrics.conditions.noteResult(part: "answering", of: answerer.name)
                handle(.answerEnded(turn))
            } catch {
                handle(.answerFailed(turn, Self.backendError(error, part: "answering")))
            }
        }
    }

    private func synthesise(_ sentence: SentenceID, _ text: String, _ voice: any Voice) {
        synthesis = Task {
            var called = clock()
            do {
                for try await part in voice.synthesise(text) {
                    if Task.isCancelled { return }
                    handle(.partMade(sentence, part, took: clock() - called))
                    called = clock()
                }
                if Task.isCancelled { return }
                metrics.conditions.noteResult(part: "voice", of: voice.name)
                handle(.sentenceMade(sentence))
            } catch {
                handle(.voiceFailed(sentence, Self.backendError(error, part: "voice")))
            }
        }
    }

    static func backendError(_ error: any Error, part: String) -> BackendError {
        if let known = error as? BackendError { return known }
        return BackendError(
            code: .malformedAnswer, part: part, reason: String("\(error)".prefix(200)), remedy: "see the server's log")
    }

    // MARK: The stage

    private func beginUtterance(_ speech: SpeechID) {
        do throws(StageError) {
            let utterance = try stage.beginUtterance()
            utterances[speech] = utterance
            speeches[utterance] = speech
        } catch {
            refused(speech, error)
        }
    }

    private func append(_ part: SpokenPart, _ speech: SpeechID) {
        guard let utterance = utterances[speech] else { return }
        do throws(StageError) {
            try stage.append(part, to: utterance)
        } catch {
            refused(speech, error)
        }
    }

    private func refused(_ speech: SpeechID, _ error: StageError) {
        // Somebody else stopped the stage; its report is on the way, and nothing has failed.
        guard error.code != .utteranceOver else { return }
        let failure = BackendError(
            code: .refused, part: "stage", reason: "\(error.code.rawValue): \(error.reason)", remedy: error.remedy)
        machine.handle(.stageRefused(speech, failure), now: clock())
    }
}
