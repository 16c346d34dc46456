import Core
import Testing

struct JSONValueTests {
    private func parse(_ text: String) -> JSONValue? { JSONValue(parsing: Array(text.utf8)) }

    @Test(
        arguments: [
            "null", "true", "false", "0", "-1", "1.5", "-0.25", "1e+20", "9223372036854775807", "\"\"",
            "\"a\\\"\\\\b\"",
            "\"\\n\\t\\r\\b\\f\\u0001\"", "\"€😀\"", "[]", "{}", "[1,[2,{\"a\":null}],\"x\"]",
            "{\"a\":{\"b\":[true]},\"c\":1.0}",
        ])
    func `what is written is what was read`(text: String) {
        #expect(parse(text)?.text == text)
    }

    @Test func `a number with a fraction is no integer, and counts as one where it is whole`() {
        #expect(parse("1.0") == .number(1))
        #expect(parse("1") == .integer(1))
        #expect(parse("1.0")?.integerValue == 1)
        #expect(parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
    }

    @Test func `escapes are read`() {
        #expect(parse("\"\\u0041\\ud83d\\ude00\\/\"") == "A😀/")
    }

    @Test(
        arguments: [
            "", " ", "nul", "nulll", "tru", "True", "01", "-", "+1", ".5", "1.", "1e", "1e+", "1e999", "0x1", "NaN",
            "Infinity",
            "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
            "\"\n\"",
            "'a'", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}", "{1:2}", "1 2", "[]]", "{}x", "\u{FEFF}1", "1\u{0}", "\"\u{7F}", "[1]//",
        ])
    func `anything else is refused`(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        #expect(JSONValue(parsing: [0x22, 0xFF, 0x22]) == nil)
        #expect(JSONValue(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) == nil)
        #expect(JSONValue(parsing: [0x22, 0x5C, 0x6E, 0xC3, 0x22]) == nil)
    }

    @Test func `nesting has a limit that counts arrays and objects alike`() {
        let limit = JSONValue.maximumDepth
        #expect(parse(String(repeating: "[", count: limit) + String(repeating: "]", count: limit)) != nil)
        #expect(parse(String(repeating: "[", count: limit + 1) + String(repeating: "]", count: limit + 1)) == nil)
        #expect(
            parse(String(repeating: "{\"a\":", count: limit + 1) + "1" + String(repeating: "}", count: limit + 1))
                == nil)
        #expect(parse(String(repeating: "[", count: 1_000_000)) == nil)
    }

    @Test func `of a repeated member the last counts`() {
        #expect(parse("{\"a\":1,\"a\":2}") == ["a": 2])
    }
}
