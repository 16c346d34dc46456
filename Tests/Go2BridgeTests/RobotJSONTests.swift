import Core
import Testing

@testable import Go2Bridge

@Suite("Robot JSON")
struct RobotJSONTests {
    private func parse(_ text: String) throws(RobotJSONError) -> JSONValue {
        try RobotJSON.parse(Array(text.utf8))
    }

    @Test("Every kind of value is read")
    func values() throws {
        #expect(
            try parse(
                #" {"a": [1, -2, 3.5, 1.709106e+09, 0.050000], "b": {"c": true, "d": false, "e": null}, "": ""} "#)
                == [
                    "a": [1, -2, .number(3.5), .number(1_709_106_000), .number(0.05)],
                    "b": ["c": true, "d": false, "e": .null], "": "",
                ])
        #expect(try parse("[]") == [])
        #expect(try parse("{}") == [:])
        #expect(try parse("\"x\"\u{0}\u{0}") == "x")
    }

    @Test("What printf makes of numbers that are none is read as null")
    func nonNumbers() throws {
        #expect(try parse("[nan, -nan, NaN, inf, -inf, Infinity, 1e999]") == .array(Array(repeating: .null, count: 7)))
    }

    @Test("Escapes, pairs of surrogates and broken text become text")
    func strings() throws {
        #expect(try parse(#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\udc15""#) == "a\"\\/\u{8}\u{c}\n\r\té🐕")
        #expect(try parse(#""\ud83dx""#) == "\u{FFFD}x")
        #expect(try parse(#""\udc15\ud83d""#) == "\u{FFFD}\u{FFFD}")
        #expect(try RobotJSON.parse([0x22, 0xFF, 0x61, 0x22]) == "\u{FFFD}a")
    }

    @Test(
        "What is no JSON is refused",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "[1 2]", "\"", "\"\\", "\"\\u12", "\"\\x\"", "-", "+",
            "1.2.3", "tru", "truetruetrue", "[1]x", "--1", String(repeating: "9", count: 65), "\u{0}",
        ])
    func refuses(_ text: String) {
        #expect(throws: RobotJSONError.self) { try parse(text) }
    }

    @Test("Depth and the number of values are bounded")
    func bounds() {
        #expect(throws: RobotJSONError.tooDeep) { try parse(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: RobotJSONError.tooManyValues) {
            try parse("[" + String(repeating: "0,", count: RobotJSON.maximumValues) + "0]")
        }
    }
}

@Suite("Binary messages")
struct BinaryMessageTests {
    private let header = Array(#"{"type":"msg","topic":"rt/x","data":{}}"#.utf8)

    @Test("Layout A: two bytes of length, two zeros")
    func layoutA() throws {
        let bytes: [UInt8] = [UInt8(header.count), 0, 0, 0] + header + [1, 2, 3]
        let message = try BinaryMessage(parsing: bytes)
        #expect(message.header["topic"] == "rt/x")
        #expect(message.payload == [1, 2, 3])
    }

    @Test("Layout B: told by its first four bytes, JSON at offset 12")
    func layoutB() throws {
        let bytes: [UInt8] = [2, 0, 0, 0, UInt8(header.count), 0, 0, 0, 9, 9, 9, 9] + header + [1, 2, 3]
        let message = try BinaryMessage(parsing: bytes)
        #expect(message.header["topic"] == "rt/x")
        #expect(message.payload == [1, 2, 3])
    }

    @Test("Lengths that promise too much are refused")
    func truncated() {
        for bytes: [UInt8] in [
            [], [1, 0, 0], [0xFF, 0xFF, 0, 0, 0x7B, 0x7D], [2, 0, 0, 0],
            [2, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0],
            [2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D],
        ] {
            #expect(throws: BinaryMessageError.truncated) { try BinaryMessage(parsing: bytes) }
        }
        #expect(throws: BinaryMessageError.self) { try BinaryMessage(parsing: [1, 0, 0, 0, 0x7B]) }
    }
}
