internal import Core

/// The messages of `/chat/completions`; does no I/O.
/// - SeeAlso: [OpenAI API, Chat](https://platform.openai.com/docs/api-reference/chat-streaming)
enum OpenAIChat {
    static func request(
        model: String, _ messages: [DialogueMessage], temperature: Double?, maximumTokens: Int?
    ) -> JSONValue {
        var members: [String: JSONValue] = [
            "model": .string(model), "stream": true,
            "messages": .array(
                messages.map { .object(["role": .string($0.role.rawValue), "content": .string($0.content)]) }),
        ]
        if let temperature, temperature.isFinite { members["temperature"] = .number(temperature) }
        if let maximumTokens { members["max_tokens"] = .integer(Int64(maximumTokens)) }
        return .object(members)
    }

    /// What one event of the stream says.
    struct Chunk: Equatable, Sendable {
        var text = ""
        /// The model has said why it stopped, or the stream that it is over.
        var isLast = false
    }

    /// - Parameter data: of one event.
    static func chunk(_ data: [UInt8]) throws(ServiceAnswerFault) -> Chunk {
        if data.elementsEqual("[DONE]".utf8) { return Chunk(isLast: true) }
        let (choice, value) = try choice(data)
        // Usage statistics come as an event without choices.
        guard let choice else { return Chunk() }
        let text = choice["delta"]?["content"]?.stringValue ?? ""
        let finish = choice["finish_reason"]?.stringValue
        if finish == "content_filter" && text.isEmpty {
            throw .refused(ServiceExcerpt.errorMessage(value) ?? "the service's content filter stopped the answer")
        }
        return Chunk(text: text, isLast: finish != nil)
    }

    /// The text of an answer that came whole, from a service that does not stream.
    static func completion(_ body: [UInt8]) throws(ServiceAnswerFault) -> String {
        guard let text = try choice(body).choice?["message"]?["content"]?.stringValue else {
            throw .malformed("the answer holds no message")
        }
        return text
    }

    private static func choice(_ bytes: [UInt8]) throws(ServiceAnswerFault) -> (choice: JSONValue?, value: JSONValue) {
        guard let value = JSONValue(parsing: bytes) else {
            throw .malformed("the answer is no JSON: \(ServiceExcerpt.clean(bytes))")
        }
        if let error = value["error"], !error.isNull {
            throw .refused(ServiceExcerpt.errorMessage(value) ?? "the service reports an error")
        }
        guard case .array(let choices) = value["choices"] else {
            throw .malformed("the answer has no choices: \(ServiceExcerpt.clean(bytes))")
        }
        return (choices.first, value)
    }
}

/// Keeps what a model thinks to itself from being said aloud: a `<think>` … `</think>` at the beginning of its answer.
///
/// Most services put thoughts into a field of their own, which is not read; some leave them in the text.
struct ReasoningFilter: Sendable {
    private enum State {
        case undecided, thinking, answering
    }
    private static let opening = "<think>"
    private static let closing = "</think>"

    private var state = State.undecided
    /// Text on which nothing is decided yet: shorter than a tag while thinking.
    private var held = ""

    /// What of the answer so far may be said.
    mutating func append(_ text: String) -> String {
        guard state != .answering else { return text }
        held += text
        if state == .undecided {
            let start = held.drop { $0.isWhitespace }
            if start.hasPrefix(Self.opening) {
                state = .thinking
            } else if Self.opening.hasPrefix(start) {
                return ""
            } else {
                return answer(held[...])
            }
        }
        if let end = held.firstRange(of: Self.closing) {
            return answer(held[end.upperBound...].drop { $0.isWhitespace })
        }
        held = String(held.suffix(Self.closing.count - 1))
        return ""
    }

    /// What is left to be said at the end of the answer.
    mutating func finish() -> String {
        defer { held = "" }
        return state == .undecided ? held : ""
    }

    private mutating func answer(_ text: Substring) -> String {
        state = .answering
        defer { held = "" }
        return String(text)
    }
}
