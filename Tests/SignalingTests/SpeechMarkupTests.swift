import Core
import Testing

@testable import Signaling

@Suite("SSML")
struct SpeechMarkupTests {
    private func error(_ markup: String) -> SpeechMarkupError? {
        do throws(SpeechMarkupError) {
            _ = try SpeechMarkup.text(of: markup)
            return nil
        } catch {
            return error
        }
    }

    @Test("Words are taken out, sentences and pauses are kept")
    func words() throws {
        #expect(try SpeechMarkup.text(of: "<speak>Hello there</speak>") == "Hello there")
        #expect(
            try SpeechMarkup.text(
                of: """
                    <?xml version="1.0"?>
                    <speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">
                      <!-- greeting -->
                      <p><s>Good morning</s><s>How are you?</s></p>
                      <p>Listen<break time="500ms"/> to <emphasis level="strong">this</emphasis>.</p>
                      <sub alias="World Wide Web Consortium">W3C</sub>
                      <voice name='x'><prosody rate="slow">slowly</prosody></voice>
                      <desc>not said</desc>
                    </speak>
                    """)
                == "Good morning. How are you? Listen, to this. World Wide Web Consortium slowly")
        #expect(try SpeechMarkup.text(of: "<speak>one<break strength='none'/>two</speak>") == "onetwo")
        #expect(try SpeechMarkup.text(of: "<speak><s>one</s>two</speak>") == "one. two")
        #expect(try SpeechMarkup.text(of: "<speak><break/>one</speak>") == "one")
    }

    @Test("Entities are XML's own five and character numbers")
    func entities() throws {
        #expect(
            try SpeechMarkup.text(of: "<speak>1 &lt; 2 &amp; 3 &#65;&#x42; <![CDATA[a <b> & c]]></speak>")
                == "1 < 2 & 3 AB a <b> & c")
        #expect(error("<speak>&bomb;</speak>") == .unknownEntity)
        #expect(error("<speak>& x</speak>") == .unknownEntity)
        #expect(error("<speak>&#0;</speak>") == .unknownEntity)
        #expect(error("<speak>&#xD800;</speak>") == .unknownEntity)
        #expect(error("<!DOCTYPE speak [<!ENTITY a 'b'>]><speak>&a;</speak>") == .doctype)
    }

    @Test("What is no markup says why")
    func errors() {
        #expect(error("") == .noRoot)
        #expect(error("Hello") == .noRoot)
        #expect(error("<p>Hello</p>") == .noRoot)
        #expect(error("<speak>a</speak>b") == .noRoot)
        #expect(error("<speak>a</speak><speak>b</speak>") == .noRoot)
        #expect(error("<speak>a") == .unfinished)
        #expect(error("<speak") == .unfinished)
        #expect(error("<speak x='") == .unfinished)
        #expect(error("<speak><!-- ") == .unfinished)
        #expect(error("<speak>a</p></speak>") == .mismatchedEnd)
        #expect(error("</speak>") == .mismatchedEnd)
        #expect(error("<speak><1 < 2></speak>") == .malformedTag)
        #expect(error("<speak a=b>x</speak>") == .malformedTag)
        #expect(error("<speak a='1'b='2'>x</speak>") == .malformedTag)
        #expect(error("<speak> ... <break/></speak>") == .nothingToSay)
        #expect(error("<speak>\u{0}</speak>") == .notText)
        #expect(error("<speak>" + String(repeating: "x", count: 65_536) + "</speak>") == .tooLong)
        let deep = String(repeating: "<s>", count: 40) + "x" + String(repeating: "</s>", count: 40)
        #expect(error("<speak>\(deep)</speak>") == .tooDeep)
        #expect(error("<speak>" + String(repeating: "<", count: 60_000)) == .malformedTag)
    }

    @Test("Whatever is sent, the words are no longer than the markup, or the reason is told")
    func anything() {
        let pieces = [
            "<speak>", "</speak>", "<p>", "</p>", "<s>", "</s>", "<break/>", "<sub alias='x'>", "</sub>", "<!--", "-->",
            "<![CDATA[", "]]>", "&amp;", "&#65;", "&#x1F600;", "&", "<", ">", "'", "\"", "=", "/", " ", "word", ".",
            "\u{E9}", "<desc>", "</desc>", "<?x", "?>",
        ]
        let random = RandomSource.seeded(11)
        var understood = 0
        for round in 0..<20_000 {
            let count = Int(random.uint32() % 12)
            var markup = (0..<count).map { _ in pieces[Int(random.uint32()) % pieces.count] }.joined()
            if round % 2 == 0 { markup = "<speak>\(markup)</speak>" }
            guard let words = try? SpeechMarkup.text(of: markup) else { continue }
            understood += 1
            #expect(words.utf8.count <= markup.utf8.count, "\(markup)")
        }
        #expect(understood > 100)
    }
}
