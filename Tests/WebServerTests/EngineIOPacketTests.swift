import Core
import Testing

@testable import WebServer

@Suite("Engine.IO packets") struct EngineIOPacketTests {
    private func packets(_ body: String) -> [EngineIOPacket]? { EngineIOPayload.packets(in: Array(body.utf8)) }

    private static let texts: [(String, EngineIOPacket)] = [
        (#"0{"sid":"a"}"#, .open(#"{"sid":"a"}"#)), ("1", .close), ("2", .ping("")), ("2probe", .ping("probe")),
        ("3", .pong("")), ("3probe", .pong("probe")), ("4", .message("")), ("4hello", .message("hello")),
        ("4€ 4\u{0}", .message("€ 4\u{0}")), ("5", .upgrade), ("6", .noop),
        // An accent that combines with the type's digit is the message's all the same.
        ("4\u{301}e", .message("\u{301}e")),
    ]

    @Test("Every type is read and written", arguments: texts)
    func types(text: String, packet: EngineIOPacket) {
        #expect(EngineIOPacket(text) == packet)
        #expect(packet.text == text)
        #expect(packet.byteCount == text.utf8.count)
        #expect(packets(text) == [packet])
        #expect(EngineIOPayload.body(of: [packet]) == Array(text.utf8))
    }

    @Test("What is no packet is none", arguments: ["", "7", "9x", "x", "abc", "1x", "5probe", "6 ", " 4", "-1", "é4"])
    func malformed(text: String) {
        #expect(EngineIOPacket(text) == nil)
        #expect(packets(text) == nil)
        #expect(packets("4a\u{1E}\(text)") == nil)
        #expect(packets("\(text)\u{1E}4a") == nil)
    }

    @Test("A WebSocket's text frame begins with the type, a binary frame is the message")
    func frames() {
        #expect(EngineIOPacket(WebSocketMessage.text("4a")) == .message("a"))
        #expect(EngineIOPacket(WebSocketMessage.binary([4, 5])) == .binary([4, 5]))
        #expect(EngineIOPacket(WebSocketMessage.binary([])) == .binary([]))
        #expect(EngineIOPacket(WebSocketMessage.text("bAQI=")) == nil)
        #expect(EngineIOPacket.binary([4, 5]).text == nil)
    }

    @Test("A payload joins packets with U+001E, binary ones as b and Base64")
    func payload() {
        let body = "4hello\u{1E}2\u{1E}4€\u{1E}bAQIDBA==\u{1E}6"
        let list: [EngineIOPacket] = [.message("hello"), .ping(""), .message("€"), .binary([1, 2, 3, 4]), .noop]
        #expect(packets(body) == list)
        #expect(EngineIOPayload.body(of: list) == Array(body.utf8))
        #expect(packets("b") == [.binary([])])
        #expect(EngineIOPayload.body(of: [.binary([])]) == Array("b".utf8))
        #expect(EngineIOPayload.body(of: []) == [])
    }

    @Test(
        "A payload with anything else in it is none",
        arguments: ["\u{1E}", "4a\u{1E}", "\u{1E}4a", "4a\u{1E}\u{1E}4b", "bAQ=D", "b!!!!", "bA", "4a\u{1E}bé"])
    func malformedPayload(body: String) {
        #expect(packets(body) == nil)
    }

    @Test("A payload that is no UTF-8 is none")
    func notUTF8() {
        #expect(EngineIOPayload.packets(in: [0x34, 0xFF]) == nil)
        #expect(EngineIOPayload.packets(in: [0x34, 0xC3]) == nil)
        // Cut in a character's middle by the separator.
        #expect(EngineIOPayload.packets(in: [0x34, 0xC3, 0x1E, 0x34, 0xA9]) == nil)
    }

    @Test("A payload has 10,000 packets at most")
    func count() {
        let most = Array(repeating: "4", count: 10_000).joined(separator: "\u{1E}")
        #expect(packets(most)?.count == 10_000)
        #expect(packets(most + "\u{1E}4") == nil)
    }

    @Test("In a spooled payload the large packets stay where they are")
    func spooledPayload() throws {
        let long = String(repeating: "x", count: 1 << 20)
        let base64 = String(repeating: "AAAA", count: 1 << 18)
        let body = try spooled("4a\u{1E}4\(long)\u{1E}bAQI=\u{1E}b\(base64)\u{1E}3")
        let packets = try #require(EngineIOPayload.packets(in: body))
        #expect(packets.count == 5)
        #expect(packets[0] == .message("a"))
        #expect(packets[1] == .largeMessage(SpooledSlice(body, 4..<4 + (1 << 20))))
        #expect(packets[2] == .binary([1, 2]))
        let start = 4 + (1 << 20) + 1 + 5 + 1 + 1
        #expect(packets[3] == .largeBinary(SpooledSlice(body, start..<start + (1 << 20)), isBase64: true))
        #expect(packets[4] == .pong(""))
    }

    @Test("A spooled payload is as strict, and no large packet is anything but a message")
    func malformedSpooledPayload() throws {
        for body in ["", "4a\u{1E}", "\u{1E}4a", "7"] {
            #expect(EngineIOPayload.packets(in: try spooled(body)) == nil)
        }
        let isNone = EngineIOPayload.packets(in: try spooled("2" + String(repeating: "x", count: 1 << 20))) == nil
        #expect(isNone)
    }

    @Test("A spooled payload that is no UTF-8 is none, wherever the fault is")
    func spooledNotUTF8() throws {
        let large = [UInt8](repeating: 0x34, count: 1 << 20)
        #expect(EngineIOPayload.packets(in: try spooled(large + [0x34, 0xFF])) == nil)
        #expect(EngineIOPayload.packets(in: try spooled(large + [0x34, 0x34]))?.count == 1)
    }

    @Test("Of spooled frames a text has to be a message, a binary one is one")
    func spooledFrames() throws {
        let text = try spooled("4ab")
        #expect(
            EngineIOPacket(.spooled(SpooledSlice(text, 0..<3), isText: true))
                == .largeMessage(SpooledSlice(text, 1..<3)))
        #expect(
            EngineIOPacket(.spooled(SpooledSlice(text, 0..<3), isText: false))
                == .largeBinary(SpooledSlice(text, 0..<3), isBase64: false))
        let other = try spooled("2ab")
        #expect(EngineIOPacket(.spooled(SpooledSlice(other, 0..<3), isText: true)) == nil)
        #expect(EngineIOPacket(.spooled(SpooledSlice(other, 0..<0), isText: true)) == nil)
    }
}
