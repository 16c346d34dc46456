import Core
import Foundation
import MediaPipeline
import Testing

@Suite("The voice resampler")
struct VoiceResamplerTests {
    private func tone(_ frequency: Double, rate: Int, count: Int) -> [Int16] {
        (0..<count).map { Int16(8_000 * sin(2 * .pi * frequency * Double($0) / Double(rate))) }
    }

    private func convert(_ samples: [Int16], from: Int, to: Int) throws -> [Int16] {
        var resampler = try #require(VoiceResampler(from: from, to: to))
        return resampler.convert(samples) + resampler.finish()
    }

    @Test(
        "keeps length, pitch, level and phase of a tone at every pair of rates",
        arguments: [
            (16_000, 48_000), (24_000, 48_000), (22_050, 48_000), (44_100, 48_000), (8_000, 48_000), (48_000, 48_000),
            (47_999, 48_000), (96_000, 48_000), (48_000, 16_000), (24_000, 16_000), (44_100, 16_000),
        ])
    func tones(from: Int, to: Int) throws {
        let output = try convert(tone(1000, rate: from, count: from), from: from, to: to)
        #expect(abs(output.count - to) <= 1)
        let steady = (to / 20)..<(to - to / 20)
        let errors = steady.map { Double(output[$0]) - 8_000 * sin(2 * .pi * 1000 * Double($0) / Double(to)) }
        #expect(errors.map(abs).max()! < 120)
    }

    @Test(
        "gives the same for a sound in pieces of any length as for the whole",
        arguments: [(24_000, 48_000), (48_000, 16_000), (44_100, 48_000)])
    func pieces(from: Int, to: Int) throws {
        let random = RandomSource.seeded(5)
        let input = (0..<20_000).map { _ in Int16(truncatingIfNeeded: Int(random.uint32() & 0xFFFF)) }
        let whole = try convert(input, from: from, to: to)
        var resampler = try #require(VoiceResampler(from: from, to: to))
        // Twice: nothing of the first sound is left for the second.
        for _ in 0..<2 {
            var output: [Int16] = []
            var index = 0
            while index < input.count {
                let end = min(input.count, index + Int(random.uint32() % 700))
                output += resampler.convert(Array(input[index..<end]))
                index = end
            }
            #expect(output.count < whole.count)
            #expect(output + resampler.finish() == whole)
        }
    }

    @Test("keeps out what the lower rate cannot hold")
    func aliases() throws {
        let output = try convert(tone(11_000, rate: 48_000, count: 48_000), from: 48_000, to: 16_000)
        #expect(rms(output[500..<15_500]) < 30)
    }

    @Test("takes no rate that no voice has, and no sound at all")
    func refusals() throws {
        for rate in [0, -1, 3_999, 192_001, Int.max, Int.min] {
            #expect(VoiceResampler(from: rate) == nil)
            #expect(VoiceResampler(from: 48_000, to: rate) == nil)
        }
        #expect(try convert([], from: 24_000, to: 48_000).isEmpty)
        #expect(try convert([100], from: 16_000, to: 48_000).count == 3)
        #expect(try convert([Int16](repeating: .min, count: 2_000), from: 24_000, to: 48_000).min() == .min)
    }
}

@Suite("The level of what is sent")
struct VoiceLevelTests {
    @Test("is known for the time at which it is heard, for two seconds, and is none elsewhere")
    func levels() {
        let level = VoiceLevel()
        var time = Instant(nanoseconds: 5_000_000_000)
        for packet in 0..<200 {
            let amplitude: Int16 = packet == 150 ? 16_384 : 1_024
            level.note([Int16](repeating: amplitude, count: 960), at: time)
            time += .milliseconds(20)
        }
        let loud = Instant(nanoseconds: 8_000_000_000)
        #expect(level.level(at: loud) == 0.5 && level.level(at: loud + .milliseconds(19)) == 0.5)
        #expect(level.level(at: loud - .milliseconds(5)) == 0.03125)
        #expect(level.level(at: loud + .milliseconds(20)) == 0.03125)
        // Before all that is remembered, and not yet.
        #expect(level.level(at: Instant(nanoseconds: 5_000_000_000)) == 0)
        #expect(level.level(at: time) == 0)
        #expect(level.level(at: Instant(nanoseconds: .min)) == 0)
        #expect(level.level(at: .distantFuture) == 0)
    }
}
