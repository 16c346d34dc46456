internal import Core

/// Tells a person's voice from the avatar's own, which loudspeaker and microphone bring back.
///
/// Does no I/O. For each 10 ms it takes the microphone's level and looks up what the stage sent at each time up to half a second
/// before: an echo follows the course of what was sent, and is no louder than the room makes it. A person's voice does neither.
/// Browsers cancel most of an echo themselves; this is for what is left, and for loudspeakers that they know nothing of.
struct EchoGuard: Sendable {
    /// Time between two levels.
    static let step: Duration = .milliseconds(10)
    /// The way from the stage to the microphone and back: network, the viewer's jitter buffer, the room.
    static let longestLag: Duration = .milliseconds(500)
    /// Levels that are compared: 400 ms, some two syllables.
    static let window = 40
    /// From this correlation on the microphone follows the avatar.
    static let echoCorrelation: Float = 0.65
    /// A voice that is so much louder than the echo so far is a person's, whatever its course: 8 dB.
    static let louder: Float = 2.5
    /// Mean amplitude below which the avatar counts as silent: -66 dBFS.
    static let silence: Float = 0.0005

    private var levels: [Float] = []
    /// How loud the echo is against what was sent; nil until one was met.
    private(set) var coupling: Float?

    init() {}

    /// Whether the voice in these 10 ms is the avatar's echo.
    /// - Parameter sent: the stage's mean amplitude at a time, 0...1.
    mutating func isEcho(level: Float, at time: Instant, sent: (Instant) -> Float) -> Bool {
        levels.append(level)
        if levels.count > Self.window { levels.removeFirst(levels.count - Self.window) }
        let lags = Int(Self.longestLag.nanoseconds / Self.step.nanoseconds)
        // The course of what was sent, from the oldest that may count to now.
        let reference = (0..<(levels.count + lags)).map { index in
            sent(time - Self.step * (levels.count + lags - 1 - index))
        }
        guard reference.contains(where: { $0 > Self.silence }) else { return false }
        // Too short to tell a course: while the avatar speaks it is its echo rather than an interruption.
        guard levels.count >= Self.window / 2 else { return true }
        let (correlation, lag) = bestCorrelation(reference, lags: lags)
        let sentMean = mean(reference, from: lags - lag, count: levels.count)
        let heardMean = mean(levels, from: 0, count: levels.count)
        guard sentMean > Self.silence else { return false }
        let ratio = heardMean / sentMean
        guard correlation >= Self.echoCorrelation else {
            // Sound that does not follow the avatar's may still be its echo's blur, where it is as soft as echoes were.
            return coupling.map { level <= $0 * peak(reference) * 0.5 } ?? false
        }
        if let known = coupling, ratio > known * Self.louder { return false }
        coupling = coupling.map { $0 + (ratio - $0) * 0.05 } ?? ratio
        return true
    }

    private func bestCorrelation(_ reference: [Float], lags: Int) -> (Float, lag: Int) {
        var best: (Float, lag: Int) = (-1, 0)
        for lag in 0...lags {
            let value = correlation(reference, from: lags - lag)
            if value > best.0 { best = (value, lag) }
        }
        return best
    }

    /// Pearson's, between the microphone's levels and as many of `reference` from `start` on; 0 where either does not vary.
    private func correlation(_ reference: [Float], from start: Int) -> Float {
        let count = levels.count
        let (heardMean, sentMean) = (mean(levels, from: 0, count: count), mean(reference, from: start, count: count))
        var (product, heardSquare, sentSquare): (Float, Float, Float) = (0, 0, 0)
        for index in 0..<count {
            let (heard, sent) = (levels[index] - heardMean, reference[start + index] - sentMean)
            product += heard * sent
            heardSquare += heard * heard
            sentSquare += sent * sent
        }
        guard heardSquare > 0, sentSquare > 0 else { return 0 }
        return product / (heardSquare * sentSquare).squareRoot()
    }

    private func mean(_ values: [Float], from start: Int, count: Int) -> Float {
        var sum: Float = 0
        for index in start..<start + count { sum += values[index] }
        return count == 0 ? 0 : sum / Float(count)
    }

    private func peak(_ values: [Float]) -> Float { values.max() ?? 0 }
}
