import PeerConnection
import Testing

@Suite("VP8 packetizer")
struct VP8PacketizerTests {
    @Test("A frame that fits travels in one payload behind the descriptor with S set")
    func onePayload() {
        let payloads = VP8Packetizer.packetize(frame: [1, 2, 3], isKeyFrame: true)
        #expect(payloads.storage == [0x10, 1, 2, 3])
        #expect(payloads.ranges == [0..<4])
        #expect(payloads.isKeyFrame)
    }

    @Test(
        "Payloads are of one size but the last, none above the limit, and together they are the frame",
        arguments: [1, 1098, 1099, 1100, 2198, 2199, 30_001])
    func split(length: Int) {
        let frame = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let payloads = VP8Packetizer.packetize(frame: frame, isKeyFrame: false)
        #expect(payloads.count == (length + 1098) / 1099)
        #expect(payloads.ranges.count == payloads.count)
        #expect(payloads.ranges.dropLast().allSatisfy { $0.count == payloads.payloadSize })
        #expect(payloads.ranges.allSatisfy { $0.count <= 1100 && $0.count >= 2 })
        let parts = payloads.ranges.map { Array(payloads.storage[$0]) }
        #expect(parts.flatMap { $0.dropFirst() } == frame)
        #expect(parts.map(\.[0]) == [0x10] + Array(repeating: 0, count: parts.count - 1))
    }

    @Test("The payloads of a frame differ little in size")
    func balanced() throws {
        let payloads = VP8Packetizer.packetize(frame: Array(repeating: 9, count: 1200), isKeyFrame: false)
        #expect(payloads.ranges.map(\.count) == [601, 601])
    }

    @Test("An empty frame has no payloads")
    func empty() {
        #expect(VP8Packetizer.packetize(frame: [], isKeyFrame: false).ranges.isEmpty)
    }

    @Test("A sound frame is one payload as it is, and always decodable")
    func opus() {
        let payloads = PacketizedPayloads(single: [0xFC, 1, 2])
        #expect(payloads.ranges == [0..<3])
        #expect(payloads.isKeyFrame)
    }
}
