/// Answers from a script: a demonstration that needs no language model.
///
/// An entry fits where one of its phrases stands in the question, word by word; the longest phrase that fits decides,
/// the first entry among equals. Where none fits, the fallbacks are given in turn.
package struct ScriptedDialogue: Answerer {
    package struct Entry: Equatable, Sendable {
        /// Words or phrases, in any case and with any punctuation.
        package var any: [String]
        package var answer: String

        package init(any: [String], answer: String) {
            self.any = any
            self.answer = answer
        }
    }
    package static let maximumEntries = 1_000
    package static let maximumPhrases = 100
    package static let maximumPhraseCharacters = 200
    package static let maximumAnswerCharacters = 2_000

    package var name: String { "scripted dialogue, not a language model" }
    private let phrases: [(words: [Substring], entry: Int)]
    private let entries: [Entry]
    private let fallbacks: [String]

    /// Throws where the script has nothing to fall back on, an entry without words, or more than the limits.
    package init(entries: [Entry], fallbacks: [String]) throws(BackendError) {
        guard !fallbacks.isEmpty, fallbacks.count <= Self.maximumEntries else {
            throw Self.error("the dialogue has \(fallbacks.count) fallbacks", "write 1 to \(Self.maximumEntries)")
        }
        guard entries.count <= Self.maximumEntries else {
            throw Self.error("the dialogue has \(entries.count) entries", "write at most \(Self.maximumEntries)")
        }
        for answer in entries.map(\.answer) + fallbacks {
            guard SpeakableText.spoken(answer) != nil, answer.count <= Self.maximumAnswerCharacters else {
                throw Self.error(
                    "an answer of the dialogue is empty or too long: \(answer.prefix(40))",
                    "write 1 to \(Self.maximumAnswerCharacters) characters")
            }
        }
        var phrases: [(words: [Substring], entry: Int)] = []
        for (index, entry) in entries.enumerated() {
            guard !entry.any.isEmpty, entry.any.count <= Self.maximumPhrases else {
                throw Self.error(
                    "entry \(index + 1) of the dialogue has \(entry.any.count) phrases",
                    "write 1 to \(Self.maximumPhrases)")
            }
            for phrase in entry.any {
                let words = Self.words(phrase)
                guard !words.isEmpty, phrase.count <= Self.maximumPhraseCharacters else {
                    throw Self.error(
                        "entry \(index + 1) of the dialogue has a phrase without words, or too long a one",
                        "write words, \(Self.maximumPhraseCharacters) characters at most")
                }
                phrases.append((words, index))
            }
        }
        self.phrases = phrases
        self.entries = entries
        self.fallbacks = fallbacks
    }

    package func answer(_ history: [DialogueMessage]) -> AsyncThrowingStream<String, any Error> {
        let text = reply(to: history)
        return AsyncThrowingStream { continuation in
            // Word by word, as a model writes; the blank comes before the word.
            var isFirst = true
            for word in text.split(separator: " ") {
                continuation.yield(isFirst ? String(word) : " \(word)")
                isFirst = false
            }
            continuation.finish()
        }
    }

    private func reply(to history: [DialogueMessage]) -> String {
        let question = Self.words(history.last { $0.role == .user }?.content ?? "")
        let best = phrases.filter { Self.contains(question, $0.words) }
            .max { left, right in
                let (a, b) = (Self.weight(left.words), Self.weight(right.words))
                // `max` takes the last of equals; the first entry of the file shall win.
                return a == b ? left.entry > right.entry : a < b
            }
        if let best { return entries[best.entry].answer }
        let answers = history.count { $0.role == .assistant }
        return fallbacks[answers % fallbacks.count]
    }

    private static func weight(_ words: [Substring]) -> Int { words.reduce(words.count * 100) { $0 + $1.count } }

    private static func contains(_ text: [Substring], _ phrase: [Substring]) -> Bool {
        guard phrase.count <= text.count else { return false }
        return (0...(text.count - phrase.count)).contains { text[$0...].starts(with: phrase) }
    }

    /// Lower-case words; an apostrophe joins, any other mark parts.
    static func words(_ text: String) -> [Substring] {
        let joined = text.lowercased().filter { $0 != "'" && $0 != "\u{2019}" }
        return joined.split { !$0.isLetter && !$0.isNumber }
    }

    private static func error(_ reason: String, _ remedy: String) -> BackendError {
        BackendError(code: .unavailable, part: "answering", reason: reason, remedy: remedy)
    }
}
