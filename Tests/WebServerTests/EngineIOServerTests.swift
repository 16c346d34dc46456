import Core
import Foundation
import Testing

@testable import WebServer

@Suite("An Engine.IO server's routes") struct EngineIOServerTests {
    private let metrics = MetricsRegistry()

    /// Echoes, and counts for itself.
    private func echo(_ configure: (inout EngineIOConfiguration) -> Void = { _ in }) -> EngineIOServer {
        var configuration = EngineIOConfiguration()
        // Beside many others a test may take longer than a ping's interval.
        configuration.pingInterval = .seconds(3_600)
        configure(&configuration)
        return EngineIOServer(
            configuration: configuration, metrics: metrics,
            application: EngineIOServer.Application(
                opened: { _ in },
                received: { connection, message in
                    switch message {
                    case .text(let text): connection.send(text: text)
                    case .binary(let bytes): connection.send(binary: bytes)
                    case .largeText(let slice): connection.send(text: "text of \(slice.count)")
                    case .largeBinary(let slice, let isBase64):
                        connection.send(text: "binary of \(slice.count) \(isBase64)")
                    }
                }, closed: { _, _ in }))
    }

    private func refused(_ reason: String) -> UInt64 {
        metrics.counter("engineio_refused_total", help: "", labels: ["reason": reason]).current
    }

    private func closed(_ reason: String) -> UInt64 {
        metrics.counter("engineio_sessions_closed_total", help: "", labels: ["reason": reason]).current
    }

    @Test("The handshake tells exactly the documented members, times in milliseconds")
    func handshake() async throws {
        let server = echo {
            $0.pingInterval = .milliseconds(300)
            $0.pingTimeout = .milliseconds(200)
            $0.maximumPayloadBytes = 1_234
        }
        let client = await PollingClient(server)
        #expect(client.opening.status == 200)
        #expect(
            JSONValue(parsing: Array(client.opening.body.utf8.dropFirst()))
                == [
                    "sid": .string(client.id), "upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200,
                    "maxPayload": 1_234,
                ])
        #expect(client.id.utf8.count == 20)
        #expect(await PollingClient(client).id != client.id)
        #expect(metrics.gauge("engineio_sessions", help: "").current == 2)
    }

    @Test("Polls that are answered and abandoned at the same moment hold nobody up")
    func abandonedWhileAnswered() async {
        await #expect(processExitsWith: .success) {
            alarm(240)  // Who waits for ever would do so with the thread that watches the time.
            let handshake = EngineIOHandshake(HTTPRequest(method: .get, path: "/socket.io/"))
            for _ in 0..<20_000 {
                let connection = EngineIOConnection(
                    id: "a", handshake: handshake, configuration: EngineIOConfiguration(), webSocket: nil)
                let poll = Task { await connection.poll() }
                for _ in 0..<Int.random(in: 0...5) { await Task.yield() }
                async let isSent = connection.send(text: "hello")
                poll.cancel()
                // Whichever came first: the poll is over.
                let packets = await poll.value
                #expect(packets == nil || packets == [.message("hello")])
                _ = await isSent
            }
        }
    }

    @Test("Where WebSockets are not allowed none is offered, nor taken")
    func pollingOnly() async {
        let client = await PollingClient(echo { $0.transports = [.polling] })
        #expect(client.opening.body.contains(#""upgrades":[]"#))
        let answer = await client.request(.get, ["EIO": "4", "transport": "websocket"])
        #expect(answer == .init(status: 400, body: #"{"code":0,"message":"Transport unknown"}"#))
    }

    @Test("Messages come back as they went, below the path with and without its slash")
    func messages() async {
        let server = echo { $0.path = "/engine.io/" }
        for path in ["/engine.io", "/engine.io/"] {
            let client = await PollingClient(server, path: path)
            #expect(await client.post("4€\u{1E}bAQID") == .init(status: 200, body: "ok"))
            #expect(await client.get() == .init(status: 200, body: "4€\u{1E}bAQID"))
        }
    }

    private static let refusals: [(HTTPMethod, [String: String], String)] = [
        (.get, [:], #"{"code":0,"message":"Transport unknown"}"#),
        (.get, ["EIO": "4"], #"{"code":0,"message":"Transport unknown"}"#),
        (.get, ["EIO": "4", "transport": "abc"], #"{"code":0,"message":"Transport unknown"}"#),
        (.get, ["transport": "polling"], #"{"code":5,"message":"Unsupported protocol version"}"#),
        (.get, ["EIO": "3", "transport": "polling"], #"{"code":5,"message":"Unsupported protocol version"}"#),
        (.get, ["EIO": "4", "transport": "polling", "sid": "x"], #"{"code":1,"message":"Session ID unknown"}"#),
        (.post, ["EIO": "4", "transport": "polling", "sid": "x"], #"{"code":1,"message":"Session ID unknown"}"#),
        (.post, ["EIO": "4", "transport": "polling"], #"{"code":2,"message":"Bad handshake method"}"#),
        (.put, ["EIO": "4", "transport": "polling"], #"{"code":2,"message":"Bad handshake method"}"#),
        // Without a WebSocket's handshake.
        (.get, ["EIO": "4", "transport": "websocket"], #"{"code":3,"message":"Bad request"}"#),
    ]

    @Test("A bad request is refused with the protocol's code", arguments: refusals)
    func refusal(method: HTTPMethod, query: [String: String], body: String) async {
        let client = await PollingClient(echo())
        #expect(await client.request(method, query) == .init(status: 400, body: body))
        #expect(await client.post("4a") == .init(status: 200, body: "ok"))
    }

    @Test("Another method with a session's id is a bad request", arguments: [HTTPMethod.put, .patch, .delete])
    func method(method: HTTPMethod) async {
        let client = await PollingClient(echo())
        let query = ["EIO": "4", "transport": "polling", "sid": client.id]
        #expect(
            await client.request(method, query) == .init(status: 400, body: #"{"code":3,"message":"Bad request"}"#))
        #expect(refused("Bad request") == 1)
    }

    @Test("A payload that is none ends its session, which is then unknown")
    func badPayload() async {
        let client = await PollingClient(echo())
        #expect(await client.post("abc") == .init(status: 400, body: #"{"code":3,"message":"Bad request"}"#))
        #expect(await client.get() == .init(status: 400, body: #"{"code":1,"message":"Session ID unknown"}"#))
        #expect(closed("parse error") == 1)
        #expect(metrics.gauge("engineio_sessions", help: "").current == 0)
    }

    @Test("Of two GETs at once the first hears of the end, the second is refused")
    func twoPolls() async {
        let client = await PollingClient(echo())
        let answers = await withTaskGroup(of: PollingClient.Answer.self) { group in
            let query = ["EIO": "4", "transport": "polling", "sid": client.id]
            for _ in 0..<2 { group.addTask { [get = client.sending(.get, query)] in await get() } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        // Whichever was the first. Where the second comes when all is over, the session is unknown.
        #expect(answers.contains(.init(status: 200, body: "1")))
        #expect(answers.contains { $0.status == 400 })
        #expect(closed("transport error") == 1)
    }

    @Test("A GET whose client goes away ends the session")
    func abandoned() async {
        let client = await PollingClient(echo())
        let get = client.sending(.get, ["EIO": "4", "transport": "polling", "sid": client.id])
        let waiting = Task { await get() }
        waiting.cancel()
        #expect(await waiting.value.status == 400)
        #expect(closed("transport close") == 1)
        #expect(await client.get().status == 400)
    }

    @Test("More sessions than allowed are asked to come later, and an end makes room")
    func tooMany() async {
        let client = await PollingClient(echo { $0.maximumSessions = 1 })
        #expect(await PollingClient(client).opening.status == 503)
        #expect(refused("Forbidden") == 1)
        await client.post("1")
        #expect(await client.get().body == "6")
        #expect(closed("client close") == 1)
        #expect(await PollingClient(client).opening.status == 200)
    }

    @Test("A server that closes ends its sessions and takes no more")
    func shutdown() async {
        let server = echo()
        let client = await PollingClient(server)
        server.close()
        #expect(closed("server shutting down") == 1)
        #expect(await client.get().status == 400)
        #expect(await PollingClient(client).opening.status == 503)
    }

    @Test("Large packets of a spooled body reach the application where they lie")
    func spooledBody() async throws {
        let client = await PollingClient(echo())
        let long = String(repeating: "x", count: 1 << 20)
        #expect(
            await client.post(try spooled("4a\u{1E}4\(long)y\u{1E}b\(long)")) == .init(status: 200, body: "ok"))
        #expect(await client.get().body == "4a\u{1E}4text of 1048577\u{1E}4binary of 1048576 true")
        #expect(await client.post(try spooled("7" + long)).status == 400)
    }

    @Test("A client that does not take its messages is given up, one that loses droppable ones is not")
    func slowClient() async {
        var configuration = EngineIOConfiguration()
        configuration.pingInterval = .seconds(3_600)
        configuration.maximumQueuedBytes = 10
        configuration.maximumDroppablePackets = 1
        let server = EngineIOServer(
            configuration: configuration, metrics: metrics,
            application: EngineIOServer.Application(
                opened: { _ in },
                received: { connection, message in
                    guard case .text(let text) = message else { return }
                    connection.send(text: text, isDroppable: text.hasPrefix("d"))
                }, closed: { _, _ in }))
        let client = await PollingClient(server)
        await client.post("4d1\u{1E}4d2\u{1E}4d3\u{1E}4kept")
        #expect(await client.get().body == "4d3\u{1E}4kept")
        await client.post("4d4\u{1E}4d5\u{1E}4kept\u{1E}4much more than that")
        #expect(await client.get().status == 400)
        #expect(closed("client too slow") == 1)
        #expect(metrics.counter("engineio_packets_dropped_total", help: "").current == 3)
    }
}
