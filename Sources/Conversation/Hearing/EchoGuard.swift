internal import Core

/// Tells a person's voice from the avatar's own, which loudspeaker and microphone bring back.
///
/// Does no I/O. Every 10 ms it takes the microphone's level and what the stage sent at that time. An echo follows the course of what
/// was sent, always the same time later and always as much softer; a person's voice does neither. So the guard learns over seconds
/// whether there is an echo, how late and how loud, and then takes what is neither louder than it nor of another course for it.
/// Browsers cancel most of an echo themselves; this is for what is left, and for loudspeakers that they know nothing of.
struct EchoGuard: Sendable {
    /// Time between two levels.
    static let step: Duration = .milliseconds(10)
    /// Steps from the stage to the microphone and back: network, the viewer's jitter buffer, the room. 500 ms.
    static let longestLag = 50
    /// Levels whose course is compared at once: 400 ms, some two syllables.
    static let window = 40
    /// Mean amplitude below which the avatar counts as silent: -66 dBFS.
    static let silence: Float = 0.0005

    /// Over seconds: from the first on an echo is known, below the second it is forgotten.
    static let knownCorrelation: Float = 0.6
    static let forgottenCorrelation: Float = 0.15
    /// Where no lag reaches this there is no echo: headphones, or a browser that cancels it all.
    static let noCorrelation: Float = 0.35
    /// Over the window: what follows the avatar so closely is its echo whatever else is known.
    static let closeCorrelation: Float = 0.85
    /// Over the window: what follows it less than so is not its echo alone.
    static let looseCorrelation: Float = 0.35
    /// Levels up to this multiple of the expected echo are it; rooms make no exact copies.
    static let expected: Float = 1.2
    /// From this multiple on a voice is a person's: 8 dB.
    static let louder: Float = 2.5
    /// Weight, in steps, from which the long sums tell anything: 500 ms.
    static let enough: Float = 50
    /// How much of the long sums one step leaves: 2 s to a third.
    static let memory: Float = 1 - 1 / 200

    /// The latest levels, oldest first: the microphone's, and the stage's so much longer.
    private var heard: [Float] = []
    private var sent: [Float] = []
    private var lastTime: Instant?
    /// Decaying sums over the steps at which the avatar could be heard; those of the stage for each lag.
    private var weight: Float = 0
    private var (heardSum, heardSquares): (Float, Float) = (0, 0)
    private var sentSums = [Float](repeating: 0, count: longestLag + 1)
    private var sentSquares = [Float](repeating: 0, count: longestLag + 1)
    /// Of all lags.
    private var bestCorrelation: Float = 0
    private var products = [Float](repeating: 0, count: longestLag + 1)
    /// The echo that is known: how many steps late, and how loud against what was sent.
    private(set) var echo: (lag: Int, gain: Float)?

    init() {}

    /// Whether a voice in these 10 ms would be the avatar's echo. To be called for every 10 ms in turn, voice or not.
    /// - Parameters:
    ///   - level: the microphone's mean amplitude, 0...1.
    ///   - sentLevel: the stage's at the same time.
    mutating func isEcho(level: Float, sent sentLevel: Float, at time: Instant) -> Bool {
        if let lastTime, time - lastTime > .milliseconds(200) {
            heard.removeAll(keepingCapacity: true)
            sent.removeAll(keepingCapacity: true)
        }
        lastTime = time
        heard.append(level)
        sent.append(sentLevel)
        if heard.count > Self.window { heard.removeFirst() }
        if sent.count > Self.window + Self.longestLag { sent.removeFirst() }
        guard sent.suffix(Self.longestLag + 1).contains(where: { $0 > Self.silence }) else { return false }
        learn(level)
        return echo.map { isKnown(level, $0) } ?? isSuspect
    }

    /// There is an echo: is this it?
    private func isKnown(_ level: Float, _ echo: (lag: Int, gain: Float)) -> Bool {
        // A room smears by some 30 ms.
        let around = (-3...3).compactMap { sentLevel(before: echo.lag + $0) }.max() ?? 0
        let likely = echo.gain * around
        if level <= Self.expected * likely { return true }
        let course = correlation(at: echo.lag)
        return course >= Self.closeCorrelation || (level <= Self.louder * likely && course >= Self.looseCorrelation)
    }

    /// No echo is known, perhaps not yet: is this the first of one?
    private var isSuspect: Bool {
        // Too short to tell a course: so early it is rather the avatar's own than an interruption.
        guard heard.count >= Self.window / 2, weight >= Self.enough / 2 else { return true }
        // Two persons' syllables fall together for a while at some lag or other; over seconds they do not.
        if weight >= 2 * Self.enough, bestCorrelation < Self.noCorrelation { return false }
        return (0...Self.longestLag).contains { correlation(at: $0) >= Self.closeCorrelation }
    }

    // MARK: Over seconds

    private mutating func learn(_ level: Float) {
        weight = weight * Self.memory + 1
        heardSum = heardSum * Self.memory + level
        heardSquares = heardSquares * Self.memory + level * level
        var best: (lag: Int, correlation: Float) = (0, -1)
        for lag in 0...Self.longestLag {
            let sent = sentLevel(before: lag) ?? 0
            sentSums[lag] = sentSums[lag] * Self.memory + sent
            sentSquares[lag] = sentSquares[lag] * Self.memory + sent * sent
            products[lag] = products[lag] * Self.memory + sent * level
            let correlation = longCorrelation(at: lag)
            if correlation > best.correlation { best = (lag, correlation) }
        }
        bestCorrelation = best.correlation
        guard weight >= Self.enough else { return }
        if best.correlation >= Self.knownCorrelation {
            echo = (best.lag, gain(at: best.lag))
        } else if let known = echo, longCorrelation(at: known.lag) < Self.forgottenCorrelation {
            echo = nil
        }
    }

    private func covariances(at lag: Int) -> (both: Float, heard: Float, sent: Float) {
        (
            products[lag] - heardSum * sentSums[lag] / weight, heardSquares - heardSum * heardSum / weight,
            sentSquares[lag] - sentSums[lag] * sentSums[lag] / weight
        )
    }

    private func longCorrelation(at lag: Int) -> Float {
        let (both, heard, sent) = covariances(at: lag)
        guard heard > 1e-9, sent > 1e-9 else { return 0 }
        return both / (heard * sent).squareRoot()
    }

    /// The slope of what was heard over what was sent.
    private func gain(at lag: Int) -> Float {
        let (both, _, sent) = covariances(at: lag)
        return sent > 1e-9 ? min(max(both / sent, 0), 100) : 0
    }

    // MARK: Over the window

    private func sentLevel(before lag: Int) -> Float? {
        let index = sent.count - 1 - lag
        return sent.indices.contains(index) ? sent[index] : nil
    }

    /// Pearson's, between the latest levels of the microphone and those of the stage `lag` steps before.
    private func correlation(at lag: Int) -> Float {
        let count = min(heard.count, sent.count - lag)
        guard count >= Self.window / 2 else { return 0 }
        let (heardStart, sentStart) = (heard.count - count, sent.count - lag - count)
        var (heardSum, sentSum, product, heardSquares, sentSquares): (Float, Float, Float, Float, Float) = (
            0, 0, 0, 0, 0
        )
        for index in 0..<count {
            let (heard, sent) = (heard[heardStart + index], sent[sentStart + index])
            heardSum += heard
            sentSum += sent
            product += heard * sent
            heardSquares += heard * heard
            sentSquares += sent * sent
        }
        let total = Float(count)
        let heardVariance = heardSquares - heardSum * heardSum / total
        let sentVariance = sentSquares - sentSum * sentSum / total
        guard heardVariance > 1e-9, sentVariance > 1e-9 else { return 0 }
        return (product - heardSum * sentSum / total) / (heardVariance * sentVariance).squareRoot()
    }
}
