internal import Core
internal import MediaPipeline

/// What the thread "recogniser" does: its decoders, and the turns that they hear.
struct PocketSphinxDecoding: ~Copyable {
    /// 100 ms of each turn before the next one's. Always as much at once but at a turn's end: the library's running mean, and
    /// so what it understands, depends on it.
    private static let slice = MicrophoneSound.sampleRateHz / 10

    private struct Turn {
        var decoder: PocketSphinxDecoder?
        /// Not yet decoded, from `first` on.
        var waiting: [Int16] = []
        var first = 0
        var finish: CheckedContinuation<Result<String, BackendError>, Never>?
        var hasFailed = false

        var hasSound: Bool { first < waiting.count }
        /// There is a slice to be decoded, or the turn is to end.
        var hasWork: Bool { finish != nil || waiting.count - first >= slice }
    }
    private let model: PocketSphinxModel
    private let maximumDecoders: Int
    private var decoderCount = 1
    private var free: [PocketSphinxDecoder]
    private var turns: [UInt64: Turn] = [:]
    /// In the order of their beginnings.
    private var order: [UInt64] = []

    /// Nil where the model cannot be read.
    init?(_ directory: String, maximumDecoders: Int) {
        guard let model = PocketSphinxModel(directory: directory), let decoder = PocketSphinxDecoder(model) else {
            return nil
        }
        self.model = model
        self.maximumDecoders = maximumDecoders
        free = [decoder]
    }

    mutating func run(_ mailbox: Mailbox<PocketSphinxRecogniser.Order>) {
        while true {
            for order in mailbox.takeAll(until: hasWork ? .zero : nil) {
                guard take(order) else { return }
            }
            for id in order { work(on: id) }
        }
    }

    private var hasWork: Bool {
        let hasFree = !free.isEmpty || decoderCount < maximumDecoders
        return turns.values.contains { ($0.decoder != nil || hasFree) && $0.hasWork }
    }

    /// False where the thread is to end.
    private mutating func take(_ order: PocketSphinxRecogniser.Order) -> Bool {
        switch order {
        case .begin(let id):
            guard turns.count < PocketSphinxRecogniser.maximumSessions else { break }
            turns[id] = Turn()
            self.order.append(id)
        case .sound(let id, let samples):
            guard let turn = turns[id] else { break }
            let room = PocketSphinxRecogniser.maximumWaitingSamples - (turn.waiting.count - turn.first)
            turns[id]?.waiting += samples.prefix(max(room, 0))
        case .finish(let id, let continuation):
            guard turns[id] != nil else {
                continuation.resume(
                    returning: .failure(PocketSphinxRecogniser.unavailable("too many people speak at once")))
                break
            }
            turns[id]?.finish = continuation
        case .cancel(let id):
            guard let turn = remove(id) else { break }
            turn.decoder?.abandon()
            turn.finish?.resume(returning: .failure(PocketSphinxSession.cancelled))
        case .stop:
            // Turns keep their recogniser alive, so none is left.
            return false
        }
        return true
    }

    private mutating func work(on id: UInt64) {
        guard var turn = turns[id], turn.hasWork else { return }
        if turn.decoder == nil, turn.hasSound, !turn.hasFailed {
            guard let decoder = takeDecoder() else { return }
            turn.decoder = decoder
            turn.hasFailed = !decoder.begin()
        }
        if turn.hasSound {
            let end = min(turn.first + Self.slice, turn.waiting.count)
            if !turn.hasFailed, let decoder = turn.decoder {
                turn.hasFailed = !decoder.hear(turn.waiting[turn.first..<end])
            }
            turn.first = end
            if turn.first == turn.waiting.count {
                turn.waiting.removeAll(keepingCapacity: true)
                turn.first = 0
            }
        }
        turns[id] = turn
        guard !turn.hasSound, let continuation = turn.finish else { return }
        let words = turn.decoder?.end() ?? ""
        _ = remove(id)
        continuation.resume(
            returning: turn.hasFailed
                ? .failure(PocketSphinxRecogniser.unavailable("the library failed in this turn")) : .success(words))
    }

    private mutating func remove(_ id: UInt64) -> Turn? {
        guard let turn = turns.removeValue(forKey: id) else { return nil }
        order.removeAll { $0 == id }
        if let decoder = turn.decoder { free.append(decoder) }
        return turn
    }

    private mutating func takeDecoder() -> PocketSphinxDecoder? {
        if let decoder = free.popLast() { return decoder }
        guard decoderCount < maximumDecoders else { return nil }
        guard let decoder = PocketSphinxDecoder(model) else {
            // Memory is short: so many are all there will be.
            decoderCount = maximumDecoders
            return nil
        }
        decoderCount += 1
        return decoder
    }
}
