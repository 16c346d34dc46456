/// Cuts an answer that is still being written into what the voice says in one go.
///
/// The first piece is short, so that sound starts early; later ones are whole sentences, as a voice's melody wants it.
/// Abbreviations, initials, decimals and numbered lists are not cut; fenced code is left out.
package struct SentenceStream: Sendable {
    /// One piece, as it was written and as it is said.
    package struct Sentence: Equatable, Sendable {
        package let written: String
        package let spoken: String

        package init(written: String, spoken: String) {
            self.written = written
            self.spoken = spoken
        }
    }
    /// Characters after which the first piece may end at a comma.
    package static let firstClauseLength = 24
    /// Characters after which the first piece ends at a blank.
    package static let firstMaximumLength = 80
    package static let maximumLength = 240

    private var buffer: [Character] = []
    /// Up to where ``buffer`` holds no end of a sentence.
    private var searched = 0
    private var isInCode = false
    private var hasCut = false

    package init() {}

    /// The pieces that are whole by now.
    package mutating func append(_ text: String) -> [Sentence] {
        buffer.append(contentsOf: text)
        // A letter may have been joined by a combining mark of the next piece; the characters before stay as they are.
        var sentences: [Sentence] = []
        while let end = nextCut() { take(end, into: &sentences) }
        return sentences
    }

    /// Nothing more is written: what is left.
    package mutating func finish() -> [Sentence] {
        var sentences = append("\n")
        take(buffer.count, into: &sentences)
        return sentences
    }

    private mutating func take(_ end: Int, into sentences: inout [Sentence]) {
        let written = String(buffer[..<end])
        buffer.removeFirst(end)
        searched = 0
        let trimmed = written.drop(while: \.isWhitespace)
        if trimmed.hasPrefix("```") || trimmed.hasPrefix("~~~") {
            isInCode.toggle()
            return
        }
        guard !isInCode, let spoken = SpeakableText.spoken(written) else { return }
        hasCut = true
        sentences.append(Sentence(written: written, spoken: spoken))
    }

    /// The number of characters of the next piece, if it is known.
    private mutating func nextCut() -> Int? {
        while searched < buffer.count {
            let index = searched
            let character = buffer[index]
            if character.isNewline { return index + 1 }
            // A line of code ends with the line only, and so does the line that begins or ends it.
            if !isInCode, !isFenceLine {
                if Self.enders.contains(character) {
                    guard let decision = decide(enderAt: index) else { return nil }
                    if decision > 0 { return decision }
                } else if !hasCut, index >= Self.firstClauseLength, Self.clauseEnders.contains(character) {
                    guard index + 1 < buffer.count else { return nil }
                    if buffer[index + 1].isWhitespace { return index + 1 }
                }
            }
            searched += 1
            let limit = hasCut ? Self.maximumLength : Self.firstMaximumLength
            if searched >= limit, !isFenceLine { return lengthCut() }
        }
        return nil
    }

    private var isFenceLine: Bool {
        guard let first = buffer.firstIndex(where: { !$0.isWhitespace }) else { return false }
        let mark = buffer[first]
        return (mark == "`" || mark == "~") && buffer[first...].prefix(3).allSatisfy { $0 == mark }
    }

    /// No sentence ends within the limit: cut behind the last comma, else at the last blank, else right there.
    private func lengthCut() -> Int {
        let text = buffer[..<searched]
        if hasCut, let comma = text.lastIndex(where: { Self.clauseEnders.contains($0) }), comma > searched / 2,
            comma + 1 < buffer.count, buffer[comma + 1].isWhitespace
        {
            return comma + 1
        }
        guard let blank = text.lastIndex(where: \.isWhitespace), blank > 0 else { return searched }
        return blank
    }

    /// Nil: the next characters decide. 0: no end. Else where the piece ends.
    private func decide(enderAt index: Int) -> Int? {
        var end = index + 1
        while end < buffer.count, Self.enders.contains(buffer[end]) || Self.closers.contains(buffer[end]) { end += 1 }
        if Self.wideEnders.contains(buffer[end - 1]) { return end }
        guard end < buffer.count else { return nil }
        guard buffer[end].isWhitespace else { return 0 }
        guard buffer[index] == ".", end == index + 1 else { return end }
        let word = String(buffer[..<index].reversed().prefix { !$0.isWhitespace && $0 != "(" }.reversed())
        if word.isEmpty { return 0 }
        // "1. First" numbers a line; a number elsewhere may end a sentence.
        if word.allSatisfy(\.isNumber), buffer[..<(index - word.count)].allSatisfy(\.isWhitespace) { return 0 }
        let lowered = word.lowercased()
        if Self.titles.contains(lowered) { return 0 }
        let isInitial = word.count == 1 && word != "I" && word.allSatisfy(\.isUppercase)
        let isAbbreviation = Self.abbreviations.contains(lowered) || word.contains(".")
        guard isInitial || isAbbreviation || lowered == "no" else { return end }
        // These end a sentence only where a new one visibly begins.
        guard let next = buffer[end...].first(where: { !$0.isWhitespace }) else { return nil }
        if isInitial { return 0 }
        if lowered == "no" { return next.isNumber ? 0 : end }
        return next.isUppercase ? end : 0
    }

    private static let enders: Set<Character> = [".", "!", "?", "\u{2026}", "\u{3002}", "\u{FF01}", "\u{FF1F}"]
    /// Scripts that put no blank between sentences.
    private static let wideEnders: Set<Character> = ["\u{3002}", "\u{FF01}", "\u{FF1F}"]
    private static let closers: Set<Character> = ["\"", "'", ")", "]", "*", "_", "\u{2019}", "\u{201D}", "\u{BB}"]
    private static let clauseEnders: Set<Character> = [",", ";", ":", "\u{2013}", "\u{2014}", "\u{FF0C}", "\u{3001}"]
    /// Never the last word of a sentence.
    private static let titles: Set<String> = [
        "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "rev", "gen", "col", "capt", "lt", "sgt", "hon", "mt", "vs",
        "fig", "figs", "eq", "cf", "e.g", "i.e", "eg", "ie", "approx", "ca", "viz", "nos", "vol", "pp",
    ]
    private static let abbreviations: Set<String> = [
        "etc", "inc", "ltd", "co", "corp", "dept", "est", "al", "min", "max", "sec", "hr", "hrs", "jan", "feb", "mar",
        "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "a.m", "p.m",
    ]
}
