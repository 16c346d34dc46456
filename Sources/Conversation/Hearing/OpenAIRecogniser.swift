internal import Core
package import Networking
internal import Synchronization

/// Speech recognition behind an OpenAI-compatible `/audio/transcriptions`; a turn is sent once it has ended.
package struct OpenAIRecogniser: Recogniser {
    private static let maximumAnswerBytes = 1 << 20

    private let endpoint: ServiceEndpoint
    private let language: String?
    private let client: HTTPClient

    /// - Parameter language: ISO 639-1, `en`; nil: the service finds out.
    package init(access: ServiceAccess, language: String? = nil, client: HTTPClient = .shared) {
        endpoint = ServiceEndpoint(
            access: access, part: "hearing", path: "/audio/transcriptions", maximumAnswerBytes: Self.maximumAnswerBytes)
        self.language = language
        self.client = client
    }

    package var name: String { endpoint.access.name }

    package func begin() -> any RecognitionSession {
        OpenAIRecognitionSession { samples throws(BackendError) in try await transcribe(samples) }
    }

    private func transcribe(_ samples: [Int16]) async throws(BackendError) -> String {
        let boundary = "turn-" + RandomSource.system.token(bits: 128)
        let body = OpenAITranscription.form(
            samples, model: endpoint.access.model, language: language, boundary: boundary)
        let request = endpoint.request(
            body, contentType: "multipart/form-data; boundary=\(boundary)", accept: "application/json")
        let answer = try await ServiceAnswer.begin(request, at: endpoint, by: client)
        var text: [UInt8] = []
        while let bytes = try await answer.next() { text += bytes }
        return try endpoint.reading { () throws(ServiceAnswerFault) in try OpenAITranscription.text(text) }
    }
}

/// The messages of `/audio/transcriptions`; does no I/O.
/// - SeeAlso: [OpenAI API, Audio](https://platform.openai.com/docs/api-reference/audio/createTranscription)
enum OpenAITranscription {
    static let sampleRateHz = 16_000
    /// Characters that one turn may have.
    static let maximumCharacters = 8_000

    /// A `multipart/form-data` ([RFC 7578](https://www.rfc-editor.org/rfc/rfc7578)) with the sound as a WAV file.
    static func form(_ samples: [Int16], model: String, language: String?, boundary: String) -> [UInt8] {
        var body: [UInt8] = []
        func field(_ disposition: String, _ content: [UInt8]) {
            body += Array("--\(boundary)\r\nContent-Disposition: form-data; \(disposition)\r\n\r\n".utf8)
            body += content + [0x0D, 0x0A]
        }
        field("name=\"model\"", Array(model.utf8))
        field("name=\"response_format\"", Array("json".utf8))
        if let language { field("name=\"language\"", Array(language.utf8)) }
        field(
            "name=\"file\"; filename=\"turn.wav\"\r\nContent-Type: audio/wav",
            WAVHeader.file(samples, sampleRateHz: sampleRateHz))
        return body + Array("--\(boundary)--\r\n".utf8)
    }

    /// The words of an answer, without white space around them; empty where nothing was understood.
    static func text(_ body: [UInt8]) throws(ServiceAnswerFault) -> String {
        guard let value = JSONValue(parsing: body) else {
            throw .malformed("the answer is no JSON: \(ServiceExcerpt.clean(body))")
        }
        guard let text = value["text"]?.stringValue else {
            if let reason = ServiceExcerpt.errorMessage(value) { throw .refused(reason) }
            throw .malformed("the answer has no text: \(ServiceExcerpt.clean(body))")
        }
        let start = text.drop { $0.isWhitespace }.prefix(maximumCharacters)
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }
}

/// Collects one turn and has it transcribed at its end.
final class OpenAIRecognitionSession: RecognitionSession {
    typealias Transcription = @Sendable ([Int16]) async throws(BackendError) -> String

    /// Two minutes at 16 kHz; turns end long before.
    static let maximumSamples = 16_000 * 120

    private struct State {
        var samples: [Int16] = []
        var isTooLong = false
        var isCancelled = false
        var task: Task<Result<String, BackendError>, Never>?
    }
    private let state = Mutex(State())
    private let transcribe: Transcription

    init(_ transcribe: @escaping Transcription) {
        self.transcribe = transcribe
    }

    deinit {
        cancel()
    }

    func append(_ samples: [Int16]) {
        state.withLock { state in
            guard state.samples.count + samples.count <= Self.maximumSamples else {
                state.isTooLong = true
                return
            }
            if !state.isCancelled { state.samples += samples }
        }
    }

    func finish() async throws(BackendError) -> String {
        let task = state.withLock { state -> Task<Result<String, BackendError>, Never> in
            if let task = state.task { return task }
            let (samples, isTooLong, isCancelled) = (state.samples, state.isTooLong, state.isCancelled)
            state.samples = []
            let task = Task { [transcribe] () -> Result<String, BackendError> in
                if isCancelled { return .failure(Self.fault(.cancelled, "called off", "ask again")) }
                if isTooLong {
                    return .failure(
                        Self.fault(.unusableInput, "the turn is longer than two minutes", "say less at once"))
                }
                // Services refuse files that hold next to nothing, and nothing was said anyway.
                if samples.count < OpenAITranscription.sampleRateHz / 10 { return .success("") }
                do throws(BackendError) {
                    return .success(try await transcribe(samples))
                } catch {
                    return .failure(error)
                }
            }
            state.task = task
            return task
        }
        return try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }.get()
    }

    func cancel() {
        state.withLock { state in
            state.isCancelled = true
            state.samples = []
            state.task?.cancel()
        }
    }

    private static func fault(_ code: BackendError.Code, _ reason: String, _ remedy: String) -> BackendError {
        BackendError(code: code, part: "hearing", reason: reason, remedy: remedy)
    }
}
