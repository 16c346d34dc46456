/// When a person is taken to speak, to have finished, and to interrupt.
package struct HearingConfiguration: Equatable, Sendable {
    /// A turn ends after so long without voice. At most ``longestPause``.
    package var pause: Duration
    /// A turn with less voice than this was a cough or a click, and is abandoned.
    package var minimumSpeech: Duration
    /// Who speaks over the avatar interrupts it; else nobody is heard while it speaks.
    package var bargeIn: Bool
    /// Voice that is not the avatar's own echo, before it counts as an interruption.
    package var bargeInSpeech: Duration
    /// A turn that is longer is cut here, and the next one begins.
    package var maximumTurn: Duration

    /// What the sound's way to the server fills in of a pause, and so the longest that can be told.
    package static let longestPause: Duration = .seconds(4)

    package init(
        pause: Duration = .milliseconds(700), minimumSpeech: Duration = .milliseconds(200), bargeIn: Bool = true,
        bargeInSpeech: Duration = .milliseconds(250), maximumTurn: Duration = .seconds(30)
    ) {
        self.pause = min(max(pause, .milliseconds(100)), Self.longestPause)
        self.minimumSpeech = max(minimumSpeech, .zero)
        self.bargeIn = bargeIn
        self.bargeInSpeech = min(max(bargeInSpeech, .milliseconds(60)), .seconds(2))
        self.maximumTurn = min(max(maximumTurn, .seconds(1)), .seconds(300))
    }
}
