package import Core

/// Why a part of a conversation gave no result: a voice, a recogniser, a model.
package struct BackendError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        /// It cannot be used at all: a model is missing, a setting is wrong.
        case unavailable
        case unreachable
        case timedOut
        /// It answered with an HTTP status other than success.
        case refused
        /// It answered with something else than its protocol says.
        case malformedAnswer
        /// What it was given cannot be worked on.
        case unusableInput
        case cancelled
    }
    package let code: Code
    /// Which back end: `voice`, `hearing` or `answering`.
    package let part: String
    /// In words for a person; never holds a key, and of a stranger's answer only the first characters.
    package let reason: String
    /// The command or setting that mends it.
    package let remedy: String

    package init(code: Code, part: String, reason: String, remedy: String) {
        self.code = code
        self.part = part
        self.reason = reason
        self.remedy = remedy
    }

    package var degradedPart: DegradedPart { DegradedPart(part: part, reason: reason, remedy: remedy) }
}
