import Core
import Testing

@testable import WebServer

@Suite("Long texts of a packet's JSON") struct LongTextsTests {
    private static let long = String(repeating: "A", count: LongTexts.maximumInline + 1)

    private func lift(_ packet: String, firstNumber: Int = 0) throws -> (rest: String, texts: [String])? {
        try LongTexts(spooledSlice(packet), firstNumber: firstNumber).map {
            (String(decoding: $0.rest, as: UTF8.self), $0.texts.map(\.text))
        }
    }

    @Test("A long text is replaced by a placeholder, and stays where it is")
    func lifted() throws {
        let packet = try spooledSlice(#"2["process",{"data":"\#(Self.long)","name":"a"}]"#)
        let lifted = try #require(LongTexts(packet, firstNumber: 3))
        #expect(
            String(decoding: lifted.rest, as: UTF8.self)
                == #"2["process",{"data":{"_placeholder":true,"num":3},"name":"a"}]"#)
        #expect(lifted.texts.count == 1)
        #expect(lifted.texts.first?.bytes === packet.bytes)
        #expect(lifted.texts.first?.range.lowerBound == #"2["process",{"data":""#.utf8.count)
        #expect(lifted.texts.first?.text == Self.long)
    }

    @Test("Several are numbered in their order; short ones stay, to the byte")
    func several() throws {
        let short = String(Self.long.dropLast())
        let lifted = try lift(#"2["a","\#(Self.long)","\#(short)","B\#(Self.long)"]"#)
        #expect(
            lifted?.rest
                == #"2["a",{"_placeholder":true,"num":0},"\#(short)",{"_placeholder":true,"num":1}]"#)
        #expect(lifted?.texts == [Self.long, "B" + Self.long])
    }

    @Test("Escapes in short texts are understood: an escaped quote ends nothing")
    func escapes() throws {
        for text in [#"a\"b"#, #"\\"#, #"\\\""#, #"\"\"\""#, #"a\nb"#] {
            let lifted = try lift(#"2["\#(text)","\#(Self.long)"]"#)
            #expect(lifted?.rest == #"2["\#(text)",{"_placeholder":true,"num":0}]"#)
            #expect(lifted?.texts == [Self.long])
        }
    }

    @Test("A long text with an escape is refused, wherever the escape is")
    func longWithEscapes() throws {
        #expect(try lift(#"2["\n\#(Self.long)"]"#) == nil)
        #expect(try lift(#"2["\#(Self.long)\n"]"#) == nil)
        #expect(try lift(#"2["\#(Self.long)\"\#(Self.long)"]"#) == nil)
        #expect(try lift(#"2["\n","\#(Self.long)"]"#)?.texts == [Self.long])
        #expect(try lift(#"2["\#(Self.long)","\n"]"#)?.texts == [Self.long])
    }

    @Test("A text without an end is refused")
    func open() throws {
        #expect(try lift(#"2["a"#) == nil)
        #expect(try lift(#"2["a\""#) == nil)
        #expect(try lift(#"2["\#(Self.long)"#) == nil)
    }

    @Test("Sixteen long texts are the most")
    func count() throws {
        func packet(_ count: Int) -> String {
            "2[" + Array(repeating: "\"\(Self.long)\"", count: count).joined(separator: ",") + "]"
        }
        #expect(try lift(packet(16))?.texts.count == 16)
        #expect(try lift(packet(17)) == nil)
    }

    @Test("What is left may be four megabytes, of texts or of anything else")
    func rest() throws {
        let room = LongTexts.maximumRest
        #expect(try lift(String(repeating: "1", count: room))?.rest.utf8.count == room)
        #expect(try lift(String(repeating: "1", count: room + 1)) == nil)
        let texts = String(repeating: #""0123456789abcdef","#, count: room / 19)
        #expect(try lift(texts)?.texts == [])
        #expect(try lift(texts + String(repeating: "1", count: 19)) == nil)
    }

    @Test("Only the packet is looked at, not what stands behind it in the same body")
    func slice() throws {
        let text = #"4a␞42["b","\#(Self.long)"]␞4"c\"#.replacing("␞", with: "\u{1E}")
        let body = try spooled(text)
        let start = 4
        let end = start + #"2["b",""]"#.utf8.count + Self.long.utf8.count
        let lifted = try #require(LongTexts(SpooledSlice(body, start..<end), firstNumber: 0))
        #expect(String(decoding: lifted.rest, as: UTF8.self) == #"2["b",{"_placeholder":true,"num":0}]"#)
        // The quote that would end it is another packet's.
        #expect(LongTexts(SpooledSlice(body, start..<end - 2), firstNumber: 0) == nil)
    }
}
