internal import Synchronization

/// Where random bytes come from: the operating system in production, a seed in tests.
package struct RandomSource: Sendable {
    private let next: @Sendable () -> UInt64

    /// The operating system's cryptographic generator.
    package static let system = RandomSource {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    /// A repeatable sequence (SplitMix64), for tests only.
    package static func seeded(_ seed: UInt64) -> RandomSource {
        let state = SeedState(seed)
        return RandomSource { state.next() }
    }

    private init(_ next: @escaping @Sendable () -> UInt64) {
        self.next = next
    }

    package func uint64() -> UInt64 { next() }
    package func uint32() -> UInt32 { UInt32(truncatingIfNeeded: next()) }
    package func uint16() -> UInt16 { UInt16(truncatingIfNeeded: next()) }

    package func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let word = next()
            for shift in stride(from: 0, to: 64, by: 8) where bytes.count < count {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return bytes
    }

    /// `count` characters of the ICE alphabet: 6 random bits each (RFC 8839 §5.4 `ice-char`).
    package func iceString(_ count: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return String(decoding: bytes(count).map { alphabet[Int($0 & 63)] }, as: UTF8.self)
    }

    /// A URL-safe token of `bits` random bits.
    package func token(bits: Int = 192) -> String {
        Base64.encode(bytes((bits + 7) / 8), urlSafe: true)
    }
}

private final class SeedState: Sendable {
    private let state: Mutex<UInt64>

    init(_ seed: UInt64) {
        state = Mutex(seed)
    }

    func next() -> UInt64 {
        state.withLock { value in
            value &+= 0x9E37_79B9_7F4A_7C15
            var mixed = value
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
