internal import Glibc

/// Raises sound from 16 kHz to 48 kHz: each sample becomes three, through a windowed-sinc low-pass filter.
package struct TripleRateConverter: Sendable {
    /// Input samples on either side that one output sample is computed from.
    private static let reach = 12
    /// For each of the three phases the weights of `2 * reach` input samples.
    private static let phases: [[Float]] = (0..<3).map { phase in
        var weights = (0..<(2 * reach)).map { tap in
            let distance = Double(tap - reach + 1) - Double(phase) / 3
            let angle = Double.pi * distance
            let sinc = abs(distance) < 1e-9 ? 1 : sin(angle * 0.94) / angle
            let window = 0.5 + 0.5 * cos(Double.pi * distance / Double(reach + 1))
            return Float(sinc * window)
        }
        let sum = weights.reduce(0, +)
        weights = weights.map { $0 / sum }
        return weights
    }

    package init() {}

    /// Converts a whole utterance; the result has three times the samples.
    package func convert(_ samples: [Int16]) -> [Int16] {
        let reach = Self.reach
        let padded =
            [Float](repeating: 0, count: reach) + samples.map(Float.init) + [Float](repeating: 0, count: reach)
        var output: [Int16] = []
        output.reserveCapacity(samples.count * 3)
        for index in samples.indices {
            for weights in Self.phases {
                var sum: Float = 0
                for tap in 0..<(2 * reach) { sum += weights[tap] * padded[index + tap + 1] }
                output.append(Int16(max(-32768, min(32767, sum.rounded()))))
            }
        }
        return output
    }
}
