import Core
import PeerConnection
import Testing

@Suite("RTCP")
struct RTCPTests {
    static let block = ReportBlock(
        ssrc: SSRC(9), fractionLost: 3, cumulativeLost: -2, extendedHighestSequenceNumber: 0x1_0005, jitter: 7,
        lastSenderReport: 8, delaySinceLastSenderReport: 9)

    static let compound: [RTCPPacket] = [
        .senderReport(
            SenderReport(
                ssrc: SSRC(1), ntpTimestamp: 0x0102_0304_0506_0708, rtpTimestamp: 2, packetCount: 3, octetCount: 4,
                reports: [block])),
        .receiverReport(ReceiverReport(ssrc: SSRC(2), reports: [block, block])),
        .sourceDescription(
            SourceDescription(chunks: [.init(ssrc: SSRC(1), cname: "abc"), .init(ssrc: SSRC(2), cname: nil)])),
        .genericNACK(GenericNACK(sender: SSRC(1), media: SSRC(2), lost: [65_534, 65_535, 0, 14, 40])),
        .pictureLossIndication(PictureLossIndication(sender: SSRC(1), media: SSRC(2))),
        .fullIntraRequest(FullIntraRequest(sender: SSRC(1), entries: [.init(ssrc: SSRC(2), sequenceNumber: 3)])),
        .receiverEstimatedMaximumBitRate(
            ReceiverEstimatedMaximumBitRate(sender: SSRC(1), bitsPerSecond: 1_048_576, sources: [SSRC(2), SSRC(3)])),
        .transportFeedback(
            TransportFeedback(
                sender: SSRC(1), media: SSRC(2), baseSequenceNumber: 65_530, packetStatusCount: 10,
                feedbackPacketCount: 5,
                arrivals: [
                    .init(sequenceNumber: 65_530, time: .milliseconds(130)),
                    .init(sequenceNumber: 65_535, time: .milliseconds(131)),
                    .init(sequenceNumber: 0, time: .milliseconds(300)),
                    .init(sequenceNumber: 3, time: .milliseconds(299)),
                ])),
        .goodbye(Goodbye(sources: [SSRC(1), SSRC(2)], reason: "the server stops")),
    ]

    @Test("Every packet of a compound is read as it was written")
    func roundTrip() throws {
        let bytes = RTCPPacket.encode(Self.compound)
        #expect(bytes.count.isMultiple(of: 4))
        #expect(try RTCPPacket.parse(bytes) == Self.compound)
    }

    @Test("Each kind alone survives the round trip", arguments: compound)
    func alone(packet: RTCPPacket) throws {
        #expect(try RTCPPacket.parse(RTCPPacket.encode([packet])) == [packet])
    }

    @Test("A compound cut anywhere is refused or read in part, never past its end")
    func truncated() {
        let bytes = RTCPPacket.encode(Self.compound)
        for length in 0..<bytes.count {
            let cut = Array(bytes[..<length])
            let packets = (try? RTCPPacket.parse(cut)) ?? []
            #expect(packets == Array(Self.compound.prefix(packets.count)))
            #expect(packets.count < Self.compound.count)
        }
    }

    @Test("A sender report has the layout of RFC 3550")
    func senderReportLayout() {
        let report = SenderReport(
            ssrc: SSRC(0xA1A2_A3A4), ntpTimestamp: 0x0102_0304_0506_0708, rtpTimestamp: 0x1112_1314,
            packetCount: 0x2122_2324, octetCount: 0x3132_3334, reports: [])
        #expect(
            RTCPPacket.encode([.senderReport(report)])
                == [UInt8](hexadecimal: "80c80006 a1a2a3a4 0102030405060708 11121314 21222324 31323334"))
        #expect(report.compactNTP == 0x0304_0506)
    }

    @Test("A NACK packs a run of losses into one word and unpacks them in order")
    func nack() throws {
        let bytes = try #require([UInt8](hexadecimal: "81cd0003 00000001 00000002 fffe 8003"))
        #expect(
            try RTCPPacket.parse(bytes) == [
                .genericNACK(GenericNACK(sender: SSRC(1), media: SSRC(2), lost: [65_534, 65_535, 0, 14]))
            ])
        #expect(
            RTCPPacket.encode([
                .genericNACK(GenericNACK(sender: SSRC(1), media: SSRC(2), lost: [65_534, 65_535, 0, 14]))
            ])
                == bytes)
    }

    @Test("A NACK that names everything is cut at the limit")
    func nackLimit() throws {
        var writer = ByteWriter()
        writer.write([0x81, 205, 0x01, 0x40, 0, 0, 0, 1, 0, 0, 0, 2])
        for index in 0..<318 { writer.write(UInt32(index) << 16 | 0xFFFF) }
        writer.overwrite(UInt16(writer.count / 4 - 1), at: 2)
        guard case .genericNACK(let nack) = try RTCPPacket.parse(writer.bytes).first else {
            Issue.record("no NACK")
            return
        }
        #expect(nack.lost.count < GenericNACK.maximumLost + 17)
    }

    @Test("Transport feedback as libwebrtc writes it, with one byte of padding, is read")
    func libwebrtcFeedback() throws {
        let bytes = try #require([UInt8](hexadecimal: "afcd0005 fa17fa17 43032fa0 00990001 3de80217 20019401"))
        guard case .transportFeedback(let feedback) = try RTCPPacket.parse(bytes).first else {
            Issue.record("no transport feedback")
            return
        }
        #expect(feedback.baseSequenceNumber == 153)
        #expect(feedback.packetStatusCount == 1)
        #expect(feedback.feedbackPacketCount == 23)
        #expect(feedback.arrivals == [.init(sequenceNumber: 153, time: .milliseconds(64 * 4_057_090 + 37))])
    }

    @Test("Feedback with runs, one-bit and two-bit vectors is read symbol by symbol")
    func feedbackChunks() throws {
        // 2 lost (run), 14 one-bit symbols of which the first and the third arrived, then 3 two-bit: large, lost, small.
        let bytes = try #require(
            [UInt8](hexadecimal: "8fcd0007 00000001 00000002 000a0013 00000100 0002 a800 e100 01 02 fffc 04 00"))
        guard case .transportFeedback(let feedback) = try RTCPPacket.parse(bytes).first else {
            Issue.record("no transport feedback")
            return
        }
        #expect(feedback.arrivals.map(\.sequenceNumber) == [12, 14, 26, 28])
        #expect(
            feedback.arrivals.map(\.time) == [
                .microseconds(64_250), .microseconds(64_750), .microseconds(63_750), .microseconds(64_750),
            ])
    }

    @Test("Feedback that claims more arrivals than it has deltas is refused")
    func feedbackWithoutDeltas() throws {
        let bytes = try #require([UInt8](hexadecimal: "8fcd0005 00000001 00000002 0000ffff 00000000 3fff0000"))
        #expect(throws: RTCPParseError.malformed(packetType: 205)) { try RTCPPacket.parse(bytes) }
    }

    @Test("REMB is mantissa times a power of two, saturated")
    func remb() throws {
        let bytes = try #require([UInt8](hexadecimal: "8fce0005 00000001 00000000 52454d42 01 0bffff 00000002"))
        #expect(
            try RTCPPacket.parse(bytes) == [
                .receiverEstimatedMaximumBitRate(
                    ReceiverEstimatedMaximumBitRate(sender: SSRC(1), bitsPerSecond: 0x3_FFFF << 2, sources: [SSRC(2)]))
            ])
        let huge = try #require([UInt8](hexadecimal: "8fce0005 00000001 00000000 52454d42 01 ffffff 00000002"))
        guard case .receiverEstimatedMaximumBitRate(let estimate) = try RTCPPacket.parse(huge).first else {
            Issue.record("no REMB")
            return
        }
        #expect(estimate.bitsPerSecond == .max)
    }

    @Test("Types and formats that we do not know are skipped by their length")
    func unknown() throws {
        // XR (207), then an application-layer feedback that is no REMB, then a PLI.
        let bytes = try #require(
            [UInt8](hexadecimal: "80cf0001 00000001 8fce0003 00000001 00000000 41424344 81ce0002 00000001 00000002"))
        #expect(
            try RTCPPacket.parse(bytes) == [
                .unknown(packetType: 207, format: 0), .unknown(packetType: 206, format: 15),
                .pictureLossIndication(PictureLossIndication(sender: SSRC(1), media: SSRC(2))),
            ])
    }

    @Test("Wrong versions, lengths, paddings and counts have their errors")
    func errors() throws {
        #expect(throws: RTCPParseError.truncated) { try RTCPPacket.parse([UInt8]()) }
        #expect(throws: RTCPParseError.version(1)) { try RTCPPacket.parse([0x40, 200, 0, 0]) }
        #expect(throws: RTCPParseError.truncated) { try RTCPPacket.parse([0x80, 200, 0, 9, 1, 2, 3, 4]) }
        #expect(throws: RTCPParseError.padding) { try RTCPPacket.parse([0xA0, 200, 0, 1, 0, 0, 0, 5]) }
        #expect(throws: RTCPParseError.malformed(packetType: 201)) {
            try RTCPPacket.parse([0x82, 201, 0, 1, 0, 0, 0, 5])
        }
        let many = (0..<33).flatMap { _ in [UInt8]([0x80, 203, 0, 0]) }
        #expect(throws: RTCPParseError.tooManyPackets) { try RTCPPacket.parse(many) }
    }
}
