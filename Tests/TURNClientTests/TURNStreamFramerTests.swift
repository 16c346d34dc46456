import Core
import Testing

@testable import TURNClient

@Suite("The framer of TURN over TCP")
struct TURNStreamFramerTests {
    let stun = STUNMessage.request(
        .binding, transactionID: STUNTransactionID(random: .seeded(1)), attributes: [.username("abc")]
    ).encoded()
    let data: [UInt8] = [0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0]

    @Test("messages come out whole however the stream was cut", arguments: 1...40)
    func cuts(size: Int) throws {
        let stream = stun + data + stun + [0x4F, 0xFF, 0, 0] + data
        var framer = TURNStreamFramer()
        var messages: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            framer.append(Array(stream[start..<min(start + size, stream.count)]).span)
            while let message = try framer.next() { messages.append(message) }
        }
        let unpadded = Array(data.prefix(9))
        #expect(messages == [stun, unpadded, stun, [0x4F, 0xFF, 0, 0], unpadded])
        #expect(framer.bufferedByteCount == 0)
    }

    @Test("a message longer than the limit ends the stream before it is collected")
    func tooLong() {
        var framer = TURNStreamFramer(maximumMessageByteCount: 100)
        framer.append([0x40, 0, 0, 97].span)
        #expect(throws: TURNStreamFramer.FramingError.messageTooLong(byteCount: 101)) { try framer.next() }
    }

    @Test("a byte that begins neither STUN nor ChannelData ends the stream", arguments: [0x04, 0x16, 0x50, 0x80, 0xFF])
    func unknownProtocol(first: UInt8) {
        var framer = TURNStreamFramer()
        framer.append([first].span)
        #expect(throws: TURNStreamFramer.FramingError.unknownProtocol(firstByte: first)) { try framer.next() }
    }
}
