import Testing

@testable import AvatarStreamer

@Suite("Reading YAML")
struct YAMLParserTests {
    private func failure(_ text: String) -> YAMLParseError? {
        do throws(YAMLParseError) {
            _ = try YAMLParser.parse(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("Every value knows its line")
    func lines() throws {
        let root = try YAMLParser.parse(Array("a:\n  b: 1\n  # why\n  c: [x, 'y z']\n".utf8))
        guard case .mapping(let top) = root.content, case .mapping(let inner) = top.first?.value.content else {
            Issue.record("not a mapping")
            return
        }
        #expect(top.map(\.key) == ["a"])
        #expect(inner.map(\.key) == ["b", "c"])
        #expect(inner.map(\.line) == [2, 4])
        #expect(inner[0].value.content == .scalar("1", isPlain: true))
        #expect(
            inner[1].value.content
                == .sequence([
                    YAMLNode(content: .scalar("x", isPlain: true), line: 4),
                    YAMLNode(content: .scalar("y z", isPlain: false), line: 4),
                ]))
    }

    @Test("An empty file is an empty mapping")
    func empty() throws {
        #expect(try YAMLParser.parse([]).content == .mapping([]))
        #expect(try YAMLParser.parse(Array("# only a comment\n".utf8)).content == .mapping([]))
    }

    @Test("Anchors, aliases and tags are refused where they stand")
    func anchors() {
        #expect(failure("a: 1\nb: &x 2\n")?.code == .anchor)
        #expect(failure("a: 1\nb: &x 2\n")?.line == 2)
        #expect(failure("b: *x\n")?.code == .anchor)
        #expect(failure("a: !!python/object x\n")?.code == .tag)
        var bomb = "a0: &a0 [x]\n"
        for level in 1...9 { bomb += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(failure(bomb)?.code == .anchor)
    }

    @Test("Depth, length and number of values are limited")
    func limits() {
        #expect(failure(String(repeating: "[", count: 500) + String(repeating: "]", count: 500))?.code == .tooDeep)
        #expect(failure("a: [" + String(repeating: "1,", count: 10_001) + "1]")?.code == .tooManyValues)
        #expect(failure(String(repeating: "#", count: YAMLParser.maximumLength + 1))?.code == .tooLong)
    }

    @Test("Broken text is a syntax error with its line")
    func syntax() {
        #expect(failure("a: 1\nb: [1, 2\n")?.code == .syntax)
        #expect(failure("a: 1\n\tb: 2\n")?.line == 2)
        #expect(
            failure("a: 1\na: 2\n")
                == YAMLParseError(
                    code: .duplicateKey, line: 2, found: "\"a\" a second time", expected: "each key once"))
        #expect(failure("a: 1\n---\nb: 2\n")?.code == .severalDocuments)
        #expect(failure("[a]: 1\n")?.code == .keyIsNotText)
        #expect(failure("a: \u{0}")?.code == .syntax)
    }
}
