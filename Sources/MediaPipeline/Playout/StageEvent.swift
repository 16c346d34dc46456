package import Core

/// What a stage does at present, as its viewers may be shown it.
package enum StageActivity: String, Sendable {
    case idle
    /// Somebody speaks to it.
    case listening
    /// It has been asked and has nothing to say yet.
    case thinking
    /// Its voice is heard. Comes and goes with the voice by itself.
    case speaking
}

/// What a stage reports while it plays.
package enum StageEvent: Sendable, Equatable {
    /// The first sound of the utterance went out.
    case speechStarted(UtteranceID)
    /// The last sound went out, `position` after the first; `interrupted` where something was left unsaid.
    case speechFinished(UtteranceID, position: Duration, interrupted: Bool)
    case activityChanged(StageActivity)
    /// The stage goes on, but not as it should; nil once all is well again.
    case degraded(reason: String?)
}

/// An utterance that was cut off or never begun.
package struct Interruption: Sendable, Equatable {
    package let utterance: UtteranceID
    /// How much of it went out.
    package let position: Duration

    package init(utterance: UtteranceID, position: Duration) {
        self.utterance = utterance
        self.position = position
    }
}

/// Why a stage cannot be made, or cannot do what it was asked.
package struct StageError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        case invalidConfiguration, sourceUnavailable
        case tooManyUtterances, tooMuchSound, notRunning
        /// The utterance was interrupted, or has ended: there is no use in going on with it.
        case utteranceOver
    }
    package let code: Code
    package let reason: String
    /// The command or setting that mends it.
    package let remedy: String

    package init(code: Code, reason: String, remedy: String) {
        self.code = code
        self.reason = reason
        self.remedy = remedy
    }
}
