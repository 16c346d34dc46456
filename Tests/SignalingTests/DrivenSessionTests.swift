import Conversation
import Core
import MediaLoop
import MediaPipeline
import Synchronization
import Testing
import WebServer

@testable import Signaling

@Suite("A session that another server drives")
struct DrivenSessionTests {
    private func json(_ text: String) -> JSONValue { JSONValue(parsing: Array(text.utf8)) ?? .null }

    private func token(_ session: Session) -> HTTPHeaders { ["Authorization": "Bearer \(session.token)"] }

    /// A session with somebody who watches.
    private func watched(_ bench: Bench) async throws -> (Session, Client) {
        let session = try await bench.session()
        let client = await bench.connect(.session(session.id))
        await client.say(["type": "webrtc_offer", "sdp": .string(offer()), "user_id": "u"])
        return (session, client)
    }

    @Test("A text, markup and a recording are said, under both prefixes, and told to who watches")
    func speak() async throws {
        let bench = Bench()
        let (session, client) = try await watched(bench)
        let stage = "session:\(session.id)"
        let said = await bench.respond(
            .post, "/v1/sessions/\(session.id)/speak", body: #"{"text":"Hello."}"#, headers: token(session))
        #expect(said.status == 202)
        #expect(said.text == #"{"utterance_id":"u1"}"#)
        #expect(bench.media.calls.last == "say \(stage): Hello.")
        #expect(client.messages.contains(.textComplete(content: "Hello.", role: "assistant")))
        let marked = await bench.respond(
            .post, "/mgmt/v1/sessions/\(session.id)/speak",
            body: #"{"ssml":"<speak>Wait <break time='1s'/> for <sub alias='it'>x</sub>.</speak>"}"#,
            headers: token(session))
        #expect(marked.text == #"{"utterance_id":"u2"}"#)
        #expect(bench.media.calls.last == "say \(stage): Wait, for it.")
        let recording = await bench.respond(
            .post, "/v1/sessions/\(session.id)/speak", body: #"{"audio":"AAECAw=="}"#, headers: token(session))
        #expect(recording.status == 202)
        #expect(bench.media.calls.last == "play \(stage): 4")
    }

    @Test("A body that says nothing, or too much, is refused with its reason")
    func refusedBodies() async throws {
        let bench = Bench()
        let (session, _) = try await watched(bench)
        func refusal(_ body: String) async -> String {
            let answer = await bench.respond(
                .post, "/v1/sessions/\(session.id)/speak", body: body, headers: token(session))
            return "\(answer.status) \(json(answer.text)["detail"]?.stringValue ?? "")"
        }
        #expect(await refusal("hello") == "422 The body must be a JSON object")
        #expect(await refusal("{}") == "422 The body must have one of text, ssml and audio")
        #expect(await refusal(#"{"text":"a","ssml":"b"}"#) == "422 The body must have one of text, ssml and audio")
        #expect(await refusal(#"{"text":7}"#) == "422 text must be a text that is not empty")
        #expect(await refusal(#"{"text":" "}"#) == "422 text must be a text that is not empty")
        #expect(await refusal(#"{"ssml":"<speak>never closed"}"#) == "422 ssml ends within an element")
        #expect(await refusal(#"{"audio":"~"}"#) == "422 audio is not base64")
        let long = String(repeating: "x", count: 1 << 20)
        #expect(await refusal(#"{"text":"\#(long)"}"#) == "422 text is longer than 8192 bytes")
        let huge = String(repeating: "A", count: ClientMessageLimits.message)
        #expect(await refusal(#"{"audio":"\#(huge)"}"#).hasPrefix("413"))
        for (kind, status) in [
            (StageFailure.Kind.unusableInput, 422), (.busy, 429), (.unavailable, 503),
        ] {
            bench.media.state.withLock {
                $0.speechFailure = StageFailure(kind, reason: "no", remedy: "do otherwise")
            }
            let answer = await bench.respond(
                .post, "/v1/sessions/\(session.id)/speak", body: #"{"text":"a"}"#, headers: token(session))
            #expect(answer.status == status)
            #expect(answer.text == #"{"detail":"no (do otherwise)"}"#)
            #expect((answer.headers["Retry-After"] != nil) == (status != 422))
        }
    }

    @Test("Without a viewer nothing is said: it would be heard by nobody, or by somebody much later")
    func nobodyWatches() async throws {
        let bench = Bench()
        let session = try await bench.session()
        let answer = await bench.respond(
            .post, "/v1/sessions/\(session.id)/speak", body: #"{"text":"a"}"#, headers: token(session))
        #expect(answer.status == 409)
        #expect(bench.media.calls.isEmpty)
    }

    @Test("An interruption tells what it cut off, and where")
    func interrupt() async throws {
        let bench = Bench()
        let (session, _) = try await watched(bench)
        bench.media.state.withLock {
            $0.interruptions = [Interruption(utterance: UtteranceID("u1"), position: .microseconds(1_234_567))]
        }
        let answer = await bench.respond(.post, "/v1/sessions/\(session.id)/interrupt", headers: token(session))
        #expect(answer.status == 200)
        #expect(answer.text == #"{"interrupted":[{"playback_position_ms":1234,"utterance_id":"u1"}]}"#)
        let idle = try await bench.session()
        let nothing = await bench.respond(.post, "/v1/sessions/\(idle.id)/interrupt", headers: token(idle))
        #expect(nothing.text == #"{"interrupted":[]}"#)
    }

    @Test("The session's own token or the management token is needed, another session's is not enough")
    func tokens() async throws {
        let bench = Bench { $0.managementToken = "secret" }
        let (session, _) = try await watched(bench)
        let other = try await bench.session()
        let path = "/v1/sessions/\(session.id)/interrupt"
        #expect(await bench.respond(.post, path).status == 401)
        #expect(await bench.respond(.post, path, headers: token(other)).status == 401)
        #expect(await bench.respond(.post, path, headers: token(session)).status == 200)
        #expect(await bench.respond(.post, path, headers: ["Authorization": "Bearer secret"]).status == 200)
        #expect(await bench.respond(.post, "/v1/sessions/none/speak", headers: token(session)).status == 404)
        // Where sessions are managed without a token, driving one still needs its own.
        let open = Bench()
        let made = try await open.session()
        #expect(await open.respond(.get, "/v1/sessions/\(made.id)/events").status == 401)
    }

    @Test("Events come as server-sent events with ids, until the stage ends")
    func events() async throws {
        let bench = Bench()
        let (session, _) = try await watched(bench)
        let stage = StageID("session:\(session.id)")
        let answer = await bench.stream(.get, "/v1/sessions/\(session.id)/events", headers: token(session))
        #expect(answer.headers["Content-Type"] == "text/event-stream")
        var body = try #require(answer.stream).makeAsyncIterator()
        #expect(await body.nextText() == ": open\n\n")
        bench.media.emit(.userSpeaking(true), on: stage)
        bench.media.emit(.textStream("a\nb"), on: stage)
        bench.media.emit(
            .speechFinished(UtteranceID("u1"), position: .milliseconds(40), interrupted: true), on: stage)
        let first = try #require(await body.nextText())
        #expect(first.hasPrefix("id: 1\nevent: text_stream\ndata: {"))
        #expect(first.contains(#""token":"a\nb""#))
        #expect(first.hasSuffix("}\n\n"))
        #expect(first.split(separator: "\n").count == 3)
        let second = try #require(await body.nextText())
        #expect(second.hasPrefix("id: 2\nevent: speech_finished\n"))
        #expect(second.contains(#""playback_position_ms":40"#))
        await bench.service.removeSession(session.id)
        #expect(await body.nextText() == nil)
    }

    @Test("A reader that is too slow misses the oldest events, and the ids show it")
    func slowReader() async {
        let taken = Mutex(0)
        let events = AsyncStream<ConversationEvent> {
            let number = taken.withLock { taken in
                taken += 1
                return taken
            }
            return number <= 1000 ? .textStream("\(number)") : nil
        }
        let stream = ServerSentEvents.stream(events) { WallTime(secondsSince1970: 0) }
        while taken.withLock({ $0 <= 1000 }) { await Task.yield() }
        var pieces: [String] = []
        for await piece in stream { pieces.append(String(decoding: piece, as: UTF8.self)) }
        #expect((1...ServerSentEvents.maximumWaiting).contains(pieces.count))
        #expect(pieces.first?.hasPrefix("id: 745\n") == true)
        #expect(pieces.last?.hasPrefix("id: 1000\n") == true)
    }

    @Test("While nothing happens a comment keeps the connection")
    func heartbeat() async {
        let (events, continuation) = AsyncStream<ConversationEvent>.makeStream()
        let stream = ServerSentEvents.stream(events, every: .milliseconds(1)) { WallTime(secondsSince1970: 0) }
        var body = stream.makeAsyncIterator()
        #expect(await body.nextText() == ": open\n\n")
        #expect(await body.nextText() == ": heartbeat\n\n")
        continuation.finish()
    }
}

extension AsyncStream<[UInt8]>.Iterator {
    fileprivate mutating func nextText() async -> String? {
        await next(isolation: nil).map { String(decoding: $0, as: UTF8.self) }
    }
}
