/// Why a text is not the markup that it says to be.
package enum SpeechMarkupError: Error, Equatable {
    case tooLong, notText, noRoot, doctype, tooDeep, unfinished, mismatchedEnd, malformedTag, unknownEntity,
        nothingToSay

    /// In words for whoever sent it.
    package var reason: String {
        switch self {
        case .tooLong: "ssml is longer than \(SpeechMarkup.maximumLength) bytes"
        case .notText: "ssml holds control characters"
        case .noRoot: "ssml must be one <speak> element"
        case .doctype: "ssml must have no document type"
        case .tooDeep: "ssml is nested deeper than \(SpeechMarkup.maximumDepth) elements"
        case .unfinished: "ssml ends within an element"
        case .mismatchedEnd: "ssml has an end tag that fits no start tag"
        case .malformedTag: "ssml has a tag that is no tag"
        case .unknownEntity: "ssml has an entity other than &amp; &lt; &gt; &quot; &apos; and character numbers"
        case .nothingToSay: "ssml has nothing to say"
        }
    }
}

/// Takes the words out of [SSML 1.1](https://www.w3.org/TR/speech-synthesis11/): what the voices here can do with it.
///
/// `p` and `s` end a sentence, `break` makes a pause, `sub` is read as its alias; `desc`, `metadata` and `audio`'s
/// alternatives are treated as the standard says. Any other element is left out and its text kept. There are no entities
/// but XML's own five, and no document type, so a short text stays short.
package struct SpeechMarkup {
    /// Bytes.
    package static let maximumLength = 65_536
    package static let maximumDepth = 32

    private let bytes: [UInt8]
    private var position = 0
    private var open: [Element] = []
    private var result = ""

    private struct Element {
        var name: String
        /// Whether the text inside is not said.
        var isSilent: Bool
    }

    /// The text to be said.
    package static func text(of markup: String) throws(SpeechMarkupError) -> String {
        let bytes = Array(markup.utf8)
        guard bytes.count <= maximumLength else { throw .tooLong }
        guard bytes.allSatisfy({ $0 >= 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }) else { throw .notText }
        var reader = SpeechMarkup(bytes: bytes)
        try reader.read()
        let words = reader.result.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard words.contains(where: { $0.isLetter || $0.isNumber }) else { throw .nothingToSay }
        return words
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func read() throws(SpeechMarkupError) {
        var hasRoot = false
        while position < bytes.count {
            if bytes[position] != UInt8(ascii: "<") {
                try readText(isInside: !open.isEmpty)
            } else if skip("<!--") {
                try skipPast("-->")
            } else if skip("<?") {
                try skipPast("?>")
            } else if skip("<![CDATA[") {
                guard !open.isEmpty else { throw .noRoot }
                let start = position
                try skipPast("]]>")
                say(String(decoding: bytes[start..<(position - 3)], as: UTF8.self))
            } else if skip("<!") {
                throw .doctype
            } else if skip("</") {
                try readEnd()
            } else {
                position += 1
                guard !open.isEmpty || !hasRoot else { throw .noRoot }
                try readStart()
                hasRoot = true
            }
        }
        guard open.isEmpty else { throw .unfinished }
        guard hasRoot else { throw .noRoot }
    }

    // MARK: Text

    private mutating func readText(isInside: Bool) throws(SpeechMarkupError) {
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") { position += 1 }
        let text = try Self.unescape(bytes[start..<position])
        guard isInside || text.allSatisfy(\.isWhitespace) else { throw .noRoot }
        say(text)
    }

    private mutating func say(_ text: String) {
        if open.last?.isSilent == false { result += text }
    }

    /// The last character that is seen, once the white space behind it is gone.
    private mutating func trimmedEnd() -> Character? {
        while let last = result.last, last.isWhitespace { result.removeLast() }
        return result.last
    }

    /// The end of a sentence: the voice pauses at a full stop.
    private mutating func endSentence() {
        guard let last = trimmedEnd() else { return }
        if !".!?;:,\u{2026}\u{3002}".contains(last) { result += "." }
        result += " "
    }

    private mutating func pause() {
        guard let last = trimmedEnd() else { return }
        if last.isLetter || last.isNumber { result += "," }
        result += " "
    }

    /// XML's five entities and character numbers ([XML 1.0 §4.6](https://www.w3.org/TR/xml/#sec-predefined-ent)).
    private static func unescape(_ bytes: ArraySlice<UInt8>) throws(SpeechMarkupError) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var text = ""
        var rest = bytes
        while let start = rest.firstIndex(of: UInt8(ascii: "&")) {
            text += String(decoding: rest[..<start], as: UTF8.self)
            // The longest is `&#x10FFFF;`.
            guard let end = rest[start...].prefix(10).firstIndex(of: UInt8(ascii: ";")) else { throw .unknownEntity }
            let name = String(decoding: rest[(start + 1)..<end], as: UTF8.self)
            switch name {
            case "amp": text += "&"
            case "lt": text += "<"
            case "gt": text += ">"
            case "quot": text += "\""
            case "apos": text += "'"
            default:
                guard name.hasPrefix("#"), let scalar = scalar(name.dropFirst()) else { throw .unknownEntity }
                text.unicodeScalars.append(scalar)
            }
            rest = rest[(end + 1)...]
        }
        return text + String(decoding: rest, as: UTF8.self)
    }

    private static func scalar(_ digits: Substring) -> Unicode.Scalar? {
        let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        guard let value, value >= 0x20 || value == 0x09 || value == 0x0A || value == 0x0D else { return nil }
        return Unicode.Scalar(value)
    }

    // MARK: Tags

    private mutating func readStart() throws(SpeechMarkupError) {
        let name = try readName()
        guard !open.isEmpty || name == "speak" else { throw .noRoot }
        guard open.count < Self.maximumDepth else { throw .tooDeep }
        var attributes: [String: String] = [:]
        while true {
            let hadSpace = skipSpace()
            guard position < bytes.count else { throw .unfinished }
            if skip("/>") {
                begin(name, attributes)
                finish()
                return
            }
            if skip(">") {
                begin(name, attributes)
                return
            }
            guard hadSpace, attributes.count < 16 else { throw .malformedTag }
            let key = try readName()
            _ = skipSpace()
            guard skip("=") else { throw .malformedTag }
            _ = skipSpace()
            attributes[key] = try readValue()
        }
    }

    private mutating func readEnd() throws(SpeechMarkupError) {
        let name = try readName()
        _ = skipSpace()
        guard skip(">") else { throw .malformedTag }
        guard open.last?.name == name else { throw .mismatchedEnd }
        finish()
    }

    private mutating func begin(_ name: String, _ attributes: [String: String]) {
        let isSilent = open.last?.isSilent ?? false
        var hidesText = false
        switch name {
        case "p", "s": if !isSilent { endSentence() }
        case "break": if !isSilent, attributes["strength"] != "none" { pause() }
        case "sub":
            if let alias = attributes["alias"] {
                say(alias)
                hidesText = true
            }
        case "desc", "metadata", "meta", "lexicon", "mark": hidesText = true
        default: break
        }
        open.append(Element(name: name, isSilent: isSilent || hidesText))
    }

    private mutating func finish() {
        guard let element = open.popLast() else { return }
        if element.name == "p" || element.name == "s", !element.isSilent { endSentence() }
    }

    private mutating func readName() throws(SpeechMarkupError) -> String {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5F, 0x80...: position += 1
            default:
                guard (1...128).contains(position - start) else { throw .malformedTag }
                return String(decoding: bytes[start..<position], as: UTF8.self)
            }
        }
        throw .unfinished
    }

    private mutating func readValue() throws(SpeechMarkupError) -> String {
        guard position < bytes.count else { throw .unfinished }
        let quote = bytes[position]
        guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw .malformedTag }
        let start = position + 1
        guard let end = bytes[start...].firstIndex(of: quote) else { throw .unfinished }
        guard !bytes[start..<end].contains(UInt8(ascii: "<")) else { throw .malformedTag }
        position = end + 1
        return try Self.unescape(bytes[start..<end])
    }

    // MARK: Bytes

    private mutating func skip(_ text: String) -> Bool {
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }

    private mutating func skipPast(_ text: String) throws(SpeechMarkupError) {
        while position < bytes.count {
            if skip(text) { return }
            position += 1
        }
        throw .unfinished
    }

    private mutating func skipSpace() -> Bool {
        let start = position
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        return position > start
    }
}
