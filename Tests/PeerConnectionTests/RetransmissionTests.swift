import Core
import PeerConnection
import TestSupport
import Testing

@Suite("Retransmission")
struct RetransmissionTests {
    private func sequenceNumbers(_ packets: [[UInt8]]) throws -> [UInt16] {
        try packets.map { try RTPPacket($0).sequenceNumber }
    }

    @Test("A lost packet comes again on the RTX stream, its payload behind its old number")
    func repair() throws {
        var stream = SendFixture.videoStream()
        let frame = SendFixture.frame(bytes: 3000)
        let packets = SendFixture.write(frame, to: &stream)
        let lost = try sequenceNumbers(packets)[2]
        #expect(stream.handleNACK([lost], roundTripTime: .milliseconds(20), now: .zero) == [lost])
        let bytes = SendFixture.packet { stream.writeRetransmission(of: lost, into: $0, absoluteSendTime: 7) }
        let repair = try RTPPacket(bytes)
        let original = try RTPPacket(packets[2])
        #expect(repair.ssrc == SendFixture.repair.ssrc)
        #expect(repair.payloadType == 97)
        #expect(repair.timestamp == original.timestamp)
        #expect(repair.marker)
        let payload = Array(bytes[repair.payloadRange])
        #expect(payload[..<2] == [UInt8(lost >> 8), UInt8(lost & 255)])
        #expect(Array(payload[2...]) == Array(packets[2][original.payloadRange]))
        #expect(stream.statistics.packetsRetransmitted == 1)
    }

    @Test("The RTX stream numbers its packets by itself")
    func numbering() throws {
        var stream = SendFixture.videoStream()
        let numbers = try sequenceNumbers(SendFixture.write(SendFixture.frame(bytes: 3000), to: &stream))
        let repairs = try numbers.reversed().map { number in
            try RTPPacket(
                SendFixture.packet { stream.writeRetransmission(of: number, into: $0, absoluteSendTime: 0) })
        }
        #expect(repairs[1].sequenceNumber == repairs[0].sequenceNumber &+ 1)
        #expect(repairs[2].sequenceNumber == repairs[0].sequenceNumber &+ 2)
    }

    @Test("The same packet is not sent again within a round trip")
    func oncePerRoundTrip() throws {
        var clock = ManualClock()
        var stream = SendFixture.videoStream()
        let lost = try sequenceNumbers(SendFixture.write(SendFixture.frame(bytes: 10), to: &stream))
        #expect(stream.handleNACK(lost + lost, roundTripTime: .milliseconds(50), now: clock.now) == lost)
        clock.advance(by: .milliseconds(49))
        #expect(stream.handleNACK(lost, roundTripTime: .milliseconds(50), now: clock.now) == [])
        clock.advance(by: .milliseconds(1))
        #expect(stream.handleNACK(lost, roundTripTime: .milliseconds(50), now: clock.now) == lost)
    }

    @Test("A receiver that asks for everything, for ever, gets no more than the budget")
    func budget() throws {
        var clock = ManualClock()
        var stream = SendFixture.videoStream()
        let packets = SendFixture.write(SendFixture.frame(bytes: 1099 * 200), to: &stream)
        let numbers = try sequenceNumbers(packets)
        var granted = 0
        for _ in 0..<20 {
            granted += stream.handleNACK(numbers, roundTripTime: .zero, now: clock.now).count
            clock.advance(by: .seconds(1))
        }
        #expect(granted == 96 * 1024 / 1100)
        // Sending refills half of what it sends.
        _ = SendFixture.write(SendFixture.frame(bytes: 1099 * 10), to: &stream)
        #expect(stream.handleNACK(numbers, roundTripTime: .zero, now: clock.now).count == 5)
    }

    @Test("Packets older than the ring are forgotten, the newest 512 are not")
    func capacity() throws {
        var stream = SendFixture.videoStream()
        let numbers = try sequenceNumbers(SendFixture.write(SendFixture.frame(bytes: 1099 * 513), to: &stream))
        #expect(stream.handleNACK([numbers[0]], roundTripTime: .zero, now: .zero) == [])
        #expect(SendFixture.packet { stream.writeRetransmission(of: numbers[0], into: $0, absoluteSendTime: 0) } == [])
        #expect(
            stream.handleNACK([numbers[1], numbers[512]], roundTripTime: .zero, now: .zero) == [
                numbers[1], numbers[512],
            ])
    }

    @Test("Without an RTX stream nothing is sent twice under one SRTP index")
    func withoutRTX() throws {
        var stream = SendFixture.videoStream(retransmission: nil)
        let numbers = try sequenceNumbers(SendFixture.write(SendFixture.frame(bytes: 10), to: &stream))
        #expect(stream.handleNACK(numbers, roundTripTime: .zero, now: .zero) == [])
        #expect(stream.statistics.packetsNacked == 1)
        #expect(SendFixture.packet { stream.writeRetransmission(of: numbers[0], into: $0, absoluteSendTime: 0) } == [])
    }

    @Test("Numbers that were never sent are ignored")
    func neverSent() {
        var stream = SendFixture.videoStream()
        #expect(stream.handleNACK([0, 1, 65_535], roundTripTime: .zero, now: .zero) == [])
    }
}
