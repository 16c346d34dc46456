package import Core

/// One question and its answer.
package struct TurnID: Hashable, Sendable, CustomStringConvertible {
    package let value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package var description: String { "t\(value)" }
}

/// When the parts of one turn were done, on one clock.
package struct TurnTimeline: Equatable, Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Written by a person.
        case typed
        /// Heard through a microphone.
        case spoken
        /// Sent as an audio file.
        case recording
    }
    package let turn: TurnID
    package let kind: Kind
    /// When the speech ended, before the pause that ends a turn; or when the text or the recording came.
    package let asked: Instant
    /// When the server knew that the turn had ended; the same as ``asked`` where nobody spoke.
    package let heard: Instant
    package var transcript: Instant?
    package var firstToken: Instant?
    /// The first packet with the answer's voice.
    package var firstSound: Instant?
    /// What recogniser, model and voice took of the time until the first sound.
    package var servicesTook: Duration = .zero

    package init(turn: TurnID, kind: Kind, asked: Instant, heard: Instant) {
        self.turn = turn
        self.kind = kind
        self.asked = asked
        self.heard = heard
    }

    /// Since ``asked``.
    package var timeToHeard: Duration { heard - asked }
    package var timeToTranscript: Duration? { transcript.map { $0 - asked } }
    package var timeToFirstToken: Duration? { firstToken.map { $0 - asked } }
    package var timeToFirstSound: Duration? { firstSound.map { $0 - asked } }
    /// The server's own share of the time to the first sound: without the pause that ends a turn, without recogniser,
    /// model and voice. At most 100 ms is the aim.
    package var serverShare: Duration? { firstSound.map { max(.zero, $0 - heard - servicesTook) } }
}
