/// Finds answers: a language model, or a script. Implementations hold no state of any conversation and serve many at once.
package protocol Answerer: Sendable {
    /// As `/health` names it: `gemma3 at http://127.0.0.1:11434`, or `scripted dialogue, not a language model`.
    var name: String { get }
    /// The answer to the last message, piece by piece as it is written. Ending the iteration calls the rest off.
    /// The stream throws ``BackendError`` only.
    func answer(_ history: [DialogueMessage]) -> AsyncThrowingStream<String, any Error>
}

/// One message of a dialogue, as chat models take it.
package struct DialogueMessage: Equatable, Sendable {
    package enum Role: String, Sendable {
        case system, user, assistant
    }
    package var role: Role
    package var content: String

    package init(role: Role, content: String) {
        self.role = role
        self.content = content
    }
}
