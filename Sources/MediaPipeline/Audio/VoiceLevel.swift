package import Core
internal import Synchronization

/// How loud a stage was in the last two seconds: what a microphone beside a loudspeaker would hear of it.
package final class VoiceLevel: Sendable {
    private struct Slot {
        /// The time in units of ``slotLength``.
        var number: Int64 = .min
        var level: Float = 0
    }

    /// 10 ms.
    private static let slotLength: Int64 = 10_000_000
    private static let slotCount = 200
    private let slots = Mutex([Slot](repeating: Slot(), count: slotCount))

    package init() {}

    /// The mean amplitude of what was sent to be heard then, 0 to 1; 0 where nothing was or it is too long ago.
    package func level(at instant: Instant) -> Float {
        let number = Self.number(of: instant)
        let slot = slots.withLock { $0[Self.index(of: number)] }
        return slot.number == number ? slot.level : 0
    }

    /// Remembers samples at 48 kHz that are heard from `start` on.
    package func note(_ samples: [Int16], at start: Instant) {
        let length = OpusFormat.sampleRateHz / 100
        slots.withLock { slots in
            for (count, first) in stride(from: 0, to: samples.count, by: length).enumerated() {
                let piece = samples[first..<min(first + length, samples.count)]
                let sum = piece.reduce(0) { $0 + abs(Int($1)) }
                let number = Self.number(of: start) + Int64(count)
                slots[Self.index(of: number)] = Slot(
                    number: number, level: Float(sum) / Float(piece.count) / 32_768)
            }
        }
    }

    private static func number(of instant: Instant) -> Int64 { instant.nanoseconds / slotLength }

    private static func index(of number: Int64) -> Int {
        Int(truncatingIfNeeded: number.magnitude % UInt64(slotCount))
    }
}
