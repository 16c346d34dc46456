import Core
import PeerConnection
import TestSupport
import Testing

@Suite("RTP receive stream")
struct RTPReceiveStreamTests {
    private func packet(_ sequenceNumber: UInt16, timestamp: UInt32 = 0) throws -> RTPPacket {
        var writer = ByteWriter()
        writer.write([0x80, 111])
        writer.write(sequenceNumber)
        writer.write(timestamp)
        writer.write(UInt32(7))
        writer.write([1, 2, 3])
        return try RTPPacket(writer.bytes)
    }

    @Test("Loss is what is missing between the first and the highest number, across the wrap")
    func loss() throws {
        var stream = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        #expect(stream.reportBlock(now: .zero) == nil)
        for number: UInt16 in [65_533, 65_534, 0, 1, 3] { stream.handle(try packet(number), now: .zero) }
        let block = try required(stream.reportBlock(now: .zero))
        #expect(block.extendedHighestSequenceNumber == 0x1_0003)
        #expect(block.cumulativeLost == 2)
        #expect(block.fractionLost == UInt8(2 * 256 / 7))
        #expect(stream.packetsReceived == 5)
        #expect(stream.payloadBytesReceived == 15)
    }

    @Test("The fraction lost speaks of the time since the last report")
    func fraction() throws {
        var stream = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        for number: UInt16 in [1, 2, 4] { stream.handle(try packet(number), now: .zero) }
        #expect(stream.reportBlock(now: .zero)?.fractionLost == 64)
        for number: UInt16 in [5, 6] { stream.handle(try packet(number), now: .zero) }
        let block = stream.reportBlock(now: .zero)
        #expect(block?.fractionLost == 0)
        #expect(block?.cumulativeLost == 1)
    }

    @Test("A late packet and a duplicate are counted as received and restart nothing")
    func late() throws {
        var stream = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        for number: UInt16 in [10, 12] { #expect(stream.handle(try packet(number), now: .zero) == .inOrder) }
        #expect(stream.handle(try packet(11), now: .zero) == .late)
        #expect(stream.handle(try packet(12), now: .zero) == .late)
        #expect(stream.reportBlock(now: .zero)?.cumulativeLost == -1)
    }

    @Test("A jump counts only once the next packet confirms it")
    func jump() throws {
        var stream = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        stream.handle(try packet(10), now: .zero)
        #expect(stream.handle(try packet(30_000), now: .zero) == .suspect)
        #expect(stream.handle(try packet(11), now: .zero) == .inOrder)
        #expect(stream.handle(try packet(40_000), now: .zero) == .suspect)
        #expect(stream.handle(try packet(40_001), now: .zero) == .inOrder)
        let block = stream.reportBlock(now: .zero)
        #expect(block?.extendedHighestSequenceNumber == 40_001)
        #expect(block?.cumulativeLost == 0)
    }

    @Test("An even stream has no jitter; packets that come now 5 ms early, now 5 ms late approach 10 ms")
    func jitter() throws {
        var even = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        var shaken = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        let start = Instant(nanoseconds: 1_000_000_000)
        for index in 0..<500 {
            let packet = try packet(UInt16(index), timestamp: UInt32(index * 960))
            let due = start + .milliseconds(20 * index)
            even.handle(packet, now: due)
            shaken.handle(packet, now: index.isMultiple(of: 2) ? due - .milliseconds(5) : due + .milliseconds(5))
        }
        #expect(even.jitter == .zero)
        #expect(shaken.jitter > .milliseconds(9.5) && shaken.jitter <= .milliseconds(10))
    }

    @Test("Timestamps chosen to overflow the estimate do not")
    func hostileTimestamps() throws {
        var stream = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: .max)
        for index in 0..<1000 {
            stream.handle(
                try packet(UInt16(index), timestamp: index.isMultiple(of: 2) ? 0 : 0x8000_0000),
                now: Instant(nanoseconds: .max))
        }
        #expect(stream.reportBlock(now: .distantFuture) != nil)
    }

    @Test("The report names the sender report heard last and the time since")
    func senderReport() throws {
        var clock = ManualClock()
        var stream = RTPReceiveStream(ssrc: SSRC(7), clockRateHz: 48_000)
        stream.handle(try packet(1), now: clock.now)
        let report = SenderReport(
            ssrc: SSRC(7), ntpTimestamp: 0x1111_2222_3333_4444, rtpTimestamp: 0, packetCount: 0, octetCount: 0,
            reports: [])
        stream.handle(report, now: clock.now)
        clock.advance(by: .milliseconds(500))
        let block = try required(stream.reportBlock(now: clock.now))
        #expect(block.lastSenderReport == 0x2222_3333)
        #expect(block.delaySinceLastSenderReport == 32_768)
    }
}
