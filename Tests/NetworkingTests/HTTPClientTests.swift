import Core
import Glibc
import Networking
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(15))) struct HTTPClientTests {
    private func code(_ client: HTTPClient, _ request: HTTPClientRequest) async -> HTTPClientError.Code? {
        do {
            _ = try await client.send(request)
            return nil
        } catch {
            #expect(!error.description.contains("s3cret"))
            return error.code
        }
    }

    private func request(_ url: String, _ method: HTTPClientRequest.Method = .get) -> HTTPClientRequest {
        HTTPClientRequest(method, url, headers: ["Authorization": "Bearer s3cret"])
    }

    @Test("Requests arrive as they were made, answers come back whole, and the connection is kept")
    func whole() async throws {
        setenv("http_proxy", "http://127.0.0.1:1", 1)
        let server = try await ScriptedServer { _, number in [.answer("200 OK", "answer \(number)", "X-Y: z")] }
        let client = HTTPClient()
        var post = HTTPClientRequest(.post, server.url + "/a/b?c=d", headers: ["X-A": "1"], body: Array("hello".utf8))
        post.retries = 1
        for number in 1...3 {
            let response = try await client.send(post)
            #expect(response.status == 200 && response.headers["x-y"] == "z")
            #expect(String(decoding: response.body, as: UTF8.self) == "answer \(number)")
        }
        let sent = try #require(server.requests.first)
        #expect(sent.hasPrefix("POST /a/b?c=d HTTP/1.1\r\n") && sent.hasSuffix("\r\n\r\nhello"))
        #expect(sent.contains("X-A: 1\r\n") && !sent.contains("Expect"))
        await server.wait { $0.accepted == 1 && $0.requests == 3 }
        await client.stop()
        await server.wait { $0.closed == 1 }
        #expect(await code(client, post) == .stopped)
        await server.stop()
    }

    @Test("A service that says nothing, stops in the middle, or drips runs into its timeout")
    func timeouts() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        let server = try await ScriptedServer { request, _ in
            if request.hasPrefix("GET /drip") { return [.text(head), .drip(every: .milliseconds(10))] }
            return request.hasPrefix("GET /half") ? [.text(head + "half")] : []
        }
        let client = HTTPClient()
        var hang = request(server.url + "/hang")
        hang.firstByteTimeout = .milliseconds(150)
        #expect(await code(client, hang) == .timedOut(.firstByte))
        var half = request(server.url + "/half")
        half.idleTimeout = .milliseconds(150)
        #expect(await code(client, half) == .timedOut(.idle))
        var drip = request(server.url + "/drip")
        drip.totalTimeout = .milliseconds(300)
        #expect(await code(client, drip) == .timedOut(.total))
        await server.wait { $0.closed == $0.accepted && $0.accepted == 3 }
        await server.stop()
    }

    @Test("Broken answers are named as what they are")
    func broken() async throws {
        let server = try await ScriptedServer { request, _ in
            switch request.split(separator: " ").dropFirst().first {
            case "/early": [.text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), .close]
            case "/nothing": [.close]
            case "/ssh": [.text("SSH-2.0-OpenSSH_9.2\r\n"), .close]
            case "/status": [.text("HTTP/1.1 999 Odd\r\n\r\n"), .close]
            case "/head": [.text("HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 500) + "\r\n"), .close]
            case "/length": [.answer("200 OK", String(repeating: "x", count: 1001))]
            default: [.text("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 1001)), .close]
            }
        }
        let client = HTTPClient()
        let expected: [(String, HTTPClientError.Code)] = [
            ("/early", .closedEarly), ("/nothing", .closedEarly), ("/ssh", .malformedAnswer),
            ("/status", .malformedAnswer), ("/head", .tooLarge), ("/length", .tooLarge), ("/endless", .tooLarge),
        ]
        for (path, expectation) in expected {
            var ask = request(server.url + path)
            ask.maximumResponseBytes = 1000
            #expect(await code(client, ask) == expectation, "\(path)")
        }
        // What came before the break was delivered.
        let events = client.stream(request(server.url + "/early")).makeAsyncIterator()
        guard case .head(200, _) = try await events.next() else {
            Issue.record("no head")
            return
        }
        #expect(try await events.next() == .body(Array("half".utf8)))
        await #expect(throws: HTTPClientError.self) { _ = try await events.next() }
        await server.stop()
    }

    @Test("A refused connection, TLS to a plain port and an unknown host are told apart, and the first is tried again")
    func connecting() async throws {
        let unused = try UDPSocket(binding: SocketAddress(.loopbackV4, 0)).localAddress.port
        let metrics = MetricsRegistry()
        let client = HTTPClient(metrics: metrics)
        var refused = request("http://127.0.0.1:\(unused)/", .post)
        refused.retries = 2
        #expect(await code(client, refused) == .connectionFailed)
        #expect(metrics.counter("avatar_http_client_retries_total", help: "").current == 2)
        let server = try await ScriptedServer { _, _ in [] }
        let plain = try await ScriptedServer { _, _ in [] }
        async let tls = code(client, request("https://127.0.0.1:\(plain.port)/"))
        await plain.wait { $0.accepted == 1 }
        await plain.stop()
        #expect(await tls == .tlsFailed)
        // A label of more than 63 bytes is refused by the resolver itself: no query leaves the machine.
        let name = String(repeating: "x", count: 70)
        #expect(await code(client, request("http://\(name).invalid/")) == .unresolvable)
        await server.stop()
    }

    @Test("A redirect is an answer: nobody else hears of the key")
    func redirect() async throws {
        let other = try await ScriptedServer { _, _ in [.answer()] }
        let target = other.url
        let server = try await ScriptedServer { _, _ in [.answer("302 Found", "", "Location: \(target)/elsewhere")] }
        let client = HTTPClient()
        let response = try await client.send(request(server.url, .post))
        #expect(response.status == 302 && response.headers["Location"] == target + "/elsewhere")
        #expect(other.requests.isEmpty)
        await server.stop()
        await other.stop()
    }

    @Test("What cannot be sent as it is does not leave the client")
    func refusedRequests() async throws {
        let client = HTTPClient()
        for url in [
            "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://user:s3cret@127.0.0.1/", "http://a b/", "",
        ] {
            #expect(await code(client, request(url)) == .invalidRequest, "\(url)")
        }
        var injected = request("http://127.0.0.1:1/")
        injected.headers.append("X", "y\r\nZ: w")
        #expect(await code(client, injected) == .invalidRequest)
        #expect(!"\(request("http://h/?key=s3cret"))".contains("s3cret"))
        #expect(!String(reflecting: request("http://h/")).contains("s3cret"))
    }

    @Test("A busy service is asked again where that is safe, and not where it is not")
    func retries() async throws {
        let server = try await ScriptedServer { request, number in
            if request.hasPrefix("GET /long") {
                return [.answer("429 Too Many Requests", "later", "Retry-After: 3600")]
            }
            return number % 2 == 1
                ? [.answer("503 Service Unavailable", "busy", "Retry-After: 0")] : [.answer("200 OK", "well")]
        }
        let client = HTTPClient()
        var ask = request(server.url, .post)
        ask.retries = 1
        #expect(try await client.send(ask).status == 503, "a POST is not repeatable")
        ask.isRepeatable = true
        #expect(try await client.send(ask).status == 200)
        #expect(try await client.send(ask).status == 200)
        var long = request(server.url + "/long")
        long.retries = 3
        #expect(try await client.send(long).status == 429)
        #expect(server.requests.count == 5)
        await server.stop()
    }

    @Test("Ending the iteration or the task closes the connection at once")
    func cancellation() async throws {
        let server = try await ScriptedServer { _, _ in [.text("HTTP/1.1 200 OK\r\n\r\nsome")] }
        let client = HTTPClient()
        for try await event in client.stream(request(server.url)) {
            if case .body = event { break }
        }
        await server.wait { $0.closed == 1 }
        let task = Task { await code(client, request(server.url)) }
        await server.wait { $0.requests == 2 }
        task.cancel()
        #expect(await task.value == .cancelled)
        await server.wait { $0.closed == 2 }
        let under = Task { await code(client, request(server.url)) }
        await server.wait { $0.requests == 3 }
        await client.stop()
        #expect(await under.value == .stopped)
        await server.wait { $0.closed == 3 }
        await server.stop()
    }

    @Test("A slow reader makes the service wait, and misses nothing")
    func backpressure() async throws {
        let size = 24 << 20
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n"
        let server = try await ScriptedServer { request, _ in
            if request.hasPrefix("GET /other") { return [.answer("200 OK", "other")] }
            return [.text(head), .send([UInt8](repeating: 7, count: size))]
        }
        let metrics = MetricsRegistry()
        let ahead = Atomic<Int64>(0)
        let client = HTTPClient(
            metrics: metrics, clock: { SystemClock.now() + .seconds(ahead.load(ordering: .relaxed)) })
        var ask = request(server.url)
        ask.maximumResponseBytes = size
        (ask.idleTimeout, ask.totalTimeout) = (.seconds(3600), .seconds(86_400))
        let events = client.stream(ask).makeAsyncIterator()
        _ = try await events.next()
        let pauses = metrics.counter("avatar_http_client_pauses_total", help: "")
        let received = metrics.counter("avatar_http_client_received_bytes_total", help: "")
        while pauses.current == 0 { await Task.yield() }
        // Two hours in which nothing was read: the request would fail if the reader's own slowness counted.
        ahead.store(7200, ordering: .relaxed)
        var other = request(server.url + "/other")
        other.totalTimeout = .seconds(86_400)
        #expect(try await client.send(other).status == 200)
        #expect(received.current <= UInt64(1 << 20))
        var count = 0
        while case .body(let bytes) = try await events.next() { count += bytes.count }
        #expect(count == size)
        await server.stop()
    }
}
