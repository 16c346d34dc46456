internal import Core

/// One session's pictures between their arrival and their moment. Does no I/O and knows no clock: time is the sample that
/// is heard.
///
/// Positions and first samples count at 16 kHz from their utterance's first sample.
struct FrameBuffer<Picture> {
    enum Arrival: Equatable {
        case held
        /// Its moment has passed, or a later picture was shown already.
        case late
        /// The engine had no credit for it.
        case withoutCredit
    }

    enum Choice {
        case new(Picture, skew: Duration)
        /// The one before stands.
        case same(skew: Duration)
        /// None for this moment.
        case missing
    }

    private struct Held {
        let utterance: String
        let firstSample: Int64
        let picture: Picture
    }

    /// What is held, and credit given, together: 400 ms (docs/protocols/engine.md, rule 5).
    static var span: Double { 0.4 }
    /// So long the last picture stands where no new one comes.
    static var patience: Int64 { 16 * 200 }

    let capacity: Int
    /// Samples of one picture.
    private let interval: Int64
    /// Samples by which pictures are shown later than they say.
    private let offset: Int64
    /// Ordered by utterance, then by first sample.
    private var frames: [Held] = []
    private var shown: (utterance: String, firstSample: Int64)?
    /// Credit that the engine has and did not use yet.
    private(set) var credit = 0
    /// Pictures that a newer one overtook before they could be shown.
    private(set) var overtaken = 0

    init(framesPerSecond: Double, offset: Duration) {
        capacity = max(2, Int(Self.span * framesPerSecond))
        interval = Int64(16_000 / framesPerSecond)
        self.offset = Int64(offset.nanoseconds / 62_500)
    }

    var count: Int { frames.count }

    /// Takes a picture that arrived. `position` is what is heard of its utterance; nil before it began.
    mutating func receive(
        _ picture: Picture, of utterance: String, firstSample: Int64, position: Int64?
    ) -> Arrival {
        guard credit > 0 else { return .withoutCredit }
        credit -= 1
        if let shown, shown.utterance == utterance, firstSample <= shown.firstSample { return .late }
        if let position, firstSample + offset < position - max(1600, 2 * interval) { return .late }
        // Pictures come in order, so the place is at the end, or close to it.
        var index = frames.count
        while index > 0, frames[index - 1].utterance == utterance, frames[index - 1].firstSample >= firstSample {
            index -= 1
        }
        frames.insert(Held(utterance: utterance, firstSample: firstSample, picture: picture), at: index)
        return .held
    }

    /// The picture for the moment at which `position` of `utterance` is heard first: the nearest one that begins no later
    /// than half a stage picture after it.
    mutating func choose(_ utterance: String, position: Int64, halfStagePicture: Int64) -> Choice {
        // What belongs to utterances before this one is over.
        if let first = frames.firstIndex(where: { $0.utterance == utterance }), first > 0 {
            overtaken += first
            frames.removeFirst(first)
        }
        let last = frames.lastIndex {
            $0.utterance == utterance && $0.firstSample + offset <= position + halfStagePicture
        }
        if let last {
            let frame = frames[last]
            overtaken += last
            frames.removeFirst(last + 1)
            shown = (utterance, frame.firstSample)
            return .new(frame.picture, skew: skew(frame.firstSample, position))
        }
        guard let shown else { return .missing }
        if shown.utterance == utterance {
            guard position - shown.firstSample - offset <= interval + Self.patience else { return .missing }
            return .same(skew: skew(shown.firstSample, position))
        }
        // The utterance before has just ended.
        return position <= Self.patience ? .same(skew: .zero) : .missing
    }

    private func skew(_ firstSample: Int64, _ position: Int64) -> Duration {
        .nanoseconds((position - firstSample - offset) * 62_500)
    }

    /// Drops every picture; the credit for them comes back by ``takeCredit()``.
    mutating func clear() {
        frames.removeAll()
        shown = nil
    }

    /// Nothing is heard any more.
    mutating func forgetShown() {
        shown = nil
    }

    mutating func drop(_ utterances: some Collection<String>) {
        frames.removeAll { utterances.contains($0.utterance) }
    }

    /// How many more pictures the engine may send.
    mutating func takeCredit() -> Int {
        let due = capacity - credit - frames.count
        guard due > 0 else { return 0 }
        credit += due
        return due
    }

    mutating func takeOvertaken() -> Int {
        defer { overtaken = 0 }
        return overtaken
    }
}
extension FrameBuffer.Choice: Sendable where Picture: Sendable {}
