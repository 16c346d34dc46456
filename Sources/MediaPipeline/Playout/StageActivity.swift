package import Core

/// What the person on a stage is doing.
package enum StageActivity: String, Sendable {
    case idle, listening, thinking, speaking
}

/// An utterance that was cut off, and how much of it was heard.
package struct Interruption: Equatable, Sendable {
    package let utterance: UtteranceID
    package let position: Duration

    package init(utterance: UtteranceID, position: Duration) {
        self.utterance = utterance
        self.position = position
    }
}
