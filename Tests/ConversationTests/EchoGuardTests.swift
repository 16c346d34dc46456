import Core
import TestSupport
import Testing

@testable import Conversation

/// Levels of speech that nobody spoke: syllables of random length and loudness, every 10 ms.
struct EchoGuardTests {
    struct Speech {
        var levels: [Float]

        init(seed: UInt64, count: Int = 1000, loudness: Float = 0.1) {
            var state = seed
            func random(_ bound: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(state >> 33) % bound
            }
            levels = []
            while levels.count < count {
                let (length, peak) = (8 + random(18), Float(20 + random(80)) / 100 * loudness)
                for step in 0..<length {
                    let position = Float(step) / Float(length) * 2 - 1
                    levels.append(peak * (1 - position * position) + 0.002 * Float(random(10)) / 10)
                }
                levels += [Float](repeating: 0.0006, count: random(12))
            }
        }

        func level(at index: Int) -> Float { levels.indices.contains(index) ? levels[index] : 0 }
    }

    private static let start = ManualClock().now

    /// The share of 10 ms steps that were taken for an echo, of those that were loud.
    private func echoes(
        _ guardian: inout EchoGuard, sent: Speech, steps: Range<Int>, heard: (Int) -> Float
    ) -> Double {
        var (echoes, loud) = (0, 0)
        for step in steps {
            let level = heard(step)
            let isEcho = guardian.isEcho(
                level: level, sent: sent.level(at: step), at: Self.start + .milliseconds(10 * step))
            guard level > 0.01 else { continue }
            loud += 1
            if isEcho { echoes += 1 }
        }
        return Double(echoes) / Double(max(loud, 1))
    }

    @Test(
        "The avatar's own voice is known at any lag and loudness", arguments: [0, 8, 23, 50], [Float(0.2), 0.5, 1, 1.5])
    func echo(lag: Int, gain: Float) {
        let sent = Speech(seed: 7)
        var guardian = EchoGuard()
        let share = echoes(&guardian, sent: sent, steps: 0..<800) { gain * sent.level(at: $0 - lag) + 0.0005 }
        #expect(share > 0.97)
    }

    @Test("A person is heard while the avatar is silent")
    func silence() {
        let (silent, person) = (Speech(seed: 1, count: 0), Speech(seed: 2))
        var guardian = EchoGuard()
        #expect(echoes(&guardian, sent: silent, steps: 0..<500) { person.level(at: $0) } == 0)
    }

    @Test("A person with headphones is heard over the avatar", arguments: [UInt64(3), 4, 5, 6])
    func headphones(seed: UInt64) {
        let (sent, person) = (Speech(seed: 11), Speech(seed: seed))
        var guardian = EchoGuard()
        let share = echoes(&guardian, sent: sent, steps: 0..<800) { person.level(at: $0) }
        #expect(share < 0.45)
    }

    @Test("A person is heard over the avatar's echo where they are louder", arguments: [UInt64(3), 4, 5, 6])
    func overEcho(seed: UInt64) {
        let (sent, person) = (Speech(seed: 12), Speech(seed: seed, loudness: 0.15))
        var guardian = EchoGuard()
        let before = echoes(&guardian, sent: sent, steps: 0..<400) { 0.25 * sent.level(at: $0 - 20) }
        #expect(before > 0.95)
        let after = echoes(&guardian, sent: sent, steps: 400..<800) {
            0.25 * sent.level(at: $0 - 20) + person.level(at: $0)
        }
        #expect(after < 0.5)
    }
}
