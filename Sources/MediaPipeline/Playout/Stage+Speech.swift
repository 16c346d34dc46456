package import Core
internal import Synchronization

/// What the stage says: utterances, each in parts that may still be made while the first ones are heard.
extension Stage {
    package static let maximumPendingUtterances = 32

    /// Begins an utterance, which is heard after those begun before it. ``events`` tells how it goes.
    package func beginUtterance() throws(StageError) -> UtteranceID {
        let utterance = UtteranceID(RandomSource.system.token(bits: 96))
        let refusal: StageError? = state.withLock { state in
            guard state.phase == .running else {
                return StageError(code: .notRunning, reason: "stage \(id) does not run", remedy: "start it")
            }
            guard state.pending.count < Self.maximumPendingUtterances else {
                return StageError(
                    code: .tooManyUtterances, reason: "\(state.pending.count) utterances wait to be said",
                    remedy: "wait for them, or interrupt")
            }
            state.pending[utterance] = SpeechIntake(isHeard: isHeardBySource)
            mailbox.post(.input(.utteranceBegan(utterance)))
            return nil
        }
        if let refusal { throw refusal }
        return utterance
    }

    /// Adds sound to an utterance. Throws ``StageError/Code-swift.enum/utteranceOver`` where it was interrupted or has
    /// ended, so that whoever makes the sound can leave off.
    package func append(_ part: SpokenPart, to utterance: UtteranceID) throws(StageError) {
        guard !part.samples.isEmpty else { return }
        let count = part.samples.count
        let limit = configuration.maximumWaitingSamples
        let over = StageError(
            code: .utteranceOver, reason: "utterance \(utterance) is over", remedy: "begin another one")
        let reserved: Result<SpeechIntake, StageError> = state.withLock { state in
            guard let intake = state.pending[utterance] else { return .failure(over) }
            guard state.waitingSamples + count <= limit else {
                return .failure(
                    StageError(
                        code: .tooMuchSound,
                        reason: "\(state.waitingSamples / OpusFormat.sampleRateHz) seconds of sound wait to be said",
                        remedy: "wait for them, or interrupt"))
            }
            state.waitingSamples += count
            return .success(intake)
        }
        let wasTaken = try reserved.get().prepare(part) { prepared in
            state.withLock { state in
                guard state.pending[utterance] != nil else {
                    state.waitingSamples -= count
                    return false
                }
                mailbox.post(.sound(utterance, prepared))
                return true
            }
        }
        guard wasTaken else { throw over }
    }

    /// No more sound will come.
    package func endUtterance(_ utterance: UtteranceID) {
        guard let intake = state.withLock({ $0.pending[utterance] }) else { return }
        intake.finish { mailbox.post(.utteranceEnded(utterance, heard: $0)) }
    }

    /// Stops speaking at the next packet and drops what waits to be said. Answers once the playout acted, with what was
    /// cut off; utterances begun after the call are not touched.
    @discardableResult
    package func interrupt() async -> [Interruption] {
        await withCheckedContinuation { continuation in
            let calledAt = SystemClock.now()
            let isRunning = state.withLock { state in
                guard state.phase == .running else { return false }
                state.pending.removeAll()
                state.lastInterruption += 1
                state.interruptions[state.lastInterruption] = continuation
                mailbox.post(.interrupt(number: state.lastInterruption, calledAt: calledAt))
                return true
            }
            if !isRunning { continuation.resume(returning: []) }
        }
    }
}
