/// Written text as a voice should say it: without markup, with addresses in words.
package enum SpeakableText {
    /// Nil where nothing is left to say.
    package static func spoken(_ written: String) -> String? {
        var text = String(String.UnicodeScalarView(written.unicodeScalars.compactMap(plain)))
        text = withoutLineMarkup(text)
        text = withoutTags(text)
        text = withLinksAsWords(text)
        text = withoutEmphasis(text)
        let words = text.split(whereSeparator: \.isWhitespace).map { addressInWords($0) }
        text = words.joined(separator: " ")
        return text.contains(where: { $0.isLetter || $0.isNumber }) ? text : nil
    }

    /// A text as it came from outside: no control characters but line ends and tabs, no more than `limit` characters.
    /// Nil where it is longer.
    package static func cleaned(_ text: String, limit: Int) -> String? {
        // A character may be many bytes, but a text of so many bytes is not worth counting.
        guard text.utf8.count <= limit.multipliedReportingOverflow(by: 16).partialValue, text.count <= limit else {
            return nil
        }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar != "\n" && scalar != "\t": continue
            case .privateUse, .unassigned, .surrogate: continue
            default: result.append(scalar)
            }
        }
        let trimmed = String(result).drop(while: \.isWhitespace)
        guard let last = trimmed.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(trimmed[...last])
    }

    private static func plain(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        if scalar.value < 0x80 { return scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar }
        // The degree sign is a symbol that voices read.
        if scalar == "\u{B0}" { return scalar }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .lineSeparator, .paragraphSeparator: return " "
        case .control, .format, .privateUse, .unassigned, .surrogate, .otherSymbol: return nil
        default: break
        }
        if properties.isEmojiPresentation || properties.isVariationSelector || properties.isEmojiModifier { return nil }
        return scalar
    }

    /// Takes heading, quotation and list marks from the beginning, and rules and table borders.
    private static func withoutLineMarkup(_ text: String) -> String {
        var rest = text.drop(while: { $0.isWhitespace || $0 == ">" })
        if rest.first == "#" {
            let heading = rest.drop { $0 == "#" }
            if heading.first?.isWhitespace ?? true { rest = heading }
        } else if let mark = rest.first, mark == "-" || mark == "*" || mark == "+",
            rest.dropFirst().first?.isWhitespace ?? true
        {
            rest = rest.dropFirst()
        }
        if rest.contains("|"), rest.allSatisfy({ "|-: ".contains($0) }) { return "" }
        return String(rest).replacing("|", with: ", ")
    }

    /// Leaves out what stands between angle brackets like a tag; `a < b` stays.
    private static func withoutTags(_ text: String) -> String {
        guard text.contains("<") else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "<") {
            result += rest[..<open]
            let inside = rest[rest.index(after: open)...]
            let close = inside.prefix(200).firstIndex(of: ">")
            if let close, let first = inside.first, first.isLetter || first == "/" || first == "!" {
                let content = String(inside[..<close])
                // An address in angle brackets is not a tag.
                result += isAddress(content) ? " \(content) " : " "
                rest = inside[inside.index(after: close)...]
            } else {
                result += "<"
                rest = inside
            }
        }
        return result + rest
    }

    /// `[text](address)` and `![text](address)` become the text.
    private static func withLinksAsWords(_ text: String) -> String {
        guard text.contains("](") else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "[") {
            let inside = rest[rest.index(after: open)...]
            guard let close = inside.firstIndex(of: "]"), inside[close...].hasPrefix("]("),
                let end = inside[close...].firstIndex(of: ")")
            else {
                result += rest[...open]
                rest = inside
                continue
            }
            let before = rest[..<open]
            result += before.hasSuffix("!") ? before.dropLast() : before
            result += inside[..<close]
            rest = inside[inside.index(after: end)...]
        }
        return result + rest
    }

    private static func withoutEmphasis(_ text: String) -> String {
        var result = ""
        let characters = Array(text)
        for (index, character) in characters.enumerated() {
            switch character {
            case "*":
                let isBetweenBlanks =
                    index > 0 && index + 1 < characters.count && characters[index - 1] == " "
                    && characters[index + 1] == " "
                if isBetweenBlanks { result += "times" }
            case "`", "~", "\\", "{", "}", "^": continue
            case "_": result += " "
            case "&": result += " and "
            case "#":
                let isNumber = index + 1 < characters.count && characters[index + 1].isNumber
                if isNumber { result += "number " }
            default: result.append(character)
            }
        }
        return result
    }

    private static func isAddress(_ word: some StringProtocol) -> Bool {
        word.hasPrefix("http://") || word.hasPrefix("https://") || word.hasPrefix("www.") || word.contains("@")
    }

    /// `https://www.example.org/a?b` is said as `example dot org`, `me@example.org` as `me at example dot org`.
    private static func addressInWords(_ word: Substring) -> String {
        guard isAddress(word), word.count > 1 else { return String(word) }
        let opening = word.prefix { "(\"'[".contains($0) }
        var body = word.dropFirst(opening.count)
        var closing = ""
        while let last = body.last, ".,;:!?)\"']".contains(last) {
            closing = String(last) + closing
            body = body.dropLast()
        }
        if let scheme = body.firstRange(of: "://") {
            body = body[scheme.upperBound...]
            body = body.prefix { $0 != "/" && $0 != "?" && $0 != "#" && $0 != ":" }
        } else if body.hasPrefix("www.") {
            body = body.prefix { $0 != "/" && $0 != "?" && $0 != "#" && $0 != ":" }
        }
        if body.hasPrefix("www.") { body = body.dropFirst(4) }
        let said = body.replacing("@", with: " at ").replacing(".", with: " dot ")
        return opening + said + closing.filter { ".,;:!?".contains($0) }
    }
}
