package import MediaPipeline

/// Text-to-speech. Implementations hold no state of any conversation and serve many at once.
package protocol Voice: Sendable {
    /// As `/health` names it: `flite (built in, English)`.
    var name: String { get }
    /// Speaks one sentence: its parts in order, the first as soon as there is any sound. Ending the iteration calls the
    /// rest off. The stream throws ``BackendError`` only.
    func synthesise(_ sentence: String) -> AsyncThrowingStream<SpokenPart, any Error>
}
