import Conversation
import Core
import MediaLoop
import MediaPipeline
import Synchronization
import Testing

@testable import Signaling

@Suite("A signaling connection")
struct SignalingConnectionTests {
    private func offerMessage(_ user: String = "u", origin: Int = 4711, avatar: String? = nil) -> JSONValue {
        [
            "type": "webrtc_offer", "sdp": .string(offer(origin: origin)), "user_id": .string(user),
            "avatar_id": JSONValue(avatar),
        ]
    }

    private func verbatim(_ text: String) -> JSONValue {
        [
            "type": "text_webrtc", "content": .string(text), "avatar_id": "a", "user_id": "u", "tutor_id": 1,
            "verbatim": true,
        ]
    }

    @Test("An offer is answered first, candidates follow")
    func answerThenCandidates() async throws {
        let bench = Bench()
        let session = try await bench.session()
        let client = await bench.connect(.session(session.id))
        let reply = await client.say(offerMessage())
        guard reply.count == 2, case .answer(let sdp) = reply[0], case .candidate(let line) = reply[1] else {
            Issue.record("\(reply)")
            return
        }
        #expect(sdp.hasPrefix("v=0"))
        #expect(line.candidate.contains("typ relay"))
        #expect(bench.media.calls == ["open session:\(session.id)", "add v1 to session:\(session.id)"])
    }

    @Test("The viewer's states and late candidates reach its connection")
    func events() async throws {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(offerMessage())
        bench.media.emit(.stateChanged(.connecting), to: ViewerID(1))
        bench.media.emit(.stateChanged(.connected), to: ViewerID(1))
        let messages = await client.messages(count: 4)
        #expect(messages.suffix(2) == [.state(.connecting), .state(.connected)])
    }

    @Test("What one session's student says is spoken on that session's stage and told to nobody else")
    func sessionsAreApart() async throws {
        let bench = Bench()
        let (one, two) = (try await bench.session(), try await bench.session())
        let first = await bench.connect(.session(one.id))
        let second = await bench.connect(.session(two.id))
        await first.say(offerMessage())
        await second.say(offerMessage())
        let reply = await first.say(verbatim("good morning"))
        #expect(
            reply == [
                .textComplete(content: "good morning", role: "assistant"),
                .processingStatus(status: "generating_audio_video", message: "Generating audio and video"),
            ])
        #expect(bench.media.calls.last == "say session:\(one.id): good morning")
        bench.media.emit(.speechStarted(UtteranceID("u1")), on: StageID("session:\(one.id)"))
        bench.media.emit(
            .speechFinished(UtteranceID("u1"), position: .seconds(1), interrupted: false),
            on: StageID("session:\(one.id)"))
        let messages = await first.messages(count: 6)
        #expect(
            messages.suffix(2) == [
                .speechStarted(UtteranceID("u1")),
                .speechFinished(UtteranceID("u1"), playbackPosition: .seconds(1), isInterrupted: false),
            ])
        await first.say(["type": "interrupt"])
        #expect(bench.media.calls.last == "interrupt session:\(one.id)")
        #expect(second.messages.count == 2)
    }

    @Test("Speaking without a viewer is an error, and the connection stays")
    func speakingToNobody() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        #expect(await client.say(verbatim("hello")) == [.error(content: ClientMessageError.noPeerConnection.content)])
        #expect(client.closeCode == nil)
        #expect(await client.say(["type": "ping"]) == [.pong])
    }

    @Test("An unknown type or bad JSON gets an error and the connection stays")
    func badMessages() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        #expect(await client.say("{") == [.error(content: "Invalid message format")])
        #expect(await client.say(["type": "dance"]) == [.error(content: "Unsupported message type: dance")])
        #expect(client.closeCode == nil)
    }

    @Test("A further offer of the same peer connection renegotiates, another one replaces")
    func secondOffer() async throws {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(offerMessage(origin: 1))
        await client.say(offerMessage(origin: 1))
        #expect(bench.media.calls.last == "renegotiate v1")
        await client.say(offerMessage(origin: 2))
        #expect(
            bench.media.calls.suffix(2) == ["remove v1: replaced by a new offer", "add v2 to user:7"])
        #expect(bench.media.viewers.keys.map(\.value) == [2])
    }

    @Test("A second window of the same user has a viewer of its own")
    func twoWindows() async {
        let bench = Bench()
        let first = await bench.connect(.user("7"))
        let second = await bench.connect(.user("7"))
        await first.say(offerMessage(origin: 1))
        await second.say(offerMessage(origin: 2))
        #expect(bench.media.viewers.count == 2)
        await second.say(["type": "bye"])
        #expect(bench.media.viewers.keys.map(\.value) == [1])
        #expect(second.closeCode == 1000)
        #expect(first.closeCode == nil)
    }

    @Test("A broken connection's viewer is taken over by the next connection of the same peer connection")
    func takeOver() async {
        let bench = Bench()
        let first = await bench.connect(.user("7"))
        await first.say(offerMessage(origin: 1))
        await first.disconnect()
        let second = await bench.connect(.user("7"))
        let reply = await second.say(offerMessage(origin: 1))
        #expect(bench.media.calls.last == "renegotiate v1")
        #expect(reply.count == 1)
        bench.media.emit(.stateChanged(.connected), to: ViewerID(1))
        #expect(await second.messages(count: 2).last == .state(.connected))
        // Somebody else's offer with the same origin takes over nothing.
        await second.disconnect()
        let other = await bench.connect(.user("8"))
        await other.say(offerMessage(origin: 1))
        #expect(bench.media.calls.last == "add v2 to user:8")
    }

    @Test("A viewer whose connection does not come back is given up, and the user's stage with it")
    func givenUp() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await client.say(offerMessage())
        await client.disconnect()
        bench.clock.advance(by: .seconds(19))
        await bench.service.housekeep()
        #expect(bench.media.viewers.count == 1)
        bench.clock.advance(by: .seconds(1))
        await bench.service.housekeep()
        #expect(bench.media.viewers.isEmpty)
        #expect(bench.media.calls.contains("remove v1: signaling connection closed"))
        await bench.service.stageEnded(.user("7"))
        #expect(bench.media.stages.isEmpty)
    }

    @Test("Candidates go to the user's own viewer; an empty one ends them")
    func candidates() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        let line: JSONValue = [
            "type": "webrtc_ice_candidate", "user_id": "u", "candidate": ["candidate": "candidate:1", "sdpMid": "0"],
        ]
        #expect(await client.say(line) == [.error(content: ClientMessageError.noPeerConnection.content)])
        await client.say(offerMessage())
        #expect(await client.say(line).isEmpty)
        #expect(bench.media.calls.last == "candidate v1: candidate:1")
        await client.say(["type": "webrtc_ice_candidate", "user_id": "u", "candidate": ["candidate": ""]])
        #expect(bench.media.calls.last == "end of candidates v1")
        #expect(
            await client.say(["type": "webrtc_ice_candidate", "user_id": "v", "candidate": ["candidate": "c"]])
                == [.error(content: ClientMessageError.noPeerConnection.content)])
    }

    @Test("The end of a session closes its connections, its viewers and its stage, and nobody else's")
    func sessionEnds() async throws {
        let bench = Bench()
        let (one, two) = (try await bench.session(), try await bench.session())
        let first = await bench.connect(.session(one.id))
        let second = await bench.connect(.session(two.id))
        await first.say(offerMessage())
        await second.say(offerMessage())
        #expect(await bench.service.removeSession(one.id))
        await bench.service.stageEnded(.session(one.id))
        #expect(first.closeCode == 1000)
        #expect(second.closeCode == nil)
        #expect(bench.media.stages.keys.map(\.value) == ["session:\(two.id)"])
        #expect(bench.media.viewers.values.map(\.stage.value) == ["session:\(two.id)"])
    }

    @Test("A session with a viewer does not time out; without one it does")
    func timeout() async throws {
        let bench = Bench()
        let session = try await bench.session()
        let client = await bench.connect(.session(session.id))
        await client.say(offerMessage())
        bench.clock.advance(by: .seconds(600))
        await bench.service.housekeep()
        #expect(await bench.service.session(session.id) != nil)
        await client.say(["type": "bye"])
        bench.clock.advance(by: .seconds(60))
        await bench.service.housekeep()
        #expect(await bench.service.session(session.id) == nil)
    }

    @Test("While draining, new viewers are refused")
    func draining() async {
        let bench = Bench()
        let client = await bench.connect(.user("7"))
        await bench.service.drain()
        #expect(await client.say(offerMessage()) == [.error(content: "The server is shutting down")])
    }

    @Test("The avatar of the message is shown; an unknown one is the built-in")
    func avatars() async throws {
        let bench = Bench()
        let avatar = try AvatarRequest(avatarID: "anna", appliesBlur: false, tutorID: nil)
        let entry = try await bench.service.storeAvatar(avatar, .init(fileName: "a.mp4", content: [1, 2, 3]))
        let known = await bench.connect(.user("7"))
        await known.say(["type": "init", "avatar_id": "anna"])
        await known.say(offerMessage())
        let unknown = await bench.connect(.user("8"))
        await unknown.say(offerMessage(avatar: "nobody"))
        #expect(bench.media.stages[StageID("user:7")] == .video(path: entry.path))
        #expect(bench.media.stages[StageID("user:8")] == .builtIn)
    }

    @Test("A stage that cannot open is told to the viewer, and tried again at the next offer")
    func stageFails() async {
        let bench = Bench()
        bench.media.state.withLock { $0.stageFailure = StageFailure(reason: "no encoder", remedy: "install it") }
        let client = await bench.connect(.user("7"))
        #expect(
            await client.say(offerMessage())
                == [.error(content: "The avatar cannot be shown: no encoder (install it)")])
        bench.media.state.withLock { $0.stageFailure = nil }
        #expect(await client.say(offerMessage()).count == 2)
    }

    @Test("hello tells the version and the session")
    func hello() async throws {
        let bench = Bench()
        let session = try await bench.session()
        let client = await bench.connect(.session(session.id))
        #expect(
            await client.say(["type": "hello", "version": 1]) == [.hello(sessionID: session.id.value)])
    }

    @Test("A connection id needs its own token")
    func tokens() async throws {
        let bench = Bench()
        let (one, two) = (try await bench.session(), try await bench.session())
        let service = bench.service
        #expect(await service.audience(of: one.id.value, token: one.token) == .session(one.id))
        #expect(await service.audience(of: one.id.value, token: two.token) == nil)
        #expect(await service.audience(of: one.id.value, token: nil) == nil)
        #expect(await service.audience(of: "nobody", token: one.token) == nil)
        #expect(await service.audience(of: "user_7", token: nil) == .user("7"))
        #expect(await service.audience(of: "user_", token: nil) == nil)
        let strict = Bench { $0.userToken = "secret" }
        #expect(await strict.service.audience(of: "user_7", token: nil) == nil)
        #expect(await strict.service.audience(of: "user_7", token: "secreT") == nil)
        #expect(await strict.service.audience(of: "user_7", token: "secret") == .user("7"))
    }
}
