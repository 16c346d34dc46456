/// The dialogue so far, as a model is given it: bounded, and with the avatar's words as they were heard.
package struct DialogueHistory: Sendable {
    private struct Entry: Sendable {
        let serial: Int
        var message: DialogueMessage
    }
    private let maximumMessages: Int
    private let maximumCharacters: Int
    private var entries: [Entry] = []
    private var lastSerial = 0

    package init(maximumMessages: Int, maximumCharacters: Int) {
        self.maximumMessages = max(1, maximumMessages)
        self.maximumCharacters = max(1, maximumCharacters)
    }

    package var messages: [DialogueMessage] { entries.map(\.message) }

    /// A person's words. Two messages of the person in a row become one: many models insist that the roles alternate.
    package mutating func append(question: String) {
        if let last = entries.last, last.message.role == .user {
            entries[entries.count - 1].message.content = last.message.content + "\n" + question
        } else {
            add(DialogueMessage(role: .user, content: question))
        }
        trim()
    }

    /// The avatar's words. The number names them for ``replace(answer:with:)``.
    package mutating func append(answer: String) -> Int {
        add(DialogueMessage(role: .assistant, content: answer))
        trim()
        return lastSerial
    }

    /// Corrects an answer to what was heard of it; an answer of which nothing was heard was never given.
    package mutating func replace(answer serial: Int, with text: String) {
        guard let index = entries.firstIndex(where: { $0.serial == serial }) else { return }
        if !text.isEmpty {
            entries[index].message.content = text
            return
        }
        entries.remove(at: index)
        guard index > 0, index < entries.count, entries[index - 1].message.role == .user,
            entries[index].message.role == .user
        else { return }
        entries[index - 1].message.content += "\n" + entries[index].message.content
        entries.remove(at: index)
    }

    private mutating func add(_ message: DialogueMessage) {
        lastSerial += 1
        entries.append(Entry(serial: lastSerial, message: message))
    }

    /// Lets the oldest go; what is left begins with a question. The newest message stays, cut at its front if need be.
    private mutating func trim() {
        var characters = entries.reduce(0) { $0 + $1.message.content.count }
        while entries.count > 1,
            entries.count > maximumMessages || characters > maximumCharacters || entries[0].message.role != .user
        {
            characters -= entries.removeFirst().message.content.count
        }
        if let only = entries.first, entries.count == 1, only.message.content.count > maximumCharacters {
            entries[0].message.content = String(only.message.content.suffix(maximumCharacters))
        }
    }
}
