import Core
import PeerConnection
import TestSupport
import Testing

@testable import MediaPipeline

/// Packets of 20 ms whose payload tells their number: CELT, 48 kHz, one frame (configuration 31, code 0).
struct JitterBufferTests {
    /// A path whose clock is moved by hand.
    struct Path {
        var buffer = JitterBuffer()
        var clock = ManualClock()
        var played: [JitterBuffer.Output] = []
        var times: [Instant] = []

        static func payload(_ number: Int) -> [UInt8] { [0xF8, UInt8(truncatingIfNeeded: number)] }

        mutating func arrive(
            _ number: Int, timestamp: UInt32? = nil, ssrc: UInt32 = 1, payload: [UInt8]? = nil
        ) {
            buffer.handle(
                ReceivedPacket(
                    kind: .audio, payloadType: 111, ssrc: SSRC(ssrc),
                    sequenceNumber: UInt16(truncatingIfNeeded: number),
                    timestamp: timestamp ?? UInt32(truncatingIfNeeded: number &* 960), marker: false,
                    isRetransmitted: false, payload: payload ?? Self.payload(number)), now: clock.now)
            drain()
        }

        /// Moves the clock and keeps every deadline on the way.
        mutating func pass(_ milliseconds: Int) {
            let end = clock.now + .milliseconds(milliseconds)
            while let due = buffer.deadline, due <= end {
                clock.advance(by: max(due - clock.now, .zero))
                buffer.handleTimeout(now: clock.now)
                drain()
            }
            clock.advance(by: end - clock.now)
        }

        mutating func drain() {
            while let piece = buffer.pollOutput() {
                played.append(piece.output)
                times.append(piece.time)
            }
        }

        /// The numbers of the packets that were played as they came.
        var numbers: [Int] {
            played.compactMap { if case .packet(let payload) = $0 { payload.last.map(Int.init) } else { nil } }
        }
        /// Samples of all pieces but the packets.
        var madeUp: Int {
            played.reduce(0) { sum, output in
                switch output {
                case .restart, .packet: sum
                case .recovery(let samples, _), .concealment(let samples), .silence(let samples): sum + samples
                }
            }
        }
    }

    @Test("Packets in order go on at once")
    func inOrder() {
        var path = Path()
        for number in 0..<5 {
            path.arrive(number)
            #expect(path.numbers == Array(0...number))
            path.pass(20)
        }
        #expect(path.played.first == .restart)
        #expect(path.madeUp == 0)
    }

    @Test("Numbers and times that wrap around are in order")
    func wrapping() {
        var path = Path()
        for step in 0..<10 {
            path.arrive(65530 + step, timestamp: UInt32.max &- 2000 &+ UInt32(step * 960))
            path.pass(20)
        }
        #expect(path.numbers.count == 10)
        #expect(path.madeUp == 0)
    }

    @Test("Packets that overtake each other are put into their order, and one that comes twice is heard once")
    func reordering() {
        var path = Path()
        for number in [0, 1, 3, 2, 2, 5, 4, 6, 0] { path.arrive(number) }
        #expect(path.numbers == [0, 1, 2, 3, 4, 5, 6])
        #expect(path.buffer.counts.late == 2)
        #expect(path.buffer.counts.lost == 0)
    }

    @Test("A lost packet is waited for 20 ms on a calm path, then recovered from the next one")
    func loss() {
        var path = Path()
        path.arrive(0)
        path.pass(40)
        path.arrive(2)
        path.pass(19)
        #expect(path.numbers == [0])
        path.pass(2)
        #expect(path.numbers == [0, 2])
        #expect(path.played.contains(.recovery(samples: 960, from: Path.payload(2))))
        #expect(path.madeUp == 960)
        #expect(path.buffer.counts.lost == 1)
        path.arrive(1)
        #expect(path.numbers == [0, 2])
        #expect(path.buffer.counts.late == 1)
    }

    @Test("Of several lost packets the last is recovered, and those before are concealed")
    func burstLoss() {
        var path = Path()
        path.arrive(0)
        path.pass(80)
        path.arrive(4)
        path.pass(30)
        #expect(path.numbers == [0, 4])
        let expected: [JitterBuffer.Output] = [
            .concealment(samples: 1920), .recovery(samples: 960, from: Path.payload(4)),
        ]
        #expect(path.played.filter { if case .packet = $0 { false } else { $0 != .restart } } == expected)
    }

    @Test("On a path with jitter gaps are waited at for longer, up to 120 ms; when it calms down for less again")
    func adaptation() {
        var path = Path()
        var number = 0
        for _ in 0..<20 {
            path.arrive(number)
            path.pass(0)
            path.arrive(number + 1)
            path.pass(40)
            number += 2
        }
        #expect(path.buffer.wait == .milliseconds(20))
        for _ in 0..<5 {
            path.pass(80)
            for _ in 0..<4 {
                path.arrive(number)
                number += 1
            }
        }
        #expect(path.buffer.wait > .milliseconds(50))
        #expect(path.buffer.wait <= .milliseconds(120))
        for _ in 0..<1000 {
            path.pass(20)
            path.arrive(number)
            number += 1
        }
        #expect(path.buffer.wait < .milliseconds(30))
    }

    @Test("A sender that is silent without packets (DTX) leaves as much silence as its time says")
    func discontinuousTransmission() {
        var path = Path()
        path.arrive(0)
        path.pass(100)
        path.arrive(1, timestamp: 5 * 960)
        #expect(path.numbers == [0, 1])
        #expect(path.madeUp == 4 * 960)
        #expect(path.buffer.counts.lost == 0)
    }

    @Test("When nothing comes any more silence goes on for five seconds, then all rests")
    func rest() {
        var path = Path()
        path.arrive(0)
        path.pass(30_000)
        #expect(path.buffer.deadline == nil)
        #expect(path.madeUp == 5 * 48_000)
        path.arrive(1, timestamp: 1_440_000)
        #expect(path.numbers == [0, 1])
        // What the sender was silent for is not made up a second time.
        #expect(path.madeUp <= 5 * 48_000 + 6_000)
    }

    @Test("Packets held up on their way are all heard, though silence was filled in for them")
    func stall() {
        var path = Path()
        path.arrive(0)
        path.pass(400)
        for number in 1...20 { path.arrive(number) }
        #expect(path.numbers == Array(0...20))
        #expect(path.madeUp <= 14 * 960)
    }

    @Test("A sender whose clock is slow or fast is heard without a gap and without growing delay", arguments: [-3, 3])
    func drift(samplesPerPacket: Int) {
        var path = Path()
        let start = path.clock.now
        for number in 0..<5000 {
            // Its times count 960 a packet, which takes a little more or less than 20 ms here.
            path.arrive(number)
            path.clock.advance(by: .microseconds(20_000 + 20 * samplesPerPacket / 3))
        }
        #expect(path.numbers.count == 5000)
        #expect(path.madeUp == 0)
        let passed = path.clock.now - start
        let heard = (path.times.last ?? .zero) - start
        #expect(abs((passed - heard).milliseconds) < 60)
    }

    @Test("Another SSRC begins anew, and stragglers of the one before are dropped")
    func sourceChange() {
        var path = Path()
        path.arrive(0)
        path.pass(20)
        path.arrive(40_000, timestamp: 77, ssrc: 2)
        path.arrive(1)
        path.pass(20)
        path.arrive(40_001, timestamp: 77 + 960, ssrc: 2)
        #expect(path.played.count { $0 == .restart } == 2)
        #expect(path.numbers == [0, Int(UInt8(truncatingIfNeeded: 40_000)), Int(UInt8(truncatingIfNeeded: 40_001))])
        #expect(path.buffer.counts.late == 1)
    }

    @Test("Numbers that jump are believed once a second packet confirms them")
    func jump() {
        var path = Path()
        path.arrive(0)
        path.pass(20)
        path.arrive(30_000)
        #expect(path.numbers == [0])
        path.arrive(1)
        path.arrive(20_000)
        path.arrive(20_001)
        #expect(path.numbers == [0, 1, Int(UInt8(truncatingIfNeeded: 20_001))])
        #expect(path.buffer.counts.refused == 2)
    }

    @Test("Times that lie make up no more sound than has passed", arguments: [UInt32(1 << 30), 1 << 31, UInt32.max, 3])
    func hostileTimes(step: UInt32) {
        var path = Path()
        let start = path.clock.now
        for number in 0..<200 {
            path.arrive(number, timestamp: UInt32(truncatingIfNeeded: number) &* step)
            path.pass(20)
        }
        let passed = path.clock.now - start
        let bound = Int(passed.milliseconds * 48) + 201 * 5760
        #expect(path.numbers.count == 200)
        #expect(path.madeUp <= bound)
        #expect(zip(path.times, path.times.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test("What is no Opus, or larger than a datagram, is refused")
    func malformed() {
        var path = Path()
        path.arrive(0, payload: [])
        path.arrive(1, payload: [0xFB])  // Code 3 without its second byte.
        path.arrive(2, payload: [0xFB, 0])  // No frames.
        path.arrive(3, payload: [0x1B, 3])  // Three times 60 ms.
        path.arrive(4, payload: [UInt8](repeating: 0xF8, count: 1501))
        #expect(path.played.isEmpty)
        #expect(path.buffer.counts.refused == 5)
        #expect(path.buffer.deadline == nil)
    }

    @Test(
        "A packet's length in time is read off its first bytes",
        arguments: [
            ([0x00] as [UInt8], 480), ([0x18], 2880), ([0x60], 480), ([0x68], 960), ([0x80], 120), ([0xF8], 960),
            ([0xF9], 1920), ([0xFA], 1920), ([0xFB, 0x06], 5760), ([0x83, 0x30], 5760),
        ])
    func durations(packet: [UInt8], samples: Int) {
        #expect(OpusPacketHeader(packet)?.samples == samples)
    }
}
