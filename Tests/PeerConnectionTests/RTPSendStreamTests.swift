import Core
import PeerConnection
import TestSupport
import Testing

/// A stream, a frame and a buffer, as the fan-out has them.
struct SendFixture {
    static let ids = RTPHeaderExtensionIDs(mid: 9, absoluteSendTime: 2, transportSequenceNumber: 4)
    static let repair = RTPSendStream.Retransmission(ssrc: SSRC(0x2222_2222), payloadType: 97)

    static func videoStream(retransmission: RTPSendStream.Retransmission? = repair) -> RTPSendStream {
        RTPSendStream(
            kind: .video, ssrc: SSRC(0x1111_1111), payloadType: 96, retransmission: retransmission, mid: "0",
            extensions: ids, random: .seeded(1))
    }

    static func frame(bytes: Int, timestamp: UInt32 = 3000, at time: Instant = .zero) -> MediaFrame {
        let payloads = VP8Packetizer.packetize(
            frame: (0..<bytes).map { UInt8(truncatingIfNeeded: $0) }, isKeyFrame: true)
        return MediaFrame(
            codec: .vp8, payloads: payloads, rtpTimestamp: timestamp, presentationTime: time, epoch: 0,
            capturedAt: time)
    }

    /// Writes all packets of the frame.
    static func write(_ frame: MediaFrame, to stream: inout RTPSendStream) -> [[UInt8]] {
        (0..<frame.payloads.count).map { index in
            packet {
                stream.writePacket(
                    of: frame, packetIndex: index, into: $0, absoluteSendTime: 0x010203,
                    transportSequenceNumber: UInt16(index))
            }
        }
    }

    static func packet(_ body: (UnsafeMutableRawBufferPointer) -> Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0xEE, count: 1500)
        let count = buffer.withUnsafeMutableBytes(body)
        return Array(buffer[..<count])
    }
}

@Suite("RTP send stream")
struct RTPSendStreamTests {
    @Test("A frame's packets are equal segments with ascending numbers, one timestamp and the marker at the end")
    func packets() throws {
        var stream = SendFixture.videoStream()
        let frame = SendFixture.frame(bytes: 4000)
        let packets = SendFixture.write(frame, to: &stream)
        let parsed = try packets.map { try RTPPacket($0) }
        #expect(packets.count == 4)
        #expect(Set(packets.dropLast().map(\.count)).count == 1)
        #expect(packets.allSatisfy { $0.count <= 1100 + stream.headerLength })
        let first = parsed[0].sequenceNumber
        #expect(parsed.map(\.sequenceNumber) == (0..<4).map { first &+ UInt16($0) })
        #expect(Set(parsed.map(\.timestamp)) == [3000 &+ stream.timestampOffset])
        #expect(parsed.map(\.marker) == [false, false, false, true])
        #expect(parsed.allSatisfy { $0.ssrc == SSRC(0x1111_1111) && $0.payloadType == 96 })
        for (index, packet) in packets.enumerated() {
            #expect(
                Array(packet[parsed[index].payloadRange])
                    == Array(frame.payloads.storage[frame.payloads.range(of: index)]))
        }
    }

    @Test("Each packet carries mid, send time and transport number under the negotiated ids")
    func extensions() throws {
        var stream = SendFixture.videoStream()
        let packets = SendFixture.write(SendFixture.frame(bytes: 2000), to: &stream)
        for (index, bytes) in packets.enumerated() {
            let packet = try RTPPacket(bytes)
            #expect(packet.headerLength == stream.headerLength)
            #expect(packet.mid(SendFixture.ids, in: bytes) == "0")
            #expect(packet.absoluteSendTime(SendFixture.ids, in: bytes) == 0x010203)
            #expect(packet.transportSequenceNumber(SendFixture.ids, in: bytes) == UInt16(index))
        }
    }

    @Test("Without negotiated extensions the header has its 12 bytes")
    func plainHeader() throws {
        var stream = RTPSendStream(
            kind: .audio, ssrc: SSRC(5), payloadType: 111, mid: "1", extensions: RTPHeaderExtensionIDs(),
            random: .seeded(1))
        let frame = MediaFrame(
            codec: .opus, payloads: PacketizedPayloads(single: [1, 2, 3]), rtpTimestamp: 0, presentationTime: .zero,
            epoch: 0, capturedAt: .zero)
        let bytes = SendFixture.write(frame, to: &stream)[0]
        let packet = try RTPPacket(bytes)
        #expect(bytes.count == 15)
        #expect(!packet.marker)
        #expect(packet.extensionProfile == nil)
    }

    @Test("A buffer too small, or a packet that the frame has not, writes and numbers nothing")
    func noRoom() throws {
        var stream = SendFixture.videoStream()
        let frame = SendFixture.frame(bytes: 100)
        var small = [UInt8](repeating: 0, count: stream.headerLength + 100)
        let refused = small.withUnsafeMutableBytes {
            stream.writePacket(of: frame, packetIndex: 0, into: $0, absoluteSendTime: 0)
        }
        #expect(refused == 0)
        #expect(
            SendFixture.packet { stream.writePacket(of: frame, packetIndex: 1, into: $0, absoluteSendTime: 0) } == [])
        #expect(stream.statistics.packetsSent == 0)
        #expect(SendFixture.write(frame, to: &stream)[0].count == stream.headerLength + 101)
        #expect(stream.statistics.packetsSent == 1)
    }

    @Test("The sender report puts the media clock's present beside the wall clock's")
    func senderReport() throws {
        var clock = ManualClock()
        var stream = SendFixture.videoStream()
        #expect(stream.senderReport(now: clock.now, wallTime: WallTime(secondsSince1970: 0)) == nil)
        _ = SendFixture.write(SendFixture.frame(bytes: 2000, timestamp: 90_000, at: clock.now), to: &stream)
        clock.advance(by: .milliseconds(500))
        let report = try required(stream.senderReport(now: clock.now, wallTime: WallTime(secondsSince1970: 10)))
        #expect(report.rtpTimestamp == 90_000 &+ 45_000 &+ stream.timestampOffset)
        #expect(report.ntpTimestamp == UInt64(2_208_988_810) << 32)
        #expect(report.packetCount == 2)
        #expect(report.octetCount == 2002)
    }

    @Test("A frame written ahead of its time gives a report that looks back")
    func reportBeforePresentation() throws {
        var clock = ManualClock()
        var stream = SendFixture.videoStream()
        let due = clock.now + .seconds(1)
        _ = SendFixture.write(SendFixture.frame(bytes: 10, timestamp: 180_000, at: due), to: &stream)
        clock.advance(by: .milliseconds(100))
        let report = try required(stream.senderReport(now: clock.now, wallTime: WallTime(secondsSince1970: 0)))
        #expect(report.rtpTimestamp == 180_000 &- 81_000 &+ stream.timestampOffset)
    }

    @Test("Sound and picture reports of one clock agree although their streams started apart")
    func lipSync() throws {
        let start = Instant(nanoseconds: 5_000_000_000)
        var video = SendFixture.videoStream()
        var audio = RTPSendStream(
            kind: .audio, ssrc: SSRC(5), payloadType: 111, mid: "1", extensions: RTPHeaderExtensionIDs(),
            random: .seeded(2))
        _ = SendFixture.write(SendFixture.frame(bytes: 10, timestamp: 0, at: start), to: &video)
        let sound = MediaFrame(
            codec: .opus, payloads: PacketizedPayloads(single: [1]), rtpTimestamp: 48_000,
            presentationTime: start + .seconds(1), epoch: 0, capturedAt: start)
        _ = SendFixture.write(sound, to: &audio)
        let now = start + .seconds(2)
        let wall = WallTime(secondsSince1970: 100)
        let picture = try required(video.senderReport(now: now, wallTime: wall))
        let voice = try required(audio.senderReport(now: now, wallTime: wall))
        // Two seconds after the common origin on both clocks.
        #expect(picture.rtpTimestamp &- video.timestampOffset == 180_000)
        #expect(voice.rtpTimestamp &- audio.timestampOffset == 96_000)
    }

    @Test("The round trip is what a receiver report leaves of the time since our report")
    func roundTrip() throws {
        var clock = ManualClock()
        var stream = SendFixture.videoStream()
        _ = SendFixture.write(SendFixture.frame(bytes: 10, at: clock.now), to: &stream)
        let report = try required(stream.senderReport(now: clock.now, wallTime: WallTime(secondsSince1970: 77)))
        clock.advance(by: .milliseconds(300))
        stream.handleReport(
            ReportBlock(
                ssrc: stream.ssrc, fractionLost: 64, cumulativeLost: 3, jitter: 900,
                lastSenderReport: report.compactNTP, delaySinceLastSenderReport: 65_536 / 4), now: clock.now)
        #expect(stream.statistics.roundTripTime == .milliseconds(50))
        #expect(stream.statistics.fractionLost == 0.25)
        #expect(stream.statistics.packetsLost == 3)
        #expect(stream.statistics.jitter == .milliseconds(10))
    }

    @Test("A report on another stream, on an unknown report or with an impossible delay moves no round trip")
    func impossibleReports() throws {
        var clock = ManualClock()
        var stream = SendFixture.videoStream()
        _ = SendFixture.write(SendFixture.frame(bytes: 10, at: clock.now), to: &stream)
        let report = try required(stream.senderReport(now: clock.now, wallTime: WallTime(secondsSince1970: 77)))
        clock.advance(by: .milliseconds(30))
        stream.handleReport(
            ReportBlock(ssrc: SSRC(1), cumulativeLost: 9, lastSenderReport: report.compactNTP), now: clock.now)
        stream.handleReport(ReportBlock(ssrc: stream.ssrc, lastSenderReport: 1), now: clock.now)
        stream.handleReport(
            ReportBlock(
                ssrc: stream.ssrc, lastSenderReport: report.compactNTP, delaySinceLastSenderReport: .max),
            now: clock.now)
        #expect(stream.statistics.roundTripTime == nil)
        #expect(stream.statistics.packetsLost == 0)
    }
}
