import Core
import Networking
import Testing
import WebServer

@Suite(.timeLimit(.minutes(15))) struct HTTPServerTests {
    private func echo(_ router: inout Router) {
        router.add(.get, "/hello/{name}") { request in
            .text(.ok, "hello \(request.parameters["name"] ?? "")?\(request.query["q"] ?? "-")")
        }
        router.add(.post, "/echo") { HTTPResponse(.ok, contentType: "application/octet-stream", $0.body) }
        router.add(.patch, "/echo") {
            HTTPResponse(.ok, contentType: "x/y", $0.body + Array(($0.mediaType ?? "").utf8))
        }
        router.add(.delete, "/echo") { _ in HTTPResponse(.noContent) }
    }

    @Test("GET reaches its handler with parameters, query and the connection is kept")
    func get() async throws {
        let fixture = try ServerFixture(echo)
        let client = try await fixture.connect()
        for _ in 0..<3 {
            await client.send("GET /hello/an%20a?q=1+2%26&q=9 HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = await client.response()
            #expect(response.status == 200)
            #expect(response.text == "hello an a?1 2&")
            #expect(response.header("connection") == "keep-alive")
            #expect(response.header("date")?.hasSuffix("GMT") == true)
        }
        await client.close()
        await fixture.server.stop()
    }

    @Test("Bodies of POST and PATCH arrive whole, in pieces or at once, and empty")
    func bodies() async throws {
        let fixture = try ServerFixture(echo)
        let client = try await fixture.connect()
        await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nab")
        await client.send("cd")
        await client.send("ef")
        #expect(await client.response().text == "abcdef")
        let large = String(repeating: "0123456789", count: 50_000)
        await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(large.utf8.count)\r\n\r\n")
        for index in 0..<5 { await client.send(Array(large.utf8.dropFirst(index * 100_000).prefix(100_000))) }
        #expect(await client.response().text == large)
        await client.send("PATCH /echo HTTP/1.1\r\nHost: x\r\nContent-Type: A/B; c=d\r\nContent-Length: 2\r\n\r\nhi")
        #expect(await client.response().text == "hia/b")
        await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        #expect(await client.response().text == "")
        await client.send("DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await client.response().status == 204)
        await client.send("POST /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        let last = await client.response()
        #expect(last.status == 200)
        #expect(last.header("connection") == "close")
        await client.close()
        await fixture.server.stop()
    }

    @Test("HEAD, OPTIONS, 404, 405 and unknown methods are the server's own")
    func methods() async throws {
        let fixture = try ServerFixture(echo)
        let head = try await fixture.fetch("HEAD /hello/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(
            head.head.contains("HTTP/1.1 200 OK") && head.head.hasSuffix("\r\n\r\n"),
            "no body, so it ends with the close")
        #expect(head.head.contains("Content-Length: 9"))
        let options = try await fixture.fetch("OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(options.status == 204)
        #expect(options.header("allow") == "POST, PATCH, DELETE, OPTIONS")
        #expect(try await fixture.fetch("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").status == 404)
        let wrong = try await fixture.fetch("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(wrong.status == 405)
        #expect(wrong.header("allow") == "POST, PATCH, DELETE, OPTIONS")
        await fixture.server.stop()
    }

    @Test("What is too large, chunked or nonsense is refused and counted")
    func refusals() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.bodyBytes = 100
        let fixture = try ServerFixture(limits: limits, echo)
        #expect(try await fixture.fetch("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n").status == 413)
        #expect(fixture.refused("body_too_large") == 1)
        let chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        #expect(try await fixture.fetch(chunked).status == 411)
        #expect(fixture.refused("chunked_body") == 1)
        for length in ["-1", "1x", "99999999999999999999", "+5"] {
            let response = try await fixture.fetch(
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\r\n")
            #expect(response.status == 400 || response.status == 413, "\(length)")
        }
        let client = try await fixture.connect()
        await client.send("GET /" + String(repeating: "a", count: 40_000) + " HTTP/1.1\r\n\r\n")
        #expect(await !client.receiveAll().contains("200 OK"))
        for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "BREW /echo HTTP/1.1\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n"]
        {
            let client = try await fixture.connect()
            await client.send(nonsense + String(repeating: "x\r\n\r\n", count: 10))
            #expect(await !client.receiveAll().contains("200 OK"))
            await client.close()
        }
        #expect(try await fixture.fetch("GET /hello/still HTTP/1.1\r\nHost: x\r\n\r\n").status == 200)
        await fixture.server.stop()
    }

    @Test("Connections over the limit are closed and counted, and the place is free again afterwards")
    func connectionLimit() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.connectionsPerAddress = 2
        let fixture = try ServerFixture(limits: limits, echo)
        let first = try await fixture.connect()
        await first.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await first.response().status == 200)
        let second = try await fixture.connect()
        await second.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await second.response().status == 200)
        let third = try await fixture.connect()
        #expect(await third.receiveAll() == "")
        #expect(fixture.refused("address_connection_limit") == 1)
        await second.send("GET /hello/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        _ = await second.receiveAll()
        #expect(try await fixture.fetch("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n").status == 200)
        for client in [first, second, third] { await client.close() }
        await fixture.server.stop()
    }

    @Test("A client that dribbles its headers is cut off")
    func slowloris() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.headerTimeout = .seconds(1)
        let fixture = try ServerFixture(limits: limits, echo)
        let client = try await fixture.connect()
        await client.send("GET /hello/a HTTP/1.1\r\n")
        let dribble = Task {
            while !Task.isCancelled {
                await client.send("X-a: b\r\n")
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        // It dribbles for ever: only the cut ends this.
        #expect(await client.receiveAll() == "")
        dribble.cancel()
        await dribble.value
        await client.close()
        await fixture.server.stop()
    }

    @Test("Silent connections, idle ones and half-sent bodies are cut off")
    func idle() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.headerTimeout = .seconds(1)
        let impatient = try ServerFixture(limits: limits, echo)
        let silent = try await impatient.connect()
        #expect(await silent.receiveAll() == "")
        await silent.close()
        // A client that has to wait for a processor may be cut off before it has asked; not every time.
        var isAnswered = false
        for _ in 0..<30 where !isAnswered {
            let kept = try await impatient.connect()
            await kept.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n")
            isAnswered = await kept.response().status == 200
            #expect(await kept.receiveAll() == "")
            await kept.close()
        }
        #expect(isAnswered)
        await impatient.server.stop()

        limits = ListenerConfiguration.Limits()
        limits.bodyTimeout = .seconds(1)
        let fixture = try ServerFixture(limits: limits, echo)
        let half = try await fixture.connect()
        await half.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        #expect(await half.receiveAll() == "")
        await half.close()
        #expect(fixture.refused("body_timeout") == 1)
        await fixture.server.stop()
    }

    @Test("CONNECT and HTTP/2 are refused")
    func otherProtocols() async throws {
        let fixture = try ServerFixture(echo)
        for request in [
            "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET /hello/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            "GET /hello/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tls\r\n\r\n",
        ] {
            let client = try await fixture.connect()
            await client.send(request)
            #expect(await !client.receiveAll().contains(" 200 "), "\(request.prefix(30))")
            await client.close()
        }
        #expect(fixture.refused("upgrade_unsupported") == 1)
        await fixture.server.stop()
    }

    @Test("A flood of requests is answered with 429 until the address's allowance is back")
    func flood() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.requestsPerSecondPerAddress = 1
        let fixture = try ServerFixture(limits: limits, echo)
        let client = try await fixture.connect()
        var statuses: [Int] = []
        // A loaded machine needs seconds for what a flood does in one; then the flood goes on for longer.
        while !statuses.contains(429), statuses.count < 1000 {
            await client.send("GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n")
            statuses.append(await client.response().status)
        }
        #expect(statuses.prefix(2) == [200, 200])
        #expect(statuses.last == 429)
        #expect(fixture.refused("request_rate") >= 1)
        await client.close()
        await fixture.server.stop()
    }

    @Test("A port that is taken is an error with its holder and a remedy")
    func portTaken() async throws {
        let socket = try ListeningSocket(binding: SocketAddress(.loopbackV4, 0))
        let server = WebServer(
            listeners: [ListenerConfiguration(name: "management", address: socket.localAddress, router: Router())],
            metrics: MetricsRegistry())
        let error = #expect(throws: WebServerError.self) { try server.start() }
        #expect(error?.code == .addressInUse)
        #expect(error?.remedy.contains("this process") == true)
    }
}
