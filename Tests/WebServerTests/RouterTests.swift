import Core
import Testing

@testable import WebServer

@Suite struct RouterTests {
    private func handled(_ router: Router, _ method: HTTPMethod, _ path: String) async -> String {
        switch router.match(method, path) {
        case .endpoint(let endpoint, let parameters):
            var request = HTTPRequest(method: method, path: path)
            request.parameters = parameters
            guard case .bytes(let bytes) = await endpoint.handler(request).body else { return "?" }
            return String(decoding: bytes, as: UTF8.self)
        case .options(let allowed): return "options \(allowed.map(\.rawValue))"
        case .methodNotAllowed(let allowed): return "405 \(allowed.map(\.rawValue))"
        case .upgradeRequired: return "426"
        case .notFound: return "404"
        }
    }

    @Test("Literals win over parameters, parameters over the rest, in whatever order they were added")
    func precedence() async {
        var router = Router()
        router.add(.get, "/{path...}") { .text(.ok, "rest \($0.parameters["path"] ?? "")") }
        router.add(.get, "/v1/{id}") { .text(.ok, "id \($0.parameters["id"] ?? "")") }
        router.add(.get, "/v1/sessions") { _ in .text(.ok, "sessions") }
        router.add(.delete, "/v1/{id}") { _ in .text(.ok, "deleted") }
        #expect(await handled(router, .get, "/v1/sessions") == "sessions")
        #expect(await handled(router, .head, "/v1/sessions") == "sessions")
        #expect(await handled(router, .get, "/v1/x") == "id x")
        #expect(await handled(router, .get, "/v1/x/y") == "rest v1/x/y")
        #expect(await handled(router, .get, "/") == "rest ")
        #expect(await handled(router, .delete, "/v1/x") == "deleted")
        #expect(await handled(router, .put, "/v1/x") == "405 [\"GET\", \"HEAD\", \"DELETE\", \"OPTIONS\"]")
    }

    @Test("A rest may be empty, but a pattern that ends there says more of the path", arguments: [false, true])
    func emptyRest(restIsFirst: Bool) async {
        var router = Router()
        let add: [(inout Router) -> Void] = [
            { $0.add(.get, "/topics/{topic...}") { .text(.ok, "topic \($0.parameters["topic"] ?? "")") } },
            { $0.add(.get, "/topics") { _ in .text(.ok, "topics") } },
        ]
        for one in restIsFirst ? add : add.reversed() { one(&router) }
        #expect(await handled(router, .get, "/topics") == "topics")
        #expect(await handled(router, .get, "/topics/") == "topic ")
        #expect(await handled(router, .get, "/topics/a/b") == "topic a/b")
    }

    @Test("An empty parameter is none, and a trailing slash is another path")
    func emptyParameters() async {
        var router = Router()
        router.add(.get, "/v1/{id}") { _ in .text(.ok, "id") }
        router.webSocket("/ws/{id}") { _, _, _ in }
        #expect(await handled(router, .get, "/v1/") == "404")
        #expect(await handled(router, .get, "/v1/x/") == "404")
        #expect(await handled(router, .get, "/ws/a") == "426")
        #expect(router.matchWebSocket("/ws/a")?.parameters == ["id": "a"])
        #expect(router.matchWebSocket("/ws/") == nil)
    }

    @Test("CORS answers a preflight and marks responses for allowed origins only")
    func cors() async throws {
        let policy = CORSPolicy(origins: .list(["https://good.example"]))
        let fixture = try ServerFixture(cors: policy) { $0.add(.post, "/a") { _ in .text(.ok, "a") } }
        let preflight = try await fixture.fetch(
            "OPTIONS /a HTTP/1.1\r\nHost: x\r\nOrigin: https://good.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        )
        #expect(preflight.header("access-control-allow-origin") == "https://good.example")
        #expect(preflight.header("access-control-allow-methods") == "POST, OPTIONS")
        let evil = try await fixture.fetch(
            "POST /a HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n")
        #expect(evil.status == 200)
        #expect(evil.header("access-control-allow-origin") == nil)
        #expect(evil.header("vary") == "Origin")
        await fixture.server.stop()
    }

    @Test("A line break in a header's value or name cannot make another header")
    func headerInjection() {
        let response = HTTPResponse(.ok, headers: ["X-A\r\nB": "1\r\nSet-Cookie: x"])
        var writer = ResponseWriter(response, to: .get, isHTTP11: true, keepsAlive: true, date: 0)
        guard case .bytes(let bytes, true) = writer.next(10_000) else { return #expect(Bool(false)) }
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("X-AB: 1  Set-Cookie: x\r\n"))
        #expect(text.contains("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"))
    }

    @Test("A ledger limits connections and requests of an address, and forgets the idle")
    func ledger() {
        var ledger = AddressLedger(connectionLimit: 2, requestsPerSecond: 10)
        let (a, b) = (IPAddress.v4(1), IPAddress.v4(2))
        var now = Instant.zero
        let opened = (0..<3).map { _ in ledger.open(a, now: now) }
        #expect(opened == [true, true, false])
        let other = ledger.open(b, now: now)
        #expect(other)
        let burst = (0..<25).filter { _ in ledger.takeRequest(a, now: now) }.count
        #expect(burst == 20)
        now += .seconds(1)
        let refilled = (0..<25).filter { _ in ledger.takeRequest(a, now: now) }.count
        #expect(refilled == 10)
        let untouched = ledger.takeRequest(b, now: now)
        #expect(untouched)
        ledger.close(a)
        let reopened = ledger.open(a, now: now)
        #expect(reopened)
        for _ in 0..<2 { ledger.close(a) }
        ledger.close(b)
        ledger.sweep(now: now)
        #expect(ledger.count == 2, "their allowances are not full yet")
        ledger.sweep(now: now + .seconds(5))
        #expect(ledger.count == 0)
    }
}
