import Core
import FoundationEssentials
import Synchronization
import Testing
import WebServer

@testable import Signaling

@Suite("The management API")
struct ManagementAPITests {
    private func json(_ text: String) -> JSONValue { JSONValue(parsing: Array(text.utf8)) ?? .null }

    @Test("A session is made, shown, listed without its token, and deleted, under every alias")
    func sessions() async throws {
        for prefix in ["/v1", "/mgmt/v1"] {
            let bench = Bench()
            let made = await bench.respond(
                .post, "\(prefix)/sessions", body: #"{"tutor_id":3,"student_id":4,"kb_id":null}"#)
            #expect(made.status == 201)
            let id = try #require(json(made.text)["session_id"]?.stringValue)
            let token = try #require(json(made.text)["engine_token"]?.stringValue)
            #expect(json(made.text)["engine_url"] == .string("ws://203.0.113.9:9001/ws/\(id)"))
            #expect(json(made.text)["status"] == "active")
            let shown = await bench.respond(.get, "\(prefix)/sessions/\(id)")
            #expect(shown.status == 200)
            #expect(json(shown.text)["tutor_id"] == 3)
            let listed = await bench.respond(.get, "\(prefix)/sessions")
            #expect(json(listed.text)["total"] == 1)
            #expect(!listed.text.contains(token))
            #expect(!shown.text.contains(token))
            // The token is the one that the WebSocket port knows.
            #expect(await bench.service.audience(of: id, token: token) == .session(SessionID(id)))
            #expect(await bench.respond(.delete, "\(prefix)/sessions/\(id)").status == 204)
            let gone = await bench.respond(.delete, "\(prefix)/sessions/\(id)")
            #expect(gone.status == 404)
            #expect(json(gone.text)["detail"] == "Session not found")
            #expect(await bench.respond(.get, "\(prefix)/sessions/\(id)").status == 404)
        }
    }

    @Test("A full server says so, and when to come back")
    func full() async {
        let bench = Bench()
        let body = #"{"tutor_id":3,"student_id":4}"#
        for _ in 0..<2 { #expect(await bench.respond(.post, "/v1/sessions", body: body).status == 201) }
        let refused = await bench.respond(.post, "/v1/sessions", body: body)
        #expect(refused.status == 503)
        #expect(refused.text == #"{"detail":"Maximum sessions (2) reached"}"#)
        #expect(refused.headers["Retry-After"] == "5")
    }

    @Test("The ICE configuration is a view of the server's own, under every alias, with fresh credentials")
    func iceConfiguration() async throws {
        let bench = Bench()
        var usernames: Set<String> = []
        for path in ["/api/webrtc/config", "/v1/webrtc/config", "/mgmt/v1/webrtc/config", "/config"] {
            let answer = await bench.respond(.get, path)
            #expect(answer.status == 200)
            #expect(answer.headers["Cache-Control"] == "no-store")
            let value = json(answer.text)
            guard case .array(let servers) = value["iceServers"], servers.count == 2 else {
                Issue.record("\(answer.text)")
                return
            }
            #expect(servers[0] == ["urls": ["stun:203.0.113.9:10110"]])
            #expect(servers[1]["urls"] == ["turn:203.0.113.9:10110"])
            let username = try #require(servers[1]["username"]?.stringValue)
            usernames.insert(username)
            let password = MessageDigest.sha1.authenticate(
                Array(username.utf8), key: Array("0123456789abcdef".utf8))
            #expect(servers[1]["credential"] == .string(Base64.encode(password)))
            #expect(value["iceTransportPolicy"] == "relay")
            #expect(value["publicIp"] == "203.0.113.9")
            #expect(value["portRange"] == ["min": 10110, "max": 10115])
            #expect(value["sdpSemantics"] == "unified-plan")
        }
        #expect(usernames.count == 4)
        let tcp = await bench.respond(.get, "/config", query: ["transport": "tcp"])
        #expect(tcp.text.contains("turn:203.0.113.9:10110?transport=tcp"))
    }

    @Test("Health lists what is degraded with its reason and remedy")
    func health() async {
        let bench = Bench()
        let healthy = json(await bench.respond(.get, "/health").text)
        #expect(healthy["status"] == "healthy")
        #expect(healthy["service"] == "avatar-streamer")
        #expect(healthy["active_sessions"] == 0)
        #expect(healthy["max_sessions"] == 2)
        #expect(healthy["degraded"] == [])
        #expect(healthy["active_connections"] == nil)
        #expect(
            healthy["conversation"] == ["voice": "a voice", "hearing": "off", "answering": "a script"])
        bench.media.state.withLock {
            $0.degraded = [DegradedPart(part: "voice", reason: "no Flite", remedy: "apt-get install libflite1")]
        }
        let degraded = await bench.respond(.get, "/health")
        #expect(degraded.status == 200)
        #expect(json(degraded.text)["status"] == "degraded")
        #expect(
            json(degraded.text)["degraded"] == [
                ["part": "voice", "reason": "no Flite", "remedy": "apt-get install libflite1"]
            ])
        await bench.service.drain()
        let draining = await bench.respond(.get, "/health")
        #expect(draining.status == 503)
        #expect(draining.headers["Retry-After"] != nil)
        let refused = await bench.respond(.post, "/v1/sessions", body: #"{"tutor_id":3,"student_id":4}"#)
        #expect(refused.status == 503)
        #expect(refused.headers["Retry-After"] != nil)
    }

    @Test("A public stage that cannot open makes the server degraded, not silent")
    func publicStageFails() async {
        let bench = Bench()
        bench.media.state.withLock { $0.stageFailure = StageFailure(reason: "no encoder", remedy: "install it") }
        await bench.service.openPublicStage()
        #expect(
            json(await bench.respond(.get, "/health").text)["degraded"] == [
                ["part": "stage:avatar", "reason": "no encoder", "remedy": "install it"]
            ])
        bench.media.state.withLock { $0.stageFailure = nil }
        #expect(
            await bench.respond(
                .post, "/whep/avatar", body: offer(), headers: ["Content-Type": "application/sdp"]
            ).status == 201)
        #expect(json(await bench.respond(.get, "/health").text)["status"] == "healthy")
    }

    @Test("The management token guards sessions and avatars, not health and the ICE configuration")
    func managementToken() async {
        let bench = Bench { $0.managementToken = "secret" }
        #expect(await bench.respond(.get, "/v1/sessions").status == 401)
        #expect(await bench.respond(.get, "/v1/avatars").status == 401)
        #expect(await bench.respond(.get, "/v1/sessions", headers: ["Authorization": "Bearer wrong"]).status == 401)
        #expect(await bench.respond(.get, "/v1/sessions", headers: ["Authorization": "Bearer secret"]).status == 200)
        #expect(await bench.respond(.get, "/health").status == 200)
        #expect(await bench.respond(.get, "/config").status == 200)
    }

    @Test("Metrics are in the Prometheus text format")
    func metrics() async throws {
        let bench = Bench()
        _ = try await bench.session()
        let answer = await bench.respond(.get, "/metrics")
        #expect(answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.text.contains("avatar_streamer_sessions 1"))
    }

    @Test("Unknown paths and methods are answered in the former service's shape")
    func errors() async {
        let bench = Bench()
        #expect(await bench.respond(.get, "/v1/nothing").text == #"{"detail":"not found"}"#)
        #expect(await bench.respond(.put, "/v1/sessions").status == 405)
    }

    @Test("Avatars are registered from allowed folders only")
    func registerAvatar() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "videos-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try Data([1]).write(to: URL(filePath: "\(root)/a.mp4"))
        try FileManager.default.createSymbolicLink(atPath: "\(root)/out.mp4", withDestinationPath: "/etc/hostname")
        let bench = Bench(videoRoots: [root])
        func register(_ id: String, _ path: String) async -> (Int, String) {
            let body: JSONValue = ["avatar_id": .string(id), "video_path": .string(path), "apply_blur": false]
            let answer = await bench.respond(.post, "/v1/avatars", body: body.text)
            return (answer.status, answer.text)
        }
        let (status, text) = await register("anna", "\(root)/a.mp4")
        #expect(status == 201)
        #expect(json(text)["avatar_id"] == "anna")
        #expect(json(text)["status"] == "success")
        #expect(json(text)["mock"] == false)
        #expect(await register("b", "/etc/passwd").0 == 403)
        #expect(await register("b", "\(root)/../../etc/passwd").0 != 201)
        #expect(await register("b", "\(root)/out.mp4").0 == 403)
        #expect(await register("b", "\(root)/none.mp4").0 == 404)
        #expect(await register("../b", "\(root)/a.mp4").0 == 422)
        let shown = await bench.respond(.get, "/v1/avatars/anna")
        #expect(json(shown.text)["exists"] == true)
        #expect(json(await bench.respond(.get, "/v1/avatars").text) == ["total": 1, "avatars": ["anna"]])
        #expect(await bench.respond(.delete, "/v1/avatars/anna").status == 204)
        #expect(await bench.respond(.delete, "/v1/avatars/anna").status == 404)
        #expect(await bench.respond(.get, "/v1/avatars/anna").status == 404)
        // The operator's own file stays.
        #expect(FileManager.default.fileExists(atPath: "\(root)/a.mp4"))
    }

    @Test("An uploaded video becomes a tutor's avatar, survives a restart, and goes with its entry")
    func upload() async throws {
        let bench = Bench { $0.maximumUploadBytes = 1000 }
        func form(_ video: String) -> String {
            "--XX\r\nContent-Disposition: form-data; name=\"tutor_id\"\r\n\r\n12\r\n"
                + "--XX\r\nContent-Disposition: form-data; name=\"apply_blur\"\r\n\r\ntrue\r\n"
                + "--XX\r\nContent-Disposition: form-data; name=\"video_file\"; filename=\"../../x.MP4\"\r\n"
                + "Content-Type: video/mp4\r\n\r\n\(video)\r\n--XX--\r\n"
        }
        let type: String = "multipart/form-data; boundary=XX"
        let made = await bench.respond(
            .post, "/v1/avatars/upload", body: form("frames"), headers: ["Content-Type": type])
        #expect(made.status == 201)
        #expect(json(made.text)["avatar_id"] == "avatar_tutor_12")
        let path = try #require(json(made.text)["avatar_path"]?.stringValue)
        #expect(path == "\(bench.directory)/avatar_tutor_12.mp4")
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("frames".utf8))
        let later = AvatarLibrary(directory: bench.directory, videoRoots: [], maximumCount: 3)
        #expect(await later.picture(for: "avatar_tutor_12") == .video(path: path))
        let large = await bench.respond(
            .post, "/v1/avatars/upload", body: form(String(repeating: "x", count: 1001)),
            headers: ["Content-Type": type])
        #expect(large.status == 413)
        let noForm = await bench.respond(
            .post, "/v1/avatars/upload", body: "x", headers: ["Content-Type": "text/plain"])
        #expect(noForm.status == 415)
        #expect(await bench.respond(.delete, "/v1/avatars/avatar_tutor_12").status == 204)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("No more avatars than configured")
    func maximumAvatars() async throws {
        let bench = Bench()
        for number in 0..<3 {
            let request = try AvatarRequest(avatarID: "a\(number)", appliesBlur: false, tutorID: nil)
            _ = try await bench.service.storeAvatar(request, .init(fileName: "x.mp4", content: [1]))
        }
        let request = try AvatarRequest(avatarID: "a3", appliesBlur: false, tutorID: nil)
        await #expect(throws: RequestError(507, "Maximum avatars (3) reached")) {
            try await bench.service.storeAvatar(request, .init(fileName: "x.mp4", content: [1]))
        }
    }
}
