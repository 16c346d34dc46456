package import Core

/// What a stage reports while it plays.
package enum StageEvent: Sendable, Equatable {
    /// The first sound of the utterance went out.
    case speechStarted(UtteranceID)
    /// The last sound went out, `position` after the first; `interrupted` where text was left unsaid.
    case speechFinished(UtteranceID, position: Duration, interrupted: Bool)
    /// The stage goes on, but not as it should.
    case degraded(reason: String)
}

/// Why a stage cannot be made, or cannot do what it was asked.
package struct StageError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        case invalidConfiguration, sourceUnavailable, encoderUnavailable, voiceUnavailable, textTooLong, textEmpty
        case tooManyUtterances, notRunning
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
