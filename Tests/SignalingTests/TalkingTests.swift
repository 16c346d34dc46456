import Conversation
import Core
import MediaLoop
import MediaPipeline
import Synchronization
import Testing

@testable import Signaling

@Suite("Talking over a signaling connection")
struct TalkingTests {
    private var offerMessage: JSONValue {
        ["type": "webrtc_offer", "sdp": .string(offer()), "user_id": "u"]
    }

    private func question(_ text: String, _ fields: JSONValue = [:]) -> JSONValue {
        guard case .object(let more) = fields else { return fields }
        let members: [String: JSONValue] = [
            "type": "text_webrtc", "content": .string(text), "avatar_id": "a", "user_id": "u", "tutor_id": 1,
        ]
        return .object(members.merging(more) { _, new in new })
    }

    @Test("text_webrtc is a question; with verbatim it is said as it is")
    func questions() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(offerMessage)
        #expect(await client.say(question("who are you?")).isEmpty)
        #expect(bench.media.calls.last == "ask user:7: who are you?")
        let reply = await client.say(question("hello", ["verbatim": true]))
        #expect(bench.media.calls.last == "say user:7: hello")
        #expect(
            reply == [
                .textComplete(content: "hello", role: "assistant"),
                .processingStatus(status: "generating_audio_video", message: "Generating audio and video"),
            ])
    }

    @Test("What happens in the conversation reaches the connection in its order")
    func events() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(offerMessage)
        let before = client.messages.count
        for event: ConversationEvent in [
            .userSpeaking(true), .activityChanged(.listening), .transcription("who"), .textStream("I "),
            .textComplete("I am"),
            .failed(BackendError(code: .timedOut, part: "voice", reason: "slow", remedy: "wait")),
        ] {
            bench.media.emit(event, on: StageID("user:7"))
        }
        let messages = await client.messages(count: before + 5)
        #expect(
            messages.dropFirst(before) == [
                .activity(.listening), .transcription(content: "who"), .textStream(token: "I "),
                .textComplete(content: "I am", role: "assistant"), .error(content: "voice: slow (wait)"),
            ])
    }

    @Test("Without a viewer a text is answered in writing alone, and so is a recording")
    func silently() async throws {
        let bench = Bench()
        let session = try await bench.session()
        let client = await bench.connect(.session(session.id))
        let stage = "session:\(session.id)"
        #expect(await client.say(["type": "text", "content": "hi", "avatar_id": "anna"]).isEmpty)
        #expect(bench.media.calls.suffix(2) == ["open \(stage)", "ask \(stage) in silence: hi"])
        #expect(bench.media.state.withLock { $0.avatars[StageID(stage)] } == "anna")
        bench.media.emit(.textComplete("hello"), on: StageID(stage))
        #expect(await client.messages(count: 1) == [.textComplete(content: "hello", role: "assistant")])
        #expect(await client.say(["type": "audio", "data": "AAEC"]).isEmpty)
        #expect(bench.media.calls.last == "ask \(stage) in silence by a recording: 3")
        await client.say(offerMessage)
        await client.say(["type": "text", "content": "hi"])
        #expect(bench.media.calls.last == "ask \(stage): hi")
        await client.say(["type": "audio", "data": "AAEC"])
        #expect(bench.media.calls.last == "ask \(stage) by a recording: 3")
    }

    @Test("A refusal is told with its reason and remedy, and the connection stays")
    func refused() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(offerMessage)
        bench.media.state.withLock {
            $0.speechFailure = StageFailure(.busy, reason: "much waits", remedy: "interrupt")
        }
        let expected = [ServerMessage.error(content: "The avatar cannot speak: much waits (interrupt)")]
        #expect(await client.say(question("a")) == expected)
        #expect(await client.say(question("a", ["verbatim": true])) == expected)
        #expect(await client.say(["type": "audio", "data": "AAEC", "tutor_id": 1]) == expected)
        #expect(client.closeCode == nil)
        bench.media.state.withLock { $0.speechFailure = nil }
        #expect(await client.say(question("a")).isEmpty)
    }

    @Test("What is said verbatim is told to both windows of a session, and to no other session")
    func windows() async throws {
        let bench = Bench()
        let (one, two) = (try await bench.session(), try await bench.session())
        let first = await bench.connect(.session(one.id))
        let second = await bench.connect(.session(one.id))
        let stranger = await bench.connect(.session(two.id))
        await first.say(offerMessage)
        await stranger.say(offerMessage)
        await first.say(question("hello", ["verbatim": true]))
        #expect(second.messages.first == .textComplete(content: "hello", role: "assistant"))
        #expect(stranger.messages.count == 2)
    }

    @Test("An interruption where nothing is open does nothing")
    func interruption() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        #expect(await client.say(["type": "interrupt"]).isEmpty)
        #expect(bench.media.calls.isEmpty)
        await client.say(offerMessage)
        #expect(await client.say(["type": "interrupt"]).isEmpty)
        #expect(bench.media.calls.last == "interrupt user:7")
    }

    @Test("A stage that was opened anew is listened to anew")
    func reopened() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(["type": "text", "content": "hi", "avatar_id": "anna", "tutor_id": 1])
        await client.say(["type": "text", "content": "hi", "avatar_id": "ben", "tutor_id": 1])
        #expect(bench.media.calls.filter { $0.hasPrefix("open") }.count == 2)
        bench.media.emit(.textComplete("I am Ben"), on: StageID("user:7"))
        #expect(await client.messages(count: 1) == [.textComplete(content: "I am Ben", role: "assistant")])
    }
}
