import Core
import TestSupport
import Testing

@testable import PeerConnection

@Suite("DCEP")
struct EstablishmentMessageTests {
    private func parse(_ bytes: [UInt8]) throws(EstablishmentParseError) -> EstablishmentMessage {
        try EstablishmentMessage(bytes.span)
    }

    @Test("an opening is written as RFC 8832 §5.1 draws it")
    func layout() {
        let settings = DataChannelSettings(
            label: "ab", subprotocol: "c", isOrdered: false, reliability: .retransmissions(5))
        #expect(
            EstablishmentMessage.open(settings).encoded
                == [3, 0x81, 1, 0, 0, 0, 0, 5, 0, 2, 0, 1, 0x61, 0x62, 0x63])
        #expect(EstablishmentMessage.acknowledgement.encoded == [2])
    }

    @Test(
        "what is written is read back",
        arguments: [
            DataChannelSettings(label: ""),
            DataChannelSettings(label: "data", isOrdered: false),
            DataChannelSettings(label: "é", subprotocol: "x", reliability: .retransmissions(65_535)),
            DataChannelSettings(label: "t", isOrdered: false, reliability: .lifetime(.milliseconds(65_535))),
        ])
    func roundTrip(_ settings: DataChannelSettings) throws {
        #expect(settings.isValid)
        #expect(try parse(EstablishmentMessage.open(settings).encoded) == .open(settings))
    }

    @Test("reliability beyond 16 bits is taken as the most that we carry")
    func saturation() throws {
        let message = try parse([3, 2, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
        #expect(message == .open(DataChannelSettings(label: "", reliability: .lifetime(.milliseconds(65_535)))))
    }

    @Test("every cut of an opening is truncated")
    func truncated() {
        let whole = EstablishmentMessage.open(DataChannelSettings(label: "label", subprotocol: "protocol")).encoded
        for count in 0..<whole.count {
            #expect(throws: EstablishmentParseError.truncated) { _ = try parse(Array(whole.prefix(count))) }
        }
        #expect(throws: Never.self) { _ = try parse(whole + [0, 0]) }
    }

    @Test("unknown messages and channel types and labels that are no text are refused")
    func refused() {
        #expect(throws: EstablishmentParseError.unknownMessage(1)) { _ = try parse([1]) }
        #expect(throws: EstablishmentParseError.unknownChannelType(0x83)) {
            _ = try parse([3, 0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        #expect(throws: EstablishmentParseError.invalidText) {
            _ = try parse([3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xFF])
        }
    }

    @Test("settings that an opening cannot carry are not valid")
    func validity() {
        #expect(!DataChannelSettings(label: String(repeating: "x", count: 65_536)).isValid)
        #expect(!DataChannelSettings(label: "", reliability: .lifetime(.milliseconds(65_536))).isValid)
        #expect(!DataChannelSettings(label: "", reliability: .lifetime(.milliseconds(-1))).isValid)
    }
}

@Suite("SCTP packets")
struct SCTPPacketTests {
    private func packet(tag: UInt8 = 1, _ chunks: [UInt8]) -> [UInt8] {
        [0x13, 0x88, 0x13, 0x88, 0, 0, 0, tag, 0, 0, 0, 0] + chunks
    }

    private func check(_ bytes: [UInt8]) throws(SCTPPacketError) -> SCTPPacket {
        try SCTPPacket(bytes.span, from: 5000, to: 5000)
    }

    @Test("chunks are told apart")
    func kinds() throws {
        let data: [UInt8] = [0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 51, 65, 0, 0, 0]
        #expect(try check(packet(data)).hasData)
        #expect(try !check(packet(data)).hasAbort)
        #expect(try check(packet(data + [6, 0, 0, 4])).hasAbort)
    }

    @Test("packets that are malformed, of other ports or of other extensions never reach the library")
    func refused() {
        #expect(throws: SCTPPacketError.truncated) { _ = try check([1, 2, 3]) }
        #expect(throws: SCTPPacketError.wrongPorts) { _ = try check([0, 1] + packet([6, 0, 0, 4]).dropFirst(2)) }
        #expect(throws: SCTPPacketError.badLength) { _ = try check(packet([6, 0, 0, 3])) }
        #expect(throws: SCTPPacketError.badLength) { _ = try check(packet([6, 0, 0, 8])) }
        #expect(throws: SCTPPacketError.badLength) {
            _ = try check(packet([0, 3, 0, 16] + [UInt8](repeating: 0, count: 12)))
        }
        #expect(throws: SCTPPacketError.unsupportedChunk(193)) { _ = try check(packet([193, 0, 0, 4])) }
        let initiation: [UInt8] = [1, 0, 0, 20] + [UInt8](repeating: 1, count: 16)
        #expect(throws: SCTPPacketError.badInit) { _ = try check(packet(initiation)) }
        #expect(throws: SCTPPacketError.badInit) { _ = try check(packet(tag: 0, initiation + initiation)) }
        #expect(throws: Never.self) { _ = try check(packet(tag: 0, initiation)) }
        let badParameter: [UInt8] = [1, 0, 0, 24] + [UInt8](repeating: 1, count: 16) + [0x80, 0, 0, 3]
        #expect(throws: SCTPPacketError.badLength) { _ = try check(packet(tag: 0, badParameter)) }
        let badAcknowledgement: [UInt8] = [3, 0, 0, 16] + [UInt8](repeating: 0, count: 9) + [1, 0, 0]
        #expect(throws: SCTPPacketError.badLength) { _ = try check(packet(badAcknowledgement)) }
    }
}

@Suite("Incomplete messages")
struct IncompleteMessagesTests {
    private func part(
        _ count: Int, stream: UInt16 = 0, _ kind: SCTPPayloadProtocol = .binary, isUnordered: Bool = false, isEnd: Bool
    ) -> SCTPPart {
        SCTPPart(
            stream: stream, payloadProtocol: kind.rawValue, isUnordered: isUnordered, isEnd: isEnd,
            bytes: [UInt8](repeating: UInt8(clamping: stream), count: count))
    }

    @Test("parts of different streams and orders are kept apart")
    func interleaving() {
        var incomplete = IncompleteMessages(maximumMessageBytes: 100, maximumBytes: 100)
        #expect(incomplete.take(part(1, stream: 1, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.take(part(2, stream: 2, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.take(part(3, stream: 1, isUnordered: true, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.bytes == 6)
        #expect(incomplete.take(part(1, stream: 1, isEnd: true), isWanted: true) == .whole([1, 1], .binary))
        #expect(incomplete.take(part(1, stream: 2, isEnd: true), isWanted: true) == .whole([2, 2, 2], .binary))
        incomplete.forget(stream: 1)
        #expect(incomplete.bytes == 0)
    }

    @Test("a message beyond its limit and messages beyond the common limit are overrun, and the next is not")
    func limits() {
        var incomplete = IncompleteMessages(maximumMessageBytes: 10, maximumBytes: 15)
        #expect(incomplete.take(part(10, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.take(part(1, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.bytes == 0)
        #expect(incomplete.take(part(1, isEnd: true), isWanted: true) == .overrun)
        #expect(
            incomplete.take(part(10, isEnd: true), isWanted: true) == .whole([UInt8](repeating: 0, count: 10), .binary))
        #expect(incomplete.take(part(10, stream: 1, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.take(part(6, stream: 2, isEnd: false), isWanted: true) == .more)
        #expect(incomplete.bytes == 10)
        #expect(incomplete.take(part(1, stream: 2, isEnd: true), isWanted: true) == .overrun)
        #expect(incomplete.take(part(5, stream: 3, isEnd: true), isWanted: false) == .overrun)
        var unknown = part(5, stream: 3, isEnd: true)
        unknown.payloadProtocol = 99
        #expect(incomplete.take(unknown, isWanted: true) == .unknownProtocol)
    }
}
