import Core
import FoundationEssentials
import MediaLoop
import Synchronization
import Testing
import WebServer

@testable import Signaling

@Suite("Avatars of engines, and videos that are none")
struct AvatarTests {
    private func json(_ text: String) -> JSONValue { JSONValue(parsing: Array(text.utf8)) ?? .null }

    private let type: HTTPHeaders = ["Content-Type": "multipart/form-data; boundary=XX"]

    private func form(_ fields: [String: String], video: String) -> String {
        fields.sorted { $0.key < $1.key }.map { name, value in
            "--XX\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }.joined()
            + "--XX\r\nContent-Disposition: form-data; name=\"video_file\"; filename=\"x.mp4\"\r\n\r\n\(video)\r\n--XX--\r\n"
    }

    private func show(_ bench: Bench, _ id: String) async -> JSONValue {
        json(await bench.respond(.get, "/v1/avatars/\(id)").text)
    }

    @Test("A file that is no video is refused in FFmpeg's words, and leaves the former video alone")
    func noVideo() async throws {
        let bench = Bench()
        let good = form(["avatar_id": "anna"], video: "frames")
        #expect(await bench.respond(.post, "/v1/avatars/upload", body: good, headers: type).status == 201)
        bench.media.state.withLock { $0.videoProblem = "Invalid data found when processing input" }
        let bad = await bench.respond(
            .post, "/v1/avatars/upload", body: form(["avatar_id": "anna"], video: "rubbish"), headers: type)
        #expect(bad.status == 422)
        #expect(bad.text == #"{"detail":"video_file is no video: Invalid data found when processing input"}"#)
        let path = "\(bench.directory)/anna.mp4"
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("frames".utf8))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: bench.directory).sorted() == [
                "anna.mp4", "avatars.json",
            ])
        #expect(await show(bench, "anna")["status"] == "ready")
    }

    @Test("An engine's own avatar needs no video, and tells how its engine stands")
    func enginesOwn() async {
        let bench = Bench()
        bench.media.state.withLock { $0.engines["e1"] = .preparing(progress: 0, reason: "engine e1 is not connected") }
        let made = await bench.respond(
            .post, "/v1/avatars", body: #"{"avatar_id":"anna","engine":"e1","engine_avatar":"anna.v2"}"#)
        #expect(made.status == 201)
        #expect(json(made.text)["status"] == "success")
        #expect(json(made.text)["preparation"] == "preparing")
        #expect(json(made.text)["avatar_path"] == "engine://e1/anna.v2")
        #expect(await show(bench, "anna")["reason"] == "engine e1 is not connected")
        bench.media.state.withLock { $0.engines["e1"] = .ready }
        #expect(await show(bench, "anna")["status"] == "ready")
        #expect(await bench.service.avatars.picture(for: "anna") == .engine(name: "e1", avatar: "anna.v2"))
        for body in [
            #"{"avatar_id":"b","engine":"e2"}"#, #"{"avatar_id":"b","engine":"e1","engine_avatar":"../b"}"#,
            #"{"avatar_id":"b","engine_avatar":"b"}"#, #"{"avatar_id":"b","engine":"e/1"}"#,
        ] {
            #expect(await bench.respond(.post, "/v1/avatars", body: body).status == 422, "\(body)")
        }
        let unknown = await bench.respond(.post, "/v1/avatars", body: #"{"avatar_id":"b","engine":"e2"}"#)
        #expect(unknown.text == #"{"detail":"engine is not the name of an engine: there are e1"}"#)
    }

    @Test("A video is made into an engine's avatar in the background; until then the video is shown")
    func preparation() async throws {
        let bench = Bench()
        bench.media.state.withLock { $0.engines["e1"] = .ready }
        let body = form(["avatar_id": "anna", "engine": "e1", "apply_blur": "true"], video: "frames")
        let made = await bench.respond(.post, "/v1/avatars/upload", body: body, headers: type)
        #expect(made.status == 201)
        #expect(json(made.text)["preparation"] == "preparing")
        let library = bench.service.avatars
        #expect(await library.picture(for: "anna") == .video(path: "\(bench.directory)/anna.mp4"))
        let engine = await bench.preparation()
        #expect(bench.media.calls.last == "prepare anna on e1 blurred")
        engine.yield(.preparing(progress: 0.5, reason: nil))
        await bench.until { await library.status("anna") == .preparing(progress: 0.5, reason: nil) }
        #expect(await show(bench, "anna")["progress"] == .number(0.5))
        engine.yield(.ready)
        engine.finish()
        await bench.until { await library.picture(for: "anna") == .engine(name: "e1", avatar: "anna") }
        #expect(await show(bench, "anna")["status"] == "ready")
        // A later run knows it.
        let later = AvatarLibrary(directory: bench.directory, videoRoots: [], maximumCount: 3)
        #expect(await later.picture(for: "anna") == .engine(name: "e1", avatar: "anna"))
    }

    @Test("A preparation that fails is told with its reason, and in health; another registration mends it")
    func preparationFails() async throws {
        let bench = Bench()
        bench.media.state.withLock { $0.engines["e1"] = .ready }
        let body = form(["avatar_id": "anna", "engine": "e1"], video: "frames")
        _ = await bench.respond(.post, "/v1/avatars/upload", body: body, headers: type)
        let engine = await bench.preparation()
        engine.yield(.failed(reason: "no face in the video"))
        engine.finish()
        let library = bench.service.avatars
        await bench.until { await library.status("anna") == .failed(reason: "no face in the video") }
        #expect(await show(bench, "anna")["status"] == "failed")
        #expect(await show(bench, "anna")["reason"] == "no face in the video")
        let health = json(await bench.respond(.get, "/health").text)
        #expect(
            health["degraded"] == [
                [
                    "part": "avatar:anna", "reason": "no face in the video",
                    "remedy": "register the avatar again, or delete it",
                ]
            ])
        _ = await bench.respond(.post, "/v1/avatars/upload", body: body, headers: type)
        let second = await bench.preparation()
        // An engine that goes away without a word has failed, too.
        second.finish()
        await bench.until {
            await library.status("anna") == .failed(reason: "engine e1 ended before the avatar was ready")
        }
        #expect(await bench.respond(.delete, "/v1/avatars/anna").status == 204)
        #expect(json(await bench.respond(.get, "/health").text)["status"] == "healthy")
    }

    @Test("What an earlier run had begun is gone on with")
    func resumed() async throws {
        let bench = Bench()
        bench.media.state.withLock { $0.engines["e1"] = .ready }
        let request = try AvatarRequest(avatarID: "anna", appliesBlur: false, tutorID: nil, engine: "e1")
        let library = AvatarLibrary(directory: bench.directory, videoRoots: [], maximumCount: 3)
        let written = try await library.write([1], for: "anna", name: "x")
        _ = try await library.store(request, fileName: "a.mp4", written: written)
        let again = Bench(directory: bench.directory)
        again.media.state.withLock { $0.engines["e1"] = .ready }
        let following = Task { await again.service.followEngines() }
        let engine = await again.preparation()
        #expect(again.media.calls.last == "prepare anna on e1")
        engine.yield(.ready)
        engine.finish()
        await again.until { await again.service.avatars.picture(for: "anna") == .engine(name: "e1", avatar: "anna") }
        // The engine was started again and has lost what it made; until it is made anew the video is shown.
        again.media.state.withLock { state in
            state.engines["e1"] = .failed(reason: "engine e1 has no avatar anna")
            _ = state.arrivals?.yield("e1")
        }
        _ = await again.preparation()
        #expect(await again.service.avatars.picture(for: "anna") == .video(path: "\(bench.directory)/anna.mp4"))
        following.cancel()
    }

    @Test("Avatars of the configuration are listed and shown, and cannot be deleted")
    func configured() async {
        let bench = Bench(configured: ["tutor": .engine(name: "e1", avatar: "t"), "plain": .builtIn])
        bench.media.state.withLock { $0.engines["e1"] = .ready }
        #expect(json(await bench.respond(.get, "/v1/avatars").text) == ["total": 2, "avatars": ["plain", "tutor"]])
        #expect(await show(bench, "tutor")["avatar_path"] == "engine://e1/t")
        #expect(await show(bench, "plain")["avatar_path"] == "built-in")
        #expect(await bench.respond(.delete, "/v1/avatars/tutor").status == 409)
        #expect(await bench.service.avatars.picture(for: "tutor") == .engine(name: "e1", avatar: "t"))
        // What an operator registers under the same id comes first.
        _ = await bench.respond(
            .post, "/v1/avatars/upload", body: form(["avatar_id": "tutor"], video: "frames"), headers: type)
        #expect(await bench.service.avatars.picture(for: "tutor") == .video(path: "\(bench.directory)/tutor.mp4"))
    }
}

extension Bench {
    /// Waits until the engine is asked to prepare an avatar, and takes the engine's part.
    fileprivate func preparation() async -> AsyncStream<AvatarStatus>.Continuation {
        while true {
            let asked = media.state.withLock { state in
                defer { state.preparation = nil }
                return state.preparation
            }
            if let asked { return asked }
            await Task.yield()
        }
    }

    fileprivate func until(_ condition: () async -> Bool) async {
        while await !condition() { await Task.yield() }
    }
}
