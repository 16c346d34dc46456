package import Core
package import MediaPipeline

/// What a conversation tells those who watch it.
package enum ConversationEvent: Equatable, Sendable {
    /// What the avatar does now, as the stage shows it.
    case activityChanged(StageActivity)
    /// A person began (true) or ceased (false) to speak into a microphone.
    case userSpeaking(Bool)
    /// What was understood of somebody's speech.
    case transcription(String)
    /// The next piece of the answer as it is written.
    case textStream(String)
    /// The whole answer, or what was written of it when it was cut off.
    case textComplete(String)
    /// What is being worked on: `status` for programs, `message` for people.
    case processing(status: String, message: String)
    /// The first sound of the utterance went out.
    case speechStarted(UtteranceID)
    case speechFinished(UtteranceID, position: Duration, interrupted: Bool)
    /// A part gave no result; the conversation goes on.
    case failed(BackendError)
    /// Comes once a turn: with its first sound, or at its end where there was none.
    case turn(TurnTimeline)
}

/// Why a conversation refuses what it was asked.
package struct ConversationError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        case textEmpty, textTooLong, soundUnusable, tooMuchWaiting, hearingUnavailable, stageRefused, closed
    }
    package let code: Code
    package let reason: String
    package let remedy: String

    package init(code: Code, reason: String, remedy: String) {
        self.code = code
        self.reason = reason
        self.remedy = remedy
    }
}
