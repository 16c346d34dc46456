import Testing

@testable import Conversation

@Suite("A sentence stream")
struct SentenceStreamTests {
    /// What is said of a text that comes in pieces of `size` characters.
    private func pieces(_ text: String, size: Int = .max) -> [String] {
        var stream = SentenceStream()
        var said: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            said += stream.append(String(rest.prefix(size))).map(\.spoken)
            rest = rest.dropFirst(size)
        }
        return said + stream.finish().map(\.spoken)
    }

    static let cases: [(String, [String])] = [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("It costs 3.14 euros. Good.", ["It costs 3.14 euros.", "Good."]),
        ("Mr. Smith met Dr. Jones. They ran.", ["Mr. Smith met Dr. Jones.", "They ran."]),
        ("J. K. Rowling wrote it. Yes.", ["J. K. Rowling wrote it.", "Yes."]),
        ("So do I. Then we go.", ["So do I.", "Then we go."]),
        ("Fruit, e.g. apples. Nice.", ["Fruit, e.g. apples.", "Nice."]),
        ("Pens etc. are here. Good.", ["Pens etc. are here.", "Good."]),
        ("Pens, paper etc. They are here.", ["Pens, paper etc.", "They are here."]),
        ("At 5 p.m. we eat. Late.", ["At 5 p.m. we eat.", "Late."]),
        ("See No. 5 there. No. Really.", ["See No. 5 there.", "No.", "Really."]),
        ("Born in 1999. Then raised.", ["Born in 1999.", "Then raised."]),
        ("1. First\n2. Second\n", ["1. First", "2. Second"]),
        ("Really?! Yes... well. \"Quoted.\" End", ["Really?!", "Yes...", "well.", "\"Quoted.\"", "End"]),
        ("\u{4F60}\u{597D}\u{3002}\u{518D}\u{89C1}\u{3002}", ["\u{4F60}\u{597D}\u{3002}", "\u{518D}\u{89C1}\u{3002}"]),
        ("Before.\n```swift\nlet a = 1. + 2\n```\nAfter.", ["Before.", "After."]),
        ("No end at all", ["No end at all"]),
        ("", []), ("...\n\n!!", []),
        ("See https://www.example.org/a.b?c=d. Now.", ["See example dot org.", "Now."]),
    ]

    @Test("cuts the same wherever the pieces of the text are cut", arguments: cases, [1, 2, 3, 7, 1_000])
    func cutting(example: (String, [String]), size: Int) {
        #expect(pieces(example.0, size: size) == example.1)
    }

    @Test("ends the first piece early, at a clause or after some words, and later ones at sentences")
    func firstPiece() {
        let clause = "Well, that is a rather long beginning, with a clause, and more. And a second one, longer than that, ends here."
        #expect(
            pieces(clause, size: 4) == [
                "Well, that is a rather long beginning,", "with a clause, and more.",
                "And a second one, longer than that, ends here.",
            ])
        let long = String(repeating: "word ", count: 40)
        let first = pieces(long, size: 5).first ?? ""
        #expect(first.count <= SentenceStream.firstMaximumLength && first.hasSuffix("word"))
    }

    @Test("holds no piece back that is whole")
    func immediate() {
        var stream = SentenceStream()
        #expect(stream.append("Hello.").isEmpty)
        #expect(stream.append(" ").map(\.spoken) == ["Hello."])
        #expect(stream.append("One\n").map(\.spoken) == ["One"])
        #expect(stream.finish().isEmpty)
    }

    @Test("cuts text without any end or blank at its limit, and loses nothing")
    func endless() {
        let text = String(repeating: "a", count: 10_000)
        let said = pieces(text, size: 100)
        #expect(said.joined() == text)
        #expect(said.allSatisfy { $0.count <= SentenceStream.maximumLength })
    }

    @Test("keeps what was written, so that the pieces make the text")
    func written() {
        let text = "Hello **you**. See [this](http://x.y/z) one, e.g. 3.5 of it!  Bye \u{1F600} now."
        var stream = SentenceStream()
        let all = stream.append(text) + stream.finish()
        #expect(all.map(\.written).joined() == text + "\n")
    }
}

@Suite("Speakable text")
struct SpeakableTextTests {
    @Test(
        "is free of markup, addresses and pictures",
        arguments: [
            ("**Bold** and _soft_ and `code`", "Bold and soft and code"),
            ("## A heading", "A heading"), ("- an item", "an item"), ("> quoted", "quoted"),
            ("| a | b |", ", a , b ,"), ("5 * 3 is 15", "5 times 3 is 15"), ("a < b and b > a", "a < b and b > a"),
            ("<b>bold</b> <speak>text</speak>", "bold text"),
            ("see [the page](https://x.org/y)", "see the page"), ("![a cat](cat.png)", "a cat"),
            ("at https://www.example.org/path?q=1!", "at example dot org!"), ("(www.a.com)", "(a dot com"),
            ("write to me@example.org.", "write to me at example dot org."),
            ("hello \u{1F44B}\u{1F3FD} you \u{2764}\u{FE0F}", "hello you"), ("caf\u{E9} 20\u{B0}C", "caf\u{E9} 20\u{B0}C"),
            ("a\u{0}b\u{7}c\u{1B}[31m", "a b c [31m"), ("#1 of R&D", "number 1 of R and D"),
            ("\u{202E}reversed\u{200B}", "reversed"),
        ])
    func speakable(example: (String, String)) {
        #expect(SpeakableText.spoken(example.0) == example.1)
    }

    @Test("is nil where nothing can be said", arguments: ["", "***", "---", "|---|---|", "\u{1F600}", "<br>", "?!", "\u{0}"])
    func nothing(text: String) {
        #expect(SpeakableText.spoken(text) == nil)
    }

    @Test("takes any bytes without a trap")
    func anything() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let bytes = (0..<200).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...255, using: &generator) : Array("[](<>)*#`|.:/@& \n".utf8).randomElement() ?? 32
            }
            let text = String(decoding: bytes, as: UTF8.self)
            _ = SpeakableText.spoken(text)
            var stream = SentenceStream()
            let pieces = stream.append(text) + stream.finish()
            #expect(pieces.allSatisfy { !$0.spoken.isEmpty })
        }
    }

    @Test("cleans a question of control characters and refuses a megabyte")
    func cleaned() {
        #expect(SpeakableText.cleaned(" a\u{0}b\u{1B}\nc ", limit: 10) == "ab\nc")
        #expect(SpeakableText.cleaned(" \t\n", limit: 10) == "")
        #expect(SpeakableText.cleaned(String(repeating: "a", count: 1_000_000), limit: 8_000) == nil)
        #expect(SpeakableText.cleaned(String(repeating: "a", count: 8_001), limit: 8_000) == nil)
        #expect(SpeakableText.cleaned(String(repeating: "\u{E9}", count: 8_000), limit: 8_000)?.count == 8_000)
    }
}
