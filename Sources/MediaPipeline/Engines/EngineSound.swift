/// The voice of an engine that speaks itself, raised to 48 kHz piece by piece.
struct EngineSound {
    let utterance: String
    /// 16000, 24000 or 48000.
    let rateHz: Int
    /// At the engine's rate.
    private(set) var nextSample: Int64 = 0
    private var resampler: VoiceResampler

    /// Nil for a rate that cannot be converted.
    init?(utterance: String, rateHz: Int) {
        guard let resampler = VoiceResampler(from: rateHz) else { return nil }
        self.utterance = utterance
        self.rateHz = rateHz
        self.resampler = resampler
    }

    /// Takes s16le samples; what can be said of them at 48 kHz.
    mutating func take(_ bytes: [UInt8]) -> [Int16] {
        var samples: [Int16] = []
        samples.reserveCapacity(bytes.count / 2)
        for index in stride(from: 0, to: bytes.count - 1, by: 2) {
            samples.append(Int16(truncatingIfNeeded: Int(bytes[index]) | Int(bytes[index + 1]) << 8))
        }
        nextSample += Int64(samples.count)
        return resampler.convert(samples)
    }

    /// The end of the utterance.
    mutating func finish() -> [Int16] {
        resampler.finish()
    }
}
