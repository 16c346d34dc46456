internal import Glibc

/// Guesses the lips from a voice alone, where no phones are known: loudness opens the mouth, the resonances' places
/// spread or round it, hissing closes the teeth.
///
/// The voice may come in pieces; the lips glide over their borders. Nothing later than a sample moves its mouth.
package struct LipFollower: Sendable {
    /// Samples at 48 kHz that one target shape is made from: 20 ms.
    private static let frameLength = 960
    /// A voice below this is a pause, in decibels of full scale.
    private static let silence = -52.0
    /// From closed to fully open, in decibels below the loudest of late.
    private static let range = 26.0
    /// How fast the loudest of late is forgotten, in decibels a frame: 4 a second.
    private static let forgetting = 0.08
    /// What remains of the last shape after a frame, while the mouth opens and while it closes.
    private static let opening = 0.3
    private static let closing = 0.5

    /// The first resonance of close and of open vowels, the second of back and of front ones, hissing.
    private var bands = [
        BandPass(frequency: 320, quality: 1.4), BandPass(frequency: 780, quality: 1.6),
        BandPass(frequency: 1_100, quality: 2), BandPass(frequency: 2_800, quality: 2),
        BandPass(frequency: 5_600, quality: 1.1),
    ]
    private var loudest = -30.0
    private var shape = MouthShape.rest
    private var isFirst = true

    package init() {}

    /// The lips over the next samples, 48 kHz.
    package mutating func track(_ samples: [Int16]) -> VisemeTrack {
        var targets: [VisemeTrack.Target] = []
        targets.reserveCapacity(samples.count / Self.frameLength + 3)
        if !isFirst { targets.append(VisemeTrack.Target(time: 0, shape: shape)) }
        isFirst = false
        for first in stride(from: 0, to: samples.count, by: Self.frameLength) {
            let end = min(first + Self.frameLength, samples.count)
            follow(samples[first..<end])
            let middle = Double(first + end) / 2 / Double(OpusFormat.sampleRateHz)
            targets.append(VisemeTrack.Target(time: middle, shape: shape))
        }
        let length = Double(samples.count) / Double(OpusFormat.sampleRateHz)
        targets.append(VisemeTrack.Target(time: length, shape: shape))
        return VisemeTrack(targets: targets)
    }

    private mutating func follow(_ samples: ArraySlice<Int16>) {
        let energies = bands.indices.map { bands[$0].meanEnergy(samples) + 1e-12 }
        let (close, open, back, front, hiss) = (energies[0], energies[1], energies[2], energies[3], energies[4])
        let level = 10 * log10(close + open + front + hiss)
        loudest = max(level, loudest - Self.forgetting, -36)
        var target = MouthShape.rest
        if level > Self.silence {
            let loudness = Self.share(level, from: loudest - Self.range, to: loudest - 4)
            // Decibels between bands, as measured over the phones of a spoken page: /m/ -10, /iy/ -9, /uw/ -7, /aa/ +2;
            // and /aa/ -11, /uw/ -9, /ih/ -7, /iy/ -4.
            let openness = Self.share(10 * log10(open / close), from: -10, to: 3)
            let frontness = Self.share(10 * log10(front / back), from: -10, to: -3.5)
            let hissing = Self.share(hiss / (hiss + close + open + back + front), from: 0.2, to: 0.8)
            let voiced = 1 - hissing
            target = MouthShape(
                opening: loudness * (voiced * (0.12 + 0.85 * openness) + hissing * 0.16),
                spread: loudness * (voiced * (0.95 * frontness - 0.1) + hissing * 0.4),
                rounding: loudness * voiced * 0.9 * (1 - frontness) * (1 - openness))
        }
        let kept = target.opening > shape.opening ? Self.opening : Self.closing
        shape = target.blended(with: shape, share: kept)
        if shape.opening < 0.01, target == .rest { shape = .rest }
    }

    /// 0 at `low` and below, 1 at `high` and above.
    private static func share(_ value: Double, from low: Double, to high: Double) -> Double {
        min(1, max(0, (value - low) / (high - low)))
    }
}

/// A resonance of second order at 48 kHz.
/// - SeeAlso: [Audio EQ Cookbook](https://www.w3.org/TR/audio-eq-cookbook/), BPF with 0 dB peak gain.
private struct BandPass: Sendable {
    private let gain: Double
    private let feedback: (one: Double, two: Double)
    private var inputs: (one: Double, two: Double) = (0, 0)
    private var outputs: (one: Double, two: Double) = (0, 0)

    init(frequency: Double, quality: Double) {
        let angle = 2 * Double.pi * frequency / Double(OpusFormat.sampleRateHz)
        let alpha = sin(angle) / (2 * quality)
        gain = alpha / (1 + alpha)
        feedback = (-2 * cos(angle) / (1 + alpha), (1 - alpha) / (1 + alpha))
    }

    /// The mean square of what passes, of full scale.
    mutating func meanEnergy(_ samples: ArraySlice<Int16>) -> Double {
        var energy = 0.0
        for sample in samples {
            let input = Double(sample) / 32_768
            let output = gain * (input - inputs.two) - feedback.one * outputs.one - feedback.two * outputs.two
            inputs = (input, inputs.one)
            outputs = (output, outputs.one)
            energy += output * output
        }
        return energy / Double(max(1, samples.count))
    }
}
