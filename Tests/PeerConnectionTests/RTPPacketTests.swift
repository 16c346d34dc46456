import Core
import PeerConnection
import Testing

@Suite("RTP packet")
struct RTPPacketTests {
    /// CSRC count 1, marker, one-byte extension with id 3 (3 bytes), a padding byte between, id 1 ("0"); payload 3 bytes, 2 of padding.
    static let packet: [UInt8] = [
        0xB1, 0xE0, 0x12, 0x34, 0, 0, 0, 9, 0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4, 0xBE, 0xDE, 0, 2, 0x32, 7, 8, 9, 0,
        0x10, 0x30, 0, 0xAA, 0xBB, 0xCC, 0, 2,
    ]

    @Test("Every field of a packet with CSRC, extension and padding is read")
    func fields() throws {
        let packet = try RTPPacket(Self.packet)
        #expect(packet.marker)
        #expect(packet.payloadType == 96)
        #expect(packet.sequenceNumber == 0x1234)
        #expect(packet.timestamp == 9)
        #expect(packet.ssrc == SSRC(0xDEAD_BEEF))
        #expect(packet.headerLength == 28)
        #expect(packet.payloadRange == 28..<31)
        let ids = RTPHeaderExtensionIDs(mid: 1, absoluteSendTime: 3)
        #expect(packet.absoluteSendTime(ids, in: Self.packet) == 0x070809)
        #expect(packet.mid(ids, in: Self.packet) == "0")
        #expect(
            packet.transportSequenceNumber(RTPHeaderExtensionIDs(transportSequenceNumber: 5), in: Self.packet)
                == nil)
    }

    @Test("A packet cut anywhere in its header is refused, never read past its end")
    func truncated() {
        for length in 0..<28 {
            let cut = Array(Self.packet[..<length])
            #expect(throws: RTPParseError.truncated) { try RTPPacket(cut) }
        }
    }

    @Test("Another version and impossible padding are refused")
    func malformed() {
        var other = Self.packet
        other[0] = 0x71
        #expect(throws: RTPParseError.version(1)) { try RTPPacket(other) }
        var padded = Self.packet
        padded[padded.count - 1] = 6
        #expect(throws: RTPParseError.padding) { try RTPPacket(padded) }
        padded[padded.count - 1] = 0
        #expect(throws: RTPParseError.padding) { try RTPPacket(padded) }
    }

    @Test("The two-byte form of header extensions is read as well")
    func twoByteForm() throws {
        let bytes: [UInt8] = [
            0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0, 0, 2, 20, 2, 0x01, 0x02, 0, 0, 7, 0,
        ]
        let packet = try RTPPacket(bytes)
        let ids = RTPHeaderExtensionIDs(mid: 7, transportSequenceNumber: 20)
        #expect(packet.transportSequenceNumber(ids, in: bytes) == 0x0102)
        #expect(packet.mid(ids, in: bytes) == nil)
    }

    @Test("An extension element longer than the extension ends the search")
    func overlongElement() throws {
        let bytes: [UInt8] = [0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xBE, 0xDE, 0, 1, 0x1F, 1, 2, 3, 0xFF]
        let packet = try RTPPacket(bytes)
        #expect(packet.rangeOfExtension(1, in: bytes) == nil)
    }

    @Test("RTCP is told from RTP by its packet type")
    func demultiplexing() {
        #expect(RTPPacket.isRTCP([0x81, 200]))
        #expect(RTPPacket.isRTCP([0x8F, 206]))
        #expect(!RTPPacket.isRTCP([0x80, 96]))
        #expect(!RTPPacket.isRTCP([0x80, 0x80 | 96]))
        #expect(!RTPPacket.isRTCP([0x80]))
    }

    @Test("Sequence numbers are compared on the circle")
    func circle() {
        #expect(UInt16(1).isNewer(than: 65_535))
        #expect(!UInt16(65_535).isNewer(than: 1))
        #expect(!UInt16(5).isNewer(than: 5))
    }

    @Test("The absolute send time counts in 1/2^18 s and starts again after 64 s")
    func sendTime() {
        #expect(absoluteSendTime(Instant(nanoseconds: 1_000_000_000)) == 1 << 18)
        #expect(absoluteSendTime(Instant(nanoseconds: 500_000_000)) == 1 << 17)
        #expect(absoluteSendTime(Instant(nanoseconds: 64_000_000_000)) == 0)
        #expect(absoluteSendTime(Instant(nanoseconds: 63_999_999_999)) == 0xFF_FFFF)
    }
}
