internal import Glibc

/// Raises sound of any usual rate to 48 kHz as it arrives: a windowed-sinc low-pass filter in polyphase form.
///
/// The result has no delay: as many samples are held back as the filter looks ahead, until ``finish()``.
struct SpeechRateConverter: Sendable {
    static let outputRateHz = 48_000
    /// Input samples on either side that one output sample is computed from.
    private static let reach = 16
    /// More phases than any usual rate has (11,025 Hz: 640): a table for a nonsensical rate would be large.
    private static let maximumPhases = 1000

    /// Output sample `n` stands at `n * step / phaseCount` input samples.
    private let step: Int
    private let phaseCount: Int
    /// For each phase the weights of `2 * reach` input samples.
    private let weights: [Float]
    private var input: [Float]
    /// Where the next output sample stands, in input samples times `phaseCount`, from the first of `input`.
    private var position: Int

    /// Nil for a rate that is not between 8 and 48 kHz, or has no handy ratio to 48 kHz.
    init?(from rate: Int) {
        guard 8_000...Self.outputRateHz ~= rate else { return nil }
        let divisor = Self.greatestCommonDivisor(rate, Self.outputRateHz)
        phaseCount = Self.outputRateHz / divisor
        step = rate / divisor
        guard phaseCount <= Self.maximumPhases else { return nil }
        weights = (0..<phaseCount).flatMap { [phaseCount] in Self.phase(Double($0) / Double(phaseCount)) }
        // The sound before the first sample is silence.
        input = [Float](repeating: 0, count: Self.reach - 1)
        position = 0
    }

    private static func phase(_ fraction: Double) -> [Float] {
        let taps = (0..<(2 * reach)).map { tap in
            let distance = Double(tap - reach + 1) - fraction
            let angle = Double.pi * distance
            let sinc = abs(distance) < 1e-9 ? 0.96 : sin(angle * 0.96) / angle
            return sinc * (0.5 + 0.5 * cos(Double.pi * distance / Double(reach + 1)))
        }
        let sum = taps.reduce(0, +)
        return taps.map { Float($0 / sum) }
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }

    /// The samples that the next ones complete.
    mutating func convert(_ samples: [Int16]) -> [Int16] {
        input.append(contentsOf: samples.lazy.map(Float.init))
        return take()
    }

    /// What was held back.
    mutating func finish() -> [Int16] {
        input.append(contentsOf: repeatElement(0, count: Self.reach))
        defer {
            input = [Float](repeating: 0, count: Self.reach - 1)
            position = 0
        }
        return take()
    }

    private mutating func take() -> [Int16] {
        // At the same rate every sample stands on an input sample: nothing is to be filtered.
        let width = 2 * Self.reach
        var output: [Int16] = []
        while position / phaseCount + width <= input.count {
            let (first, phase) = (position / phaseCount, position % phaseCount)
            var sum: Float = 0
            if phaseCount == 1 {
                sum = input[first + Self.reach - 1]
            } else {
                for tap in 0..<width { sum += weights[phase * width + tap] * input[first + tap] }
            }
            output.append(Int16(max(-32768, min(32767, sum.rounded()))))
            position += step
        }
        let used = min(position / phaseCount, input.count)
        input.removeFirst(used)
        position -= used * phaseCount
        return output
    }
}
