internal import Core

/// Tells a source what will be heard: each utterance's sound at 16 kHz, without a seam where its parts meet.
struct SourceHearing {
    static let sampleRateHz = 16_000
    private let source: any PictureSource
    private var resamplers: [UtteranceID: VoiceResampler] = [:]
    /// What the source was told of and is not over yet.
    private var begun: Set<UtteranceID> = []

    init(_ source: any PictureSource) {
        self.source = source
    }

    /// `motionTime` is where the idle motion will be about when the utterance begins to be heard.
    mutating func append(_ samples: [Int16], to utterance: UtteranceID, motionTime: Double) {
        guard source.wantsSound, !samples.isEmpty else { return }
        if begun.insert(utterance).inserted {
            resamplers[utterance] = VoiceResampler(from: OpusFormat.sampleRateHz, to: Self.sampleRateHz)
            source.utteranceBegan(utterance, motionTime: motionTime)
        }
        // The optional chain keeps the resampler in its place: it holds the sound between the parts.
        guard let heard = resamplers[utterance]?.convert(samples), !heard.isEmpty else { return }
        source.heard(heard, of: utterance)
    }

    /// False where the source was never told of the utterance.
    @discardableResult
    mutating func end(_ utterance: UtteranceID) -> Bool {
        guard let last = resamplers[utterance]?.finish() else { return begun.contains(utterance) }
        resamplers[utterance] = nil
        if !last.isEmpty { source.heard(last, of: utterance) }
        source.utteranceEnded(utterance)
        return true
    }

    /// The utterance has been heard, or was given up.
    mutating func finished(_ utterance: UtteranceID) {
        end(utterance)
        begun.remove(utterance)
    }

    /// Nothing of what the source was told will be heard.
    mutating func clear() {
        guard !begun.isEmpty else { return }
        begun.removeAll()
        resamplers.removeAll()
        source.clear()
    }
}
