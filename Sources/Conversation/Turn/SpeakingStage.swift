package import Core
package import MediaPipeline

/// What a conversation needs of a stage. ``MediaPipeline/Stage`` is the one the program runs on.
///
/// The calls take effect in the order in which they are made; ``interrupt()`` too takes its place in that order before
/// it first suspends, so an utterance that is begun after it was called is not dropped by it.
package protocol SpeakingStage: Sendable {
    func beginUtterance() throws(StageError) -> UtteranceID
    func append(_ part: SpokenPart, to utterance: UtteranceID) throws(StageError)
    func endUtterance(_ utterance: UtteranceID)
    func interrupt() async -> [Interruption]
    func setActivity(_ activity: StageActivity)
    /// How loud the avatar's voice was then, for the guard against its echo: mean amplitude, 0...1.
    func spokenLevel(at instant: Instant) -> Float
}

extension Stage: SpeakingStage {
    package func spokenLevel(at instant: Instant) -> Float { voiceLevel.level(at: instant) }
}
