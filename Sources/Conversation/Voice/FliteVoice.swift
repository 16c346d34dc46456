package import MediaPipeline

/// The voice that is built in: Flite, English, on a thread of its own for all conversations.
package struct FliteVoice: Voice {
    package var name: String { "flite (built in, English)" }

    /// Loads the voice meanwhile, so that the first sentence need not wait for it.
    package init() {
        SpeechSynthesizer.shared.warmUp()
    }

    package func synthesise(_ sentence: String) -> AsyncThrowingStream<SpokenPart, any Error> {
        let (stream, continuation) = AsyncThrowingStream<SpokenPart, any Error>.makeStream()
        let cancellation = SpeechSynthesizer.Cancellation()
        continuation.onTermination = { _ in cancellation.cancel() }
        SpeechSynthesizer.shared.speak(sentence, cancellation: cancellation) { event in
            switch event {
            case .part(let part): continuation.yield(part)
            case .ended: continuation.finish()
            case .failed(let reason):
                continuation.finish(
                    throwing: BackendError(
                        code: .unavailable, part: "voice", reason: reason, remedy: "install flite with its voices"))
            }
        }
        return stream
    }
}
