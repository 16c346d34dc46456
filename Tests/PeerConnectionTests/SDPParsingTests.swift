import Core
import PeerConnection
import Testing

@Suite("Session description")
struct SDPParsingTests {
    static let fixtures = [
        OfferByChromium.receiveOnly, OfferByChromium.sendReceiveWithChannel, OfferByFirefox.receiveOnly,
        OfferByAiortc.version19, OfferByAiortc.version116, OfferByAiortc.legacyChannel,
    ]

    @Test("What browsers write is read, and written again it says the same", arguments: fixtures)
    func roundTrip(text: String) throws {
        let description = try SessionDescription(text)
        #expect(description.media.count >= 2)
        #expect(try SessionDescription(description.text) == description)
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("t=") }
        let written = Set(description.text.split(separator: "\r\n").map(String.init))
        #expect(lines.allSatisfy { written.contains(String($0)) })
    }

    @Test("Line ends may be CR LF or LF, and the last may be missing")
    func lineEnds() throws {
        let text = "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0"
        let description = try SessionDescription(text)
        #expect(try SessionDescription(text.split(separator: "\n").joined(separator: "\r\n") + "\r\n") == description)
        #expect(description.origin.sessionID == "1")
        #expect(description.media.first?.mid == "0")
    }

    @Test("A text that is no description is refused with its reason")
    func malformed() {
        #expect(throws: SDPParseError.version) { try SessionDescription("") }
        #expect(throws: SDPParseError.version) { try SessionDescription("o=- 1 1 IN IP4 0.0.0.0\nv=0\n") }
        #expect(throws: SDPParseError.version) { try SessionDescription("v=1\n") }
        #expect(throws: SDPParseError.origin) { try SessionDescription("v=0\ns=-\n") }
        #expect(throws: SDPParseError.origin) { try SessionDescription("v=0\no=- 1 IN IP4 0.0.0.0\n") }
        #expect(throws: SDPParseError.malformedLine(2)) { try SessionDescription("v=0\nhello\n") }
        #expect(throws: SDPParseError.malformedMedia(line: 3)) {
            try SessionDescription("v=0\no=- 1 1 IN IP4 0.0.0.0\nm=audio 99999 X 1\n")
        }
    }

    @Test(
        "A control character, which an echo could turn into a line, is refused",
        arguments: ["\r", "\0", "\u{1B}", "\u{7F}"])
    func controlCharacters(character: String) {
        let text = "v=0\no=- 1 1 IN IP4 0.0.0.0\nm=audio 9 X 1\na=mid:0\(character)a=setup:active\n"
        #expect(throws: SDPParseError.malformedLine(4)) { try SessionDescription(text) }
    }

    @Test("Size, lines and sections have their limits")
    func limits() {
        let start = "v=0\no=- 1 1 IN IP4 0.0.0.0\n"
        #expect(throws: SDPParseError.tooLong) {
            try SessionDescription(start + String(repeating: "a=x\n", count: 20_000))
        }
        #expect(throws: SDPParseError.tooManyLines) {
            try SessionDescription(start + String(repeating: "a=x\n", count: 3000))
        }
        #expect(throws: SDPParseError.malformedLine(3)) {
            try SessionDescription(start + "a=" + String(repeating: "x", count: 2047) + "\n")
        }
        #expect(throws: SDPParseError.tooManyMedia) {
            try SessionDescription(start + String(repeating: "m=audio 9 X 1\n", count: 17))
        }
    }
}

@Suite("Certificate fingerprint")
struct SDPFingerprintTests {
    private static let value =
        "sha-256 26:20:F3:D8:0D:61:22:4A:A0:BA:2B:84:F9:AA:6F:CE:F4:9E:91:2C:28:1E:7A:15:54:75:EC:B7:77:B6:37:9A"

    @Test("It is read in either case and written in upper case")
    func roundTrip() throws {
        let fingerprint = try #require(CertificateFingerprint(attributeValue: Self.value))
        #expect(fingerprint.digest.count == 32)
        #expect(fingerprint.digest.first == 0x26)
        #expect(fingerprint.attributeValue == Self.value)
        #expect(CertificateFingerprint(attributeValue: Self.value.lowercased()) == fingerprint)
    }

    @Test(
        "Weak, short, long and unreadable digests are refused",
        arguments: [
            "sha-1 26:20:F3:D8:0D:61:22:4A:A0:BA:2B:84:F9:AA:6F:CE:F4:9E:91:2C", "sha-256 26:20", "sha-256",
            String(value.dropLast(3)), value + ":00", value.replacing(":", with: ""), value.replacing("26", with: "2G"),
        ])
    func refused(value: String) {
        #expect(CertificateFingerprint(attributeValue: value) == nil)
    }
}
