import Core
import Testing

@testable import WebServer

@Suite("Socket.IO packets") struct SocketIOPacketTests {
    private func parse(_ text: String, lifted: Int = 0) throws(SocketIOParseError) -> SocketIOPacket {
        try SocketIOPacket(parsing: Array(text.utf8), lifted: lifted)
    }

    private static let texts: [(String, SocketIOPacket)] = [
        ("0{}", SocketIOPacket(.connect(auth: [:]), namespace: "/")),
        (#"0{"token":"123"}"#, SocketIOPacket(.connect(auth: ["token": "123"]), namespace: "/")),
        (#"0/admin,{"a":1}"#, SocketIOPacket(.connect(auth: ["a": 1]), namespace: "/admin")),
        ("0null", SocketIOPacket(.connect(auth: .null), namespace: "/")),
        ("1", SocketIOPacket(.disconnect, namespace: "/")),
        ("1/admin,", SocketIOPacket(.disconnect, namespace: "/admin")),
        (#"2["foo"]"#, SocketIOPacket(.event(name: "foo", arguments: []), namespace: "/")),
        (
            #"2/admin,12["foo",1,null]"#,
            SocketIOPacket(.event(name: "foo", arguments: [1, .null]), namespace: "/admin", id: 12)
        ),
        (#"20["a"]"#, SocketIOPacket(.event(name: "a", arguments: []), namespace: "/", id: 0)),
        ("313[]", SocketIOPacket(.acknowledgement([]), namespace: "/", id: 13)),
        (#"3/admin,13["bar"]"#, SocketIOPacket(.acknowledgement(["bar"]), namespace: "/admin", id: 13)),
        (
            #"52-/admin,7["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            SocketIOPacket(
                .event(
                    name: "b",
                    arguments: [["_placeholder": true, "num": 0], ["_placeholder": true, "num": 1]]),
                namespace: "/admin", id: 7, attachmentCount: 2)
        ),
        (
            #"61-15["bar",{"_placeholder":true,"num":0}]"#,
            SocketIOPacket(
                .acknowledgement(["bar", ["_placeholder": true, "num": 0]]), namespace: "/", id: 15,
                attachmentCount: 1)
        ),
    ]

    @Test("Every type is read and written", arguments: texts)
    func types(text: String, packet: SocketIOPacket) throws {
        #expect(try parse(text) == packet)
        #expect(packet.text == text)
    }

    @Test("What may be left out may be left out")
    func shortForms() throws {
        #expect(try parse("0") == SocketIOPacket(.connect(auth: [:]), namespace: "/"))
        #expect(try parse("0/admin") == SocketIOPacket(.connect(auth: [:]), namespace: "/admin"))
        #expect(try parse("0/admin,") == SocketIOPacket(.connect(auth: [:]), namespace: "/admin"))
        #expect(try parse("1/admin") == SocketIOPacket(.disconnect, namespace: "/admin"))
        #expect(try parse(#"2/,["a"]"#) == SocketIOPacket(.event(name: "a", arguments: []), namespace: "/"))
        #expect(try parse("0/a?b=c,{}").namespace == "/a?b=c")
        // No attachments are an event like any other.
        #expect(try parse(#"50-["a"]"#) == SocketIOPacket(.event(name: "a", arguments: []), namespace: "/"))
    }

    @Test("A namespace has 256 bytes at most, with and without its comma")
    func longNamespaces() throws {
        let most = "/" + String(repeating: "n", count: 255)
        #expect(try parse("0\(most)").namespace == most)
        #expect(try parse("0\(most),{}").namespace == most)
        #expect(throws: SocketIOParseError.malformedHead) { try parse("0\(most)n") }
        #expect(throws: SocketIOParseError.malformedHead) { try parse("0\(most)n,{}") }
    }

    @Test("A refusal is only written")
    func connectError() {
        let refusal = SocketIOPacket(.connectError(["message": "Invalid namespace"]), namespace: "/x")
        #expect(refusal.text == #"4/x,{"message":"Invalid namespace"}"#)
        #expect(throws: SocketIOParseError.unknownType) { try parse(#"4/x,{"message":"Invalid namespace"}"#) }
    }

    private static let faulty: [(String, SocketIOParseError)] = [
        ("", .unknownType), ("7", .unknownType), ("9[]", .unknownType), ("a", .unknownType), (" 2", .unknownType),
        ("4{}", .unknownType), ("-1", .unknownType),
        // Heads.
        (#"5["a"]"#, .malformedHead), (#"51["a"]"#, .malformedHead), (#"5-["a"]"#, .malformedHead),
        ("51", .malformedHead), (#"51_["a"]"#, .malformedHead), (#"5x-["a"]"#, .malformedHead),
        (#"21234567890123456789["a"]"#, .malformedHead), (#"51234567890123456789-["a"]"#, .malformedHead),
        ("2/" + String(repeating: "n", count: 256) + #",["a"]"#, .malformedHead),
        // JSON.
        ("2", .wrongData), ("2[", .malformedJSON), (#"2["a""#, .malformedJSON), (#"2["a"] x"#, .malformedJSON),
        (#"2/admin["a"]"#, .wrongData), ("2abc", .malformedJSON), (#"21-["a"]"#, .malformedJSON),
        ("2[\"a\u{1}\"]", .malformedJSON), (#"2["\ud800"]"#, .malformedJSON), (#"2["a",NaN]"#, .malformedJSON),
        // Data that does not suit its type.
        ("0[]", .wrongData), (#"0"token""#, .wrongData), ("0true", .wrongData), ("1{}", .wrongData),
        ("1[]", .wrongData), ("2{}", .wrongData), ("2[]", .wrongData), (#"2"a""#, .wrongData), ("2[1]", .wrongData),
        ("2[null]", .wrongData), (#"2[["a"]]"#, .wrongData), ("2null", .wrongData),
        ("3[]", .wrongData), ("31{}", .wrongData), ("31", .wrongData), ("61-[]", .wrongData), ("51-{}", .wrongData),
        // Attachments.
        (#"511-["a"]"#, .tooManyAttachments), (#"6999999-1["a"]"#, .tooManyAttachments),
        (#"51-["a",{"_placeholder":true,"num":1}]"#, .placeholderOutOfRange),
        (#"51-["a",{"_placeholder":true,"num":-1}]"#, .placeholderOutOfRange),
        (#"51-["a",{"_placeholder":true,"num":0.5}]"#, .placeholderOutOfRange),
        (#"51-["a",{"_placeholder":true,"num":"0"}]"#, .placeholderOutOfRange),
        (#"51-["a",{"_placeholder":true}]"#, .placeholderOutOfRange),
        (#"51-["a",[{"b":{"_placeholder":true,"num":9}}]]"#, .placeholderOutOfRange),
        (#"2["a",{"_placeholder":true,"num":0}]"#, .placeholderOutOfRange),
        (#"0{"_placeholder":true,"num":0}"#, .placeholderOutOfRange),
        (#"61-1[{"_placeholder":true,"num":1}]"#, .placeholderOutOfRange),
    ]

    @Test("What is no packet is refused for its reason", arguments: faulty)
    func faults(text: String, fault: SocketIOParseError) {
        #expect(throws: fault) { try parse(text) }
    }

    @Test(
        "The names that libraries keep for themselves are refused, others are not",
        arguments: ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"])
    func reserved(name: String) throws {
        #expect(throws: SocketIOParseError.reservedEvent) { try parse("2[\"\(name)\"]") }
        #expect(throws: SocketIOParseError.reservedEvent) {
            try parse("51-[\"\(name)\",{\"_placeholder\":true,\"num\":0}]")
        }
        #expect(try parse("2[\"\(name)ed\"]").kind == .event(name: name + "ed", arguments: []))
        #expect(try parse("2[\"e\",\"\(name)\"]").kind == .event(name: "e", arguments: [.string(name)]))
    }

    @Test("Ten attachments are the most, and what only looks like a placeholder is data")
    func attachments() throws {
        #expect(try parse(#"510-["a"]"#).attachmentCount == 10)
        #expect(
            try parse(#"2["a",{"_placeholder":false,"num":7},{"num":7},{"_placeholder":1}]"#).kind
                == .event(
                    name: "a",
                    arguments: [["_placeholder": false, "num": 7], ["num": 7], ["_placeholder": 1]]))
        // Texts that were taken out of the JSON are numbered behind the attachments.
        let lifted = #"51-["a",{"_placeholder":true,"num":1}]"#
        #expect(try parse(lifted, lifted: 1).attachmentCount == 1)
        #expect(throws: SocketIOParseError.placeholderOutOfRange) { try parse(lifted) }
    }

    @Test("JSON is 16 deep at most, and deeper costs nothing")
    func depth() throws {
        func event(_ depth: Int) -> String {
            #"2["a","# + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "]"
        }
        #expect(try parse(event(16)).kind != .disconnect)
        #expect(throws: SocketIOParseError.malformedJSON) { try parse(event(17)) }
        #expect(throws: SocketIOParseError.malformedJSON) { try parse("2" + String(repeating: "[", count: 1 << 20)) }
        #expect(throws: SocketIOParseError.malformedJSON) {
            try parse(#"2["a""# + String(repeating: #",{"a":"#, count: 1 << 16))
        }
    }

    @Test("Bytes that are no UTF-8 are refused wherever they are")
    func notUTF8() {
        for bytes in [[0x32, 0x2F, 0xFF, 0x2C], Array("2[\"".utf8) + [0xFF] + Array("\"]".utf8), [0xFF]] as [[UInt8]] {
            #expect(throws: SocketIOParseError.self) { try SocketIOPacket(parsing: bytes) }
        }
    }
}
