import Core
import MediaLoop
import Synchronization
import Testing
import WebServer

@testable import Signaling

@Suite("WHEP")
struct WHEPTests {
    private let sdp: HTTPHeaders = ["Content-Type": "application/sdp"]

    private func fragment(_ name: String = "abcd", candidates: [String] = []) -> String {
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:\(name)\r\na=ice-pwd:0123456789012345678901\r\n"
            + candidates.map { "a=\($0)\r\n" }.joined() + "a=end-of-candidates\r\n"
    }

    private func patchHeaders(_ tag: String?) -> HTTPHeaders {
        var headers: HTTPHeaders = ["Content-Type": "application/trickle-ice-sdpfrag"]
        if let tag { headers["If-Match"] = tag }
        return headers
    }

    @Test("An offer on the public stage is answered with everything a player needs")
    func created() async throws {
        let bench = Bench()
        let answer = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        #expect(answer.status == 201)
        #expect(answer.headers["Content-Type"] == "application/sdp")
        #expect(answer.text.contains("a=candidate:"))
        let location = try #require(answer.headers["Location"])
        #expect(location.hasPrefix("/whep/avatar/"))
        let tag = try #require(answer.headers["ETag"])
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.count > 8)
        let links = answer.headers.fields.filter { $0.name == "Link" }.map(\.value)
        try #require(links.count == 2)
        #expect(links[0] == "<stun:203.0.113.9:10110>; rel=\"ice-server\"")
        #expect(links[1].hasPrefix("<turn:203.0.113.9:10110>; rel=\"ice-server\"; username=\""))
        #expect(links[1].hasSuffix("; credential-type=\"password\""))
    }

    @Test("Candidates are trickled by PATCH under the right entity tag")
    func trickle() async throws {
        let bench = Bench()
        let answer = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        let location = try #require(answer.headers["Location"])
        let tag = try #require(answer.headers["ETag"])
        let body = fragment(candidates: ["candidate:1 1 udp 1 192.0.2.1 9 typ host"])
        let patched = await bench.respond(.patch, location, body: body, headers: patchHeaders(tag))
        #expect(patched.status == 204)
        #expect(patched.headers["ETag"] == nil)
        #expect(
            bench.media.calls.suffix(2) == [
                "candidate v1: candidate:1 1 udp 1 192.0.2.1 9 typ host", "end of candidates v1",
            ])
        #expect(await bench.respond(.patch, location, body: body, headers: patchHeaders(nil)).status == 428)
        #expect(await bench.respond(.patch, location, body: body, headers: patchHeaders("\"x\"")).status == 412)
        #expect(await bench.respond(.patch, location, body: body, headers: sdp).status == 415)
        #expect(await bench.respond(.patch, location, body: "a=mid:0\r\n", headers: patchHeaders(tag)).status == 400)
        #expect(await bench.respond(.patch, "/whep/avatar/none", body: body, headers: patchHeaders(tag)).status == 404)
    }

    @Test("New ICE credentials restart ICE and change the entity tag")
    func restart() async throws {
        let bench = Bench()
        let answer = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        let location = try #require(answer.headers["Location"])
        let tag = try #require(answer.headers["ETag"])
        let body = fragment("efgh", candidates: ["candidate:2 1 udp 1 192.0.2.1 9 typ host"])
        let restarted = await bench.respond(.patch, location, body: body, headers: patchHeaders("*"))
        #expect(restarted.status == 200)
        #expect(restarted.headers["Content-Type"] == "application/trickle-ice-sdpfrag")
        let newTag = try #require(restarted.headers["ETag"])
        #expect(newTag != tag)
        #expect(restarted.text.contains("a=ice-ufrag:srv1\r\n"))
        #expect(restarted.text.contains("a=candidate:1 1 udp"))
        let renegotiated = try #require(bench.media.viewers[ViewerID(1)]?.offer)
        #expect(renegotiated.contains("a=ice-ufrag:efgh\r\n"))
        #expect(!renegotiated.contains("abcd"))
        #expect(renegotiated.contains("a=candidate:2 "))
        #expect(renegotiated.contains("o=- 4711 3 IN"))
        // What belongs to the former ICE session is refused now.
        let late = await bench.respond(.patch, location, body: fragment("efgh"), headers: patchHeaders(tag))
        #expect(late.status == 412)
        #expect(
            await bench.respond(.patch, location, body: fragment("efgh"), headers: patchHeaders(newTag)).status == 204)
    }

    @Test("DELETE ends the viewer, once")
    func delete() async throws {
        let bench = Bench()
        let answer = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        let location = try #require(answer.headers["Location"])
        #expect(await bench.respond(.delete, location).status == 200)
        #expect(bench.media.viewers.isEmpty)
        #expect(await bench.respond(.delete, location).status == 404)
    }

    @Test("A wrong type, an unacceptable answer, a missing stage and a broken offer are problems of their own")
    func problems() async {
        let bench = Bench()
        let wrongType = await bench.respond(
            .post, "/whep/avatar", body: offer(), headers: ["Content-Type": "text/plain"])
        #expect(wrongType.status == 415)
        #expect(wrongType.headers["Content-Type"] == "application/problem+json")
        #expect(
            JSONValue(parsing: Array(wrongType.text.utf8)) == [
                "type": "about:blank", "title": "Unsupported Media Type", "status": 415,
                "detail": "Content-Type must be application/sdp",
            ])
        let accept: HTTPHeaders = ["Content-Type": "application/sdp", "Accept": "application/json"]
        #expect(await bench.respond(.post, "/whep/avatar", body: offer(), headers: accept).status == 406)
        let any: HTTPHeaders = ["Content-Type": "application/sdp; charset=utf-8", "Accept": "text/html, */*;q=0.1"]
        #expect(await bench.respond(.post, "/whep/avatar", body: offer(), headers: any).status == 201)
        #expect(await bench.respond(.post, "/whep/nobody", body: offer(), headers: sdp).status == 404)
        #expect(await bench.respond(.post, "/whep/avatar", body: "hello", headers: sdp).status == 400)
        #expect(await bench.respond(.post, "/whep/avatar", body: "", headers: sdp).status == 400)
        #expect(await bench.respond(.put, "/whep/avatar").status == 405)
        #expect(await bench.respond(.get, "/whep/avatar").status == 204)
        #expect(await bench.respond(.options, "/whep/avatar").headers["Accept-Post"] == "application/sdp")
    }

    @Test("A full or draining server answers 503 with Retry-After")
    func unavailable() async {
        let bench = Bench()
        bench.media.state.withLock { $0.viewerError = ViewerError(.limitReached, "1000 viewers are watching") }
        let full = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        #expect(full.status == 503)
        #expect(full.headers["Retry-After"] == "5")
        bench.media.state.withLock { $0.viewerError = nil }
        await bench.service.drain()
        #expect(await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp).status == 503)
    }

    @Test("The bearer token is asked for on the public stage where configured, on a session's stage always")
    func tokens() async throws {
        let bench = Bench { $0.whepToken = "secret" }
        let refused = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        #expect(refused.status == 401)
        #expect(refused.headers["WWW-Authenticate"] == "Bearer")
        var headers = sdp
        headers["Authorization"] = "Bearer secret"
        let made = await bench.respond(.post, "/whep/avatar", body: offer(), headers: headers)
        #expect(made.status == 201)
        let location = try #require(made.headers["Location"])
        #expect(await bench.respond(.delete, location).status == 401)

        let session = try await bench.session()
        #expect(await bench.respond(.post, "/whep/\(session.id)", body: offer(), headers: headers).status == 401)
        headers["Authorization"] = "Bearer \(session.token)"
        #expect(await bench.respond(.post, "/whep/\(session.id)", body: offer(), headers: headers).status == 201)
        // One stage's viewer cannot be reached through another's address.
        let viewer = location.split(separator: "/").last.map(String.init) ?? ""
        #expect(await bench.respond(.delete, "/whep/\(session.id)/\(viewer)", headers: headers).status == 404)
    }

    @Test("A viewer that is gone takes its resource with it")
    func gone() async throws {
        let bench = Bench()
        let answer = await bench.respond(.post, "/whep/avatar", body: offer(), headers: sdp)
        let location = try #require(answer.headers["Location"])
        bench.media.removeViewer(ViewerID(1), reason: "consent expired")
        await bench.service.whepSessionsEnded()
        #expect(await bench.respond(.delete, location).status == 404)
    }

    @Test("Fragments of hostile length or kind are refused")
    func fragments() {
        func error(_ text: String) -> SDPFragment.ParseError? {
            do throws(SDPFragment.ParseError) {
                _ = try SDPFragment(Array(text.utf8))
                return nil
            } catch {
                return error
            }
        }
        #expect(error("") == .noCredentials)
        #expect(error("a=ice-ufrag:\r\na=ice-pwd:x\r\n") == .noCredentials)
        #expect(error(String(repeating: "x", count: 40_000)) == .tooLong)
        #expect(error(fragment(candidates: (0..<65).map { "candidate:\($0)" })) == .tooManyCandidates)
        #expect(error("a=ice-ufrag:\u{0}") == .notText)
    }
}

extension SignalingService {
    /// Waits until every WHEP resource is forgotten.
    func whepSessionsEnded() async {
        while !whepSessions.isEmpty { await Task.yield() }
    }
}
