internal import Core
internal import Synchronization

/// What is made of one utterance's sound before the stage has it: the lips where the voice brings none, and the copy at
/// 16 kHz that the source hears, without a seam where parts meet.
///
/// Done on the thread that brings the sound: minutes of it must not hold up the stage's clock.
final class SpeechIntake: Sendable {
    struct Prepared: Sendable {
        var part: SpokenPart
        /// 16 kHz; empty where the source does not listen.
        var heard: [Int16]
    }

    static let heardSampleRateHz = 16_000
    private struct State {
        var lips = LipFollower()
        var resampler: VoiceResampler?
    }
    private let state: Mutex<State>

    init(isHeard: Bool) {
        let resampler = isHeard ? VoiceResampler(from: OpusFormat.sampleRateHz, to: Self.heardSampleRateHz) : nil
        state = Mutex(State(resampler: resampler))
    }

    /// Hands `post` what was made of the part; calls come in the order in which the parts did.
    func prepare<Result: Sendable>(_ part: SpokenPart, _ post: (Prepared) -> Result) -> Result {
        state.withLock { state in
            var part = part
            if part.visemes == nil { part.visemes = state.lips.track(part.samples) }
            return post(Prepared(part: part, heard: state.resampler?.convert(part.samples) ?? []))
        }
    }

    /// Hands `post` what the resampler held back.
    func finish(_ post: ([Int16]) -> Void) {
        state.withLock { post($0.resampler?.finish() ?? []) }
    }
}

/// What a source was told of the utterances, so that it is told each thing once.
struct SourceHearing {
    private let source: any PictureSource
    /// Begun and not ended.
    private var open: Set<UtteranceID> = []
    /// Begun and not over yet.
    private var begun: Set<UtteranceID> = []

    init(_ source: any PictureSource) {
        self.source = source
    }

    func knows(_ utterance: UtteranceID) -> Bool { begun.contains(utterance) }

    /// `motionTime` is where the idle motion will be about when these samples are heard.
    mutating func append(_ samples: [Int16], to utterance: UtteranceID, motionTime: Double) {
        guard source.wantsSound, !samples.isEmpty else { return }
        if begun.insert(utterance).inserted {
            open.insert(utterance)
            source.utteranceBegan(utterance, motionTime: motionTime)
        }
        source.heard(samples, of: utterance)
    }

    /// False where the source was never told of the utterance.
    @discardableResult
    mutating func end(_ utterance: UtteranceID, last: [Int16] = []) -> Bool {
        guard open.remove(utterance) != nil else { return begun.contains(utterance) }
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
        open.removeAll()
        source.clear()
    }
}
