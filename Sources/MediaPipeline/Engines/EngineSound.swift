/// The voice of an engine that speaks itself, raised to 48 kHz piece by piece.
struct EngineSound {
    let utterance: String
    /// 16000, 24000 or 48000.
    let rateHz: Int
    /// At the engine's rate.
    private(set) var nextSample: Int64 = 0
    /// At 16 kHz: what the filter still needs.
    private var waiting: [Int16] = []
    private var last: Int16 = 0
    private static let reach = 12

    init(utterance: String, rateHz: Int) {
        self.utterance = utterance
        self.rateHz = rateHz
        // The filter looks back, too.
        if rateHz == 16_000 { waiting = [Int16](repeating: 0, count: Self.reach) }
    }

    /// Takes s16le samples; what can be said of them at 48 kHz.
    mutating func take(_ bytes: [UInt8]) -> [Int16] {
        var samples: [Int16] = []
        samples.reserveCapacity(bytes.count / 2)
        for index in stride(from: 0, to: bytes.count - 1, by: 2) {
            samples.append(Int16(truncatingIfNeeded: Int(bytes[index]) | Int(bytes[index + 1]) << 8))
        }
        nextSample += Int64(samples.count)
        switch rateHz {
        case 16_000: return tripled(samples)
        case 24_000: return doubled(samples)
        default: return samples
        }
    }

    /// The end of the utterance.
    mutating func finish() -> [Int16] {
        rateHz == 16_000 ? tripled([Int16](repeating: 0, count: Self.reach)) : []
    }

    private mutating func tripled(_ samples: [Int16]) -> [Int16] {
        waiting += samples
        let ready = waiting.count - 2 * Self.reach
        guard ready > 0 else { return [] }
        let converted = TripleRateConverter().convert(waiting)
        defer { waiting.removeFirst(ready) }
        return Array(converted[(Self.reach * 3)..<((Self.reach + ready) * 3)])
    }

    /// Between two samples lies their mean.
    private mutating func doubled(_ samples: [Int16]) -> [Int16] {
        var output: [Int16] = []
        output.reserveCapacity(samples.count * 2)
        for sample in samples {
            output.append(Int16((Int(last) + Int(sample)) / 2))
            output.append(sample)
            last = sample
        }
        return output
    }
}
