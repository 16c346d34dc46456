internal import Glibc

/// Changes the rate of a voice, 16 bit and one channel, by a windowed-sinc low-pass filter.
///
/// Sound may come in pieces of any length; what comes out is the same as if it had come in one. Samples that the filter
/// still needs are held back (16 samples of the lower rate) until more come or ``finish()`` is called.
package struct VoiceResampler: Sendable {
    /// Rates that are taken, in samples a second.
    package static let rates = 4_000...192_000
    /// Samples of the lower rate on either side of an output sample that it is computed from.
    private static let reachAtLowerRate = 16
    /// Where in the gap between two input samples an output sample may lie; rates with odd ratios are rounded to these.
    private static let maximumPhases = 512

    /// Output rate over input rate is `up / down`, in lowest terms.
    private let up: Int
    private let down: Int
    /// Input samples on either side.
    private let reach: Int
    private let phaseCount: Int
    /// `2 * reach` weights a phase, one phase after the other.
    private let weights: [Float]
    /// The input that is still needed; the first of it is input sample `bufferStart`.
    private var buffer: [Float] = []
    private var bufferStart = 0
    /// The next output sample lies at input `base + remainder / up`.
    private var base = 0
    private var remainder = 0
    private var inputCount = 0

    /// Nil where a rate is outside ``rates``.
    package init?(from inputRateHz: Int, to outputRateHz: Int = OpusFormat.sampleRateHz) {
        guard Self.rates.contains(inputRateHz), Self.rates.contains(outputRateHz) else { return nil }
        var (divisor, rest) = (inputRateHz, outputRateHz)
        while rest != 0 { (divisor, rest) = (rest, divisor % rest) }
        up = outputRateHz / divisor
        down = inputRateHz / divisor
        let ratio = min(1, Double(outputRateHz) / Double(inputRateHz))
        // Even, so that the weights come by four.
        let reach = (Int((Double(Self.reachAtLowerRate) / ratio).rounded(.up)) + 1) / 2 * 2
        let phaseCount = min(up, Self.maximumPhases)
        self.reach = reach
        self.phaseCount = phaseCount
        weights = (0..<phaseCount).flatMap { phase in
            Self.weights(fraction: Double(phase) / Double(phaseCount), reach: reach, cutoff: ratio * 0.94)
        }
        restart()
    }

    /// The filter for an output sample `fraction` of an input sample after input `reach - 1`; the sum is 1.
    private static func weights(fraction: Double, reach: Int, cutoff: Double) -> [Float] {
        let taps = (0..<(2 * reach)).map { tap -> Double in
            let distance = Double(tap - reach + 1) - fraction
            let angle = Double.pi * distance
            let sinc = abs(distance) < 1e-9 ? cutoff : sin(angle * cutoff) / angle
            return sinc * (0.5 + 0.5 * cos(angle / Double(reach + 1)))
        }
        let sum = taps.reduce(0, +)
        return taps.map { Float($0 / sum) }
    }

    private mutating func restart() {
        buffer = [Float](repeating: 0, count: reach)
        bufferStart = -reach
        (base, remainder, inputCount) = (0, 0, 0)
    }

    /// Takes the next samples and gives what can be told from all so far.
    package mutating func convert(_ samples: [Int16]) -> [Int16] {
        inputCount += samples.count
        return take(samples)
    }

    /// Gives what was held back; the next samples begin a new sound.
    package mutating func finish() -> [Int16] {
        // Output samples lie before the end of the input only.
        let (whole, rest) = (inputCount - base).multipliedReportingOverflow(by: up)
        let missing = rest ? 0 : max(0, (whole - remainder + down - 1) / down)
        let output = take([Int16](repeating: 0, count: reach + 1)).prefix(missing)
        restart()
        return Array(output)
    }

    private mutating func take(_ samples: [Int16]) -> [Int16] {
        buffer.append(contentsOf: samples.lazy.map(Float.init))
        let taps = 2 * reach
        let end = bufferStart + buffer.count
        var output: [Int16] = []
        output.reserveCapacity(samples.count * up / down + 1)
        while base + reach < end {
            let first = base - reach + 1 - bufferStart
            let phase = (phaseCount == up ? remainder : remainder * phaseCount / up) * taps
            var sums = SIMD4<Float>.zero
            var tap = 0
            while tap < taps {

                let one = SIMD4(
                    buffer[first + tap], buffer[first + tap + 1], buffer[first + tap + 2], buffer[first + tap + 3])
                let other = SIMD4(
                    weights[phase + tap], weights[phase + tap + 1], weights[phase + tap + 2], weights[phase + tap + 3])
                sums += one * other
                tap += 4
            }
            output.append(Int16(max(-32768, min(32767, sums.sum().rounded()))))
            remainder += down
            base += remainder / up
            remainder %= up
        }
        let drop = min(max(0, base - reach + 1 - bufferStart), buffer.count)
        if drop > 0 {
            buffer.removeFirst(drop)
            bufferStart += drop
        }
        return output
    }
}
