import Core
import MediaPipeline
import Networking
import Synchronization
import Testing
import WebServer

@testable import Conversation

/// The three services against a server of our own; the model's name chooses how it answers.
@Suite(.timeLimit(.minutes(15))) struct OpenAIServiceTests {
    private static let key = "sk-very-secret"

    /// What arrived.
    private final class Asked: Sendable {
        let requests = Mutex<[HTTPRequest]>([])
        var last: HTTPRequest? { requests.withLock { $0.last } }
    }

    private func serve(
        _ path: String, _ asked: Asked = Asked(), _ answer: @escaping Router.Handler
    ) throws -> (server: WebServer, url: String) {
        var router = Router()
        router.add(.post, path, bodyLimit: 16 << 20) { request in
            asked.requests.withLock { $0.append(request) }
            return await answer(request)
        }
        let server = WebServer(
            listeners: [ListenerConfiguration(name: "api", address: SocketAddress(.loopbackV4, 0), router: router)],
            metrics: MetricsRegistry())
        try server.start()
        return (server, "http://127.0.0.1:\(server.port(of: "api") ?? 0)/v1")
    }

    /// Nobody runs into the usual timeout, however long the service must wait for a processor.
    private func access(_ url: String, timeout: Duration = .seconds(100)) -> ServiceAccess {
        ServiceAccess(
            url: url, apiKey: Secret(Self.key), model: "m", timeout: timeout, longestAnswer: .seconds(100))
    }

    private func stream(_ pieces: [String], _ type: String) -> HTTPResponse {
        let (body, continuation) = AsyncStream<[UInt8]>.makeStream()
        for piece in pieces { continuation.yield(Array(piece.utf8)) }
        continuation.finish()
        return HTTPResponse(.ok, headers: ["Content-Type": type], body: .stream(body))
    }

    private func failure(_ url: String, timeout: Duration = .seconds(100)) async -> BackendError? {
        let answerer = OpenAIAnswerer(access: access(url, timeout: timeout))
        do {
            for try await _ in answerer.answer([DialogueMessage(role: .user, content: "?")]) {}
            return nil
        } catch { return error as? BackendError }
    }

    @Test("A model is asked with its prompt, its history and its key, and answers piece by piece")
    func answering() async throws {
        let asked = Asked()
        let (server, url) = try serve("/v1/chat/completions", asked) { _ in
            self.stream(
                ["Par", "is."].map { "data: {\"choices\":[{\"delta\":{\"content\":\"\($0)\"}}]}\n\n" }
                    + ["data: [DONE]\n\n"], "text/event-stream; charset=utf-8")
        }
        let answerer = OpenAIAnswerer(
            access: access(url + "/"), systemPrompt: "Be brief.", temperature: 0.5, maximumTokens: 9)
        var text = ""
        for try await piece in answerer.answer([DialogueMessage(role: .user, content: "Which city?\u{1}\"")]) {
            text += piece
        }
        #expect(text == "Paris.")
        let request = try #require(asked.last)
        #expect(request.bearerToken == Self.key && request.mediaType == "application/json")
        let body = try #require(JSONValue(parsing: request.body))
        #expect(
            body == [
                "model": "m", "stream": true, "temperature": .number(0.5), "max_tokens": 9,
                "messages": [
                    ["role": "system", "content": "Be brief."], ["role": "user", "content": "Which city?\u{1}\""],
                ],
            ])
        await server.stop(grace: .zero)
    }

    @Test("Whatever is wrong with an answer becomes an error of the right kind that does not hold the key")
    func faults() async throws {
        let answers = Mutex<HTTPResponse?>(nil)
        let (server, url) = try serve("/v1/chat/completions") { _ in
            guard let answer = answers.withLock({ $0 }) else {
                return HTTPResponse(.ok, body: .stream(AsyncStream { _ in }))
            }
            return answer
        }
        let message = Array("{\"error\":{\"message\":\"Incorrect key \(Self.key)\\u202e given\"}}".utf8)
        let json = "application/json"
        let cases: [(HTTPResponse?, BackendError.Code)] = [
            (HTTPResponse(.unauthorized, contentType: json, message), .refused),
            (HTTPResponse(.tooManyRequests, headers: ["Retry-After": "60"], contentType: json, message), .refused),
            (HTTPResponse(.internalServerError, contentType: json, message), .refused),
            (HTTPResponse(HTTPStatus(302), headers: ["Location": "http://127.0.0.1:1/"]), .refused),
            (HTTPResponse(.ok, contentType: "text/html", Array("<html>\(Self.key)".utf8)), .malformedAnswer),
            (HTTPResponse(.ok, contentType: json, Array("{\"result\":1}".utf8)), .malformedAnswer),
            (HTTPResponse(.ok, contentType: json, message), .refused),
            (HTTPResponse(.ok, contentType: json, [UInt8](repeating: 0x20, count: 2 << 20)), .malformedAnswer),
            (
                HTTPResponse(.ok, contentType: "text/event-stream", [UInt8](repeating: 0x61, count: 1 << 20)),
                .malformedAnswer
            ),
            (HTTPResponse(.ok, contentType: "text/event-stream", Array("data: {}".utf8)), .malformedAnswer),
            (nil, .timedOut),
        ]
        for (answer, code) in cases {
            answers.withLock { $0 = answer }
            let error = try #require(
                await failure(url, timeout: code == .timedOut ? .milliseconds(400) : .seconds(100)))
            #expect(error.code == code && error.part == "answering", "\(error)")
            #expect(!"\(error)".contains(Self.key) && !error.reason.contains("\u{202e}"), "\(error)")
            #expect(error.reason.count < 400 && !error.remedy.isEmpty)
        }
        await server.stop(grace: .zero)
        let unused = try ListeningSocket(binding: SocketAddress(.loopbackV4, 0)).localAddress.port
        #expect(await failure("http://127.0.0.1:\(unused)/v1")?.code == .unreachable)
        #expect(await failure("gopher://x")?.code == .unavailable)
    }

    @Test("Speech begins with the first sound, while the rest is still being made, and ends when nobody listens")
    func speaking() async throws {
        let asked = Asked()
        let (sound, more) = AsyncStream<[UInt8]>.makeStream()
        let (ended, end) = AsyncStream<Void>.makeStream()
        more.onTermination = { _ in end.yield() }
        let (server, url) = try serve("/v1/audio/speech", asked) { _ in
            HTTPResponse(.ok, headers: ["Content-Type": "audio/pcm"], body: .stream(sound))
        }
        more.yield([UInt8](repeating: 1, count: 4_801 + 200))
        let voice = OpenAIVoice(access: access(url), voice: "alloy")
        for try await part in voice.synthesise("Hello.") {
            #expect(part.samples.count == 4_800 && part.visemes == nil)
            break
        }
        var ends = ended.makeAsyncIterator()
        await ends.next()
        let body = try #require(asked.last.flatMap { JSONValue(parsing: $0.body) })
        #expect(body == ["model": "m", "voice": "alloy", "input": "Hello.", "response_format": "pcm"])
        await server.stop(grace: .zero)
    }

    @Test("A turn arrives as a WAV file in a form, and its words come back")
    func hearing() async throws {
        let asked = Asked()
        let (server, url) = try serve("/v1/audio/transcriptions", asked) { _ in
            HTTPResponse(.ok, contentType: "application/json", Array("{\"text\":\" Hello there.\\n\"}".utf8))
        }
        let recogniser = OpenAIRecogniser(access: access(url), language: "en")
        let session = recogniser.begin()
        for _ in 0..<10 { session.append([Int16](repeating: 3, count: 320)) }
        #expect(try await session.finish() == "Hello there.")
        let request = try #require(asked.last)
        let text = String(decoding: request.body, as: UTF8.self)
        #expect(request.mediaType == "multipart/form-data" && text.contains("name=\"language\"\r\n\r\nen\r\n"))
        #expect(
            text.contains("name=\"model\"\r\n\r\nm\r\n")
                && text.contains("filename=\"turn.wav\"\r\nContent-Type: audio/wav"))
        let start = try #require(text.firstRange(of: "RIFF")).lowerBound
        let file = Array(request.body.dropFirst(text[..<start].utf8.count))
        #expect(WAVHeader.find(in: file) == .found(PCMLayout(sampleRateHz: 16_000, channels: 1), offset: 44))
        #expect(try await recogniser.begin().finish() == "", "nothing was said, so nothing is sent")
        #expect(asked.requests.withLock { $0.count } == 1)
        let cancelled = recogniser.begin()
        cancelled.append([Int16](repeating: 3, count: 3200))
        cancelled.cancel()
        await #expect(throws: BackendError.self) { _ = try await cancelled.finish() }
        let endless = recogniser.begin()
        for _ in 0..<130 { endless.append([Int16](repeating: 0, count: 16_000)) }
        do {
            _ = try await endless.finish()
            Issue.record("two minutes were too many")
        } catch { #expect(error.code == .unusableInput) }
        await server.stop(grace: .zero)
    }
}
