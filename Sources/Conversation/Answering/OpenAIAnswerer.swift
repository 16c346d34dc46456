internal import Core
package import Networking

/// A language model behind an OpenAI-compatible `/chat/completions`: Ollama, vLLM, llama.cpp, or a hosted one.
package struct OpenAIAnswerer: Answerer {
    /// Bytes of an answer's events; one token takes about 300.
    private static let maximumAnswerBytes = 16 << 20
    /// Bytes of text. Far more than a conversation takes of an answer, so that it is the conversation that cuts a long one,
    /// however the bytes arrive.
    private static let maximumTextBytes = 1 << 20

    private let endpoint: ServiceEndpoint
    private let systemPrompt: String?
    private let temperature: Double?
    private let maximumTokens: Int?
    private let client: HTTPClient

    /// - Parameter systemPrompt: put before a history that does not begin with a system message.
    package init(
        access: ServiceAccess, systemPrompt: String? = nil, temperature: Double? = nil, maximumTokens: Int? = nil,
        client: HTTPClient = .shared
    ) {
        endpoint = ServiceEndpoint(
            access: access, part: "answering", path: "/chat/completions", maximumAnswerBytes: Self.maximumAnswerBytes)
        self.systemPrompt = systemPrompt
        self.temperature = temperature
        self.maximumTokens = maximumTokens
        self.client = client
    }

    package var name: String { endpoint.access.name }

    package func answer(_ history: [DialogueMessage]) -> AsyncThrowingStream<String, any Error> {
        let (stream, continuation) = AsyncThrowingStream<String, any Error>.makeStream()
        let task = Task {
            do throws(BackendError) {
                try await speak(history) { continuation.yield($0) }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func speak(_ history: [DialogueMessage], _ say: (String) -> Void) async throws(BackendError) {
        var messages = history
        if let systemPrompt, !systemPrompt.isEmpty, history.first?.role != .system {
            messages.insert(DialogueMessage(role: .system, content: systemPrompt), at: 0)
        }
        let body = OpenAIChat.request(
            model: endpoint.access.model, messages, temperature: temperature, maximumTokens: maximumTokens)
        let request = endpoint.request(
            Array(body.text.utf8), contentType: "application/json", accept: "text/event-stream, application/json")
        let answer = try await ServiceAnswer.begin(request, at: endpoint, by: client)
        var reader = ChatAnswerReader(mediaType: answer.headers.mediaType, maximumTextBytes: Self.maximumTextBytes)
        while !reader.isOver, let bytes = try await answer.next() {
            let text = try endpoint.reading { () throws(ServiceAnswerFault) in try reader.append(bytes) }
            if !text.isEmpty { say(text) }
        }
        let rest = try endpoint.reading { () throws(ServiceAnswerFault) in try reader.finish() }
        if !rest.isEmpty { say(rest) }
    }
}

/// Reads a chat model's answer, streamed or whole, and says what is to be spoken; does no I/O.
struct ChatAnswerReader: Sendable {
    private enum Form {
        case events, whole, neither(String)
    }

    private let form: Form
    private let maximumTextBytes: Int
    private var events = ServerSentEventParser()
    private var whole: [UInt8] = []
    private var filter = ReasoningFilter()
    private var textBytes = 0
    private var hasSpoken = false
    /// The model is done; what follows is of no interest.
    private(set) var isOver = false

    init(mediaType: String?, maximumTextBytes: Int) {
        self.maximumTextBytes = maximumTextBytes
        form =
            switch mediaType {
            case "text/event-stream", nil: .events
            case "application/json": .whole
            case .some(let other): .neither(other)
            }
    }

    /// The text that the next bytes of the answer bring.
    mutating func append(_ bytes: [UInt8]) throws(ServiceAnswerFault) -> String {
        switch form {
        case .neither(let type):
            throw .malformed(
                "the answer is \(ServiceExcerpt.clean(Array(type.utf8))), no event stream: \(ServiceExcerpt.clean(bytes))"
            )
        case .whole:
            guard whole.count + bytes.count <= 1 << 20 else { throw .malformed("the answer is larger than a megabyte") }
            whole += bytes
            return ""
        case .events:
            var text = ""
            for event in try cut(bytes) where !isOver {
                if event.name == "error" {
                    throw .refused(ServiceExcerpt.errorMessage(event.data) ?? ServiceExcerpt.clean(event.data))
                }
                let chunk = try OpenAIChat.chunk(event.data)
                text += try take(chunk.text)
                isOver = chunk.isLast
            }
            return text
        }
    }

    private mutating func cut(_ bytes: [UInt8]) throws(ServiceAnswerFault) -> [ServerSentEventParser.Event] {
        do throws(ServerSentEventParser.Fault) {
            return try events.append(bytes)
        } catch {
            throw .malformed("an event of the answer is longer than \(ServerSentEventParser.maximumBytes) bytes")
        }
    }

    /// The rest of the text, once the answer has ended.
    mutating func finish() throws(ServiceAnswerFault) -> String {
        var text = ""
        switch form {
        case .neither(let type): throw .malformed("the answer is \(ServiceExcerpt.clean(Array(type.utf8))) and empty")
        case .whole: text = try take(OpenAIChat.completion(whole))
        case .events:
            guard isOver else { throw .malformed("the answer ended in its middle") }
        }
        let rest = filter.finish()
        text += rest
        hasSpoken = hasSpoken || !rest.allSatisfy(\.isWhitespace)
        guard hasSpoken else { throw .malformed("the answer holds no text") }
        return text
    }

    private mutating func take(_ piece: String) throws(ServiceAnswerFault) -> String {
        textBytes += piece.utf8.count
        guard textBytes <= maximumTextBytes else {
            throw .malformed("the answer is longer than \(maximumTextBytes) bytes")
        }
        let text = filter.append(piece)
        hasSpoken = hasSpoken || !text.allSatisfy(\.isWhitespace)
        return text
    }
}
