/// Cuts text into what the voice says in one go, so that the first words are heard while the rest is still made.
package enum Sentences {
    /// Characters of one piece, at most. Synthesis takes about 10 ms a second of speech, so a piece of this length is
    /// ready in some 0.1 s.
    package static let maximumLength = 180
    /// Characters of an utterance's first piece, at most: some 4 s of speech, ready in 40 ms.
    package static let firstMaximumLength = 60
    /// A comma is the better place to cut, if it leaves at least so many characters before it.
    private static let leastBeforeComma = 15

    /// Pieces of at most ``maximumLength`` characters, the first of at most `firstMaximumLength`.
    package static func split(
        _ text: String, firstMaximumLength: Int = Sentences.firstMaximumLength
    ) -> [String] {
        var pieces: [String] = []
        var piece = ""
        var lastBreak: String.Index?
        var lastComma: String.Index?
        func flush(_ part: some StringProtocol) {
            let words = part.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            // A piece with no letter and no digit would be nothing but a pause.
            if words.contains(where: { $0.isLetter || $0.isNumber }) { pieces.append(words) }
        }
        var previous: Character?
        // Counting a string's characters takes as long as the string.
        var length = 0
        for character in text {
            if character.isWhitespace, let last = previous, ".!?;:\u{2026}\u{3002}".contains(last) {
                flush(piece)
                piece = ""
                length = 0
                (lastBreak, lastComma) = (nil, nil)
            } else {
                piece.append(character)
                length += 1
                if character.isWhitespace {
                    lastBreak = piece.endIndex
                    if let previous, ",\u{3001}".contains(previous), length > leastBeforeComma {
                        lastComma = piece.endIndex
                    }
                }
                if length >= (pieces.isEmpty ? min(firstMaximumLength, maximumLength) : maximumLength) {
                    let cut = lastComma ?? lastBreak ?? piece.endIndex
                    flush(piece[..<cut])
                    piece = String(piece[cut...])
                    length = piece.count
                    (lastBreak, lastComma) = (nil, nil)
                }
            }
            previous = character
        }
        flush(piece)
        return pieces
    }

    /// What Flite can read: ASCII, with the usual typographic marks written out and accents dropped.
    package static func plain(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x20...0x7E: result.unicodeScalars.append(scalar)
            case 0x09, 0x0A, 0x0D, 0xA0: result += " "
            case 0x2018, 0x2019: result += "'"
            case 0x201C, 0x201D: result += "\""
            case 0x2013, 0x2014: result += ", "
            case 0x2026: result += "..."
            case 0x20AC: result += " euros "
            case 0xA3: result += " pounds "
            case 0xB0: result += " degrees "
            default: result += base(of: scalar)
            }
        }
        return result
    }

    /// The ASCII letter below an accent, or nothing.
    private static func base(of scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\u{E4}": "ae"
        case "\u{F6}", "\u{F8}": "oe"
        case "\u{FC}": "ue"
        case "\u{DF}": "ss"
        case "\u{C0}"..."\u{C6}": "A"
        case "\u{C8}"..."\u{CB}": "E"
        case "\u{CC}"..."\u{CF}": "I"
        case "\u{D1}": "N"
        case "\u{D2}"..."\u{D8}": "O"
        case "\u{D9}"..."\u{DC}": "U"
        case "\u{C7}": "C"
        case "\u{E0}"..."\u{E6}": "a"
        case "\u{E7}": "c"
        case "\u{E8}"..."\u{EB}": "e"
        case "\u{EC}"..."\u{EF}": "i"
        case "\u{F1}": "n"
        case "\u{F2}"..."\u{F5}": "o"
        case "\u{F9}"..."\u{FB}": "u"
        default: ""
        }
    }
}
