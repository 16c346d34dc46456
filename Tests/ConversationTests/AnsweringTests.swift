import Testing

@testable import Conversation

@Suite("A scripted dialogue")
struct ScriptedDialogueTests {
    private let entries: [ScriptedDialogue.Entry] = [
        .init(any: ["name", "who are you"], answer: "I am Ada."),
        .init(any: ["your last name"], answer: "I have no last name."),
        .init(any: ["hello"], answer: "Hello there."), .init(any: ["world"], answer: "Round."),
        .init(any: ["what's up"], answer: "The sky."),
    ]

    private func answer(_ question: String, after answers: Int = 0) async throws -> [String] {
        let script = try ScriptedDialogue(entries: entries, fallbacks: ["No idea.", "None at all."])
        var history: [DialogueMessage] = []
        for number in 0..<answers {
            history.append(DialogueMessage(role: .user, content: "hello \(number)"))
            history.append(DialogueMessage(role: .assistant, content: "x"))
        }
        history.append(DialogueMessage(role: .user, content: question))
        var pieces: [String] = []
        for try await piece in script.answer(history) { pieces.append(piece) }
        return pieces
    }

    @Test(
        "finds the longest phrase that stands in the question, word by word",
        arguments: [
            ("WHO are you?!", "I am Ada."), ("Tell me your name", "I am Ada."),
            ("And your last name is?", "I have no last name."), ("tell me your surname", "No idea."),
            ("hello world", "Hello there."), ("Whats up", "The sky."), ("What\u{2019}s up?", "The sky."),
            ("", "No idea."), ("\u{0}\u{1F600}", "No idea."),
        ])
    func matching(example: (String, String)) async throws {
        #expect(try await answer(example.0).joined() == example.1)
    }

    @Test("writes word by word")
    func streams() async throws {
        #expect(try await answer("your last name") == ["I", " have", " no", " last", " name."])
    }

    @Test("gives its fallbacks in turn, by the dialogue it is shown")
    func fallbacks() async throws {
        for (answers, text) in [(0, "No idea."), (1, "None at all."), (2, "No idea.")] {
            #expect(try await answer("gibberish", after: answers).joined() == text)
        }
    }

    @Test("refuses a script that cannot work, and says which part of it")
    func refusals() {
        func refused(_ entries: [ScriptedDialogue.Entry], _ fallbacks: [String] = ["No."]) -> String? {
            do throws(BackendError) {
                _ = try ScriptedDialogue(entries: entries, fallbacks: fallbacks)
                return nil
            } catch {
                return error.part == "answering" && error.code == .unavailable ? error.reason : "wrong code"
            }
        }
        #expect(refused([]) == nil)
        #expect(refused([], [])?.contains("fallbacks") == true)
        #expect(refused([.init(any: [], answer: "Yes.")])?.contains("entry 1") == true)
        #expect(
            refused([.init(any: ["a"], answer: "Yes."), .init(any: ["?!"], answer: "No.")])?.contains("entry 2") == true
        )
        #expect(refused([.init(any: ["a"], answer: " ")])?.contains("answer") == true)
        #expect(refused([.init(any: ["a"], answer: String(repeating: "a", count: 2_001))])?.contains("answer") == true)
        #expect(refused(Array(repeating: .init(any: ["a"], answer: "Yes."), count: 1_001))?.contains("1001") == true)
        #expect(
            refused([.init(any: [String(repeating: "a", count: 201)], answer: "Yes.")])?.contains("entry 1") == true)
    }
}

@Suite("A dialogue's history")
struct DialogueHistoryTests {
    private func words(_ history: DialogueHistory) -> [String] {
        history.messages.map { "\($0.role == .user ? "u" : "a") \($0.content)" }
    }

    @Test("lets the oldest messages go, and begins with a question")
    func messages() {
        var history = DialogueHistory(maximumMessages: 4, maximumCharacters: 1_000)
        for number in 0..<5 {
            history.append(question: "q\(number)")
            _ = history.append(answer: "r\(number)")
        }
        #expect(words(history) == ["u q3", "a r3", "u q4", "a r4"])
        history.append(question: "q5")
        #expect(words(history) == ["u q4", "a r4", "u q5"])
    }

    @Test("keeps within its characters, and always the newest message")
    func characters() {
        var history = DialogueHistory(maximumMessages: 40, maximumCharacters: 10)
        history.append(question: "12345")
        _ = history.append(answer: "12345")
        history.append(question: "678")
        #expect(words(history) == ["u 678"])
        var long = DialogueHistory(maximumMessages: 40, maximumCharacters: 10)
        long.append(question: String(repeating: "a", count: 100) + "end")
        #expect(long.messages.map(\.content.count) == [10])
        #expect(long.messages.first?.content.hasSuffix("end") == true)
    }

    @Test("joins questions in a row, also where the answer between them was never heard")
    func joins() {
        var history = DialogueHistory(maximumMessages: 40, maximumCharacters: 1_000)
        history.append(question: "a")
        history.append(question: "b")
        #expect(words(history) == ["u a\nb"])
        let answer = history.append(answer: "c")
        history.append(question: "d")
        history.replace(answer: answer, with: "")
        #expect(words(history) == ["u a\nb\nd"])
        history.replace(answer: answer, with: "late")
        #expect(words(history) == ["u a\nb\nd"])
    }
}
