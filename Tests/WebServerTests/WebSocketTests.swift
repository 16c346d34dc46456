import Core
import Testing
import WebServer

@Suite(.timeLimit(.minutes(15))) struct WebSocketTests {
    /// Echoes texts in upper case and binaries reversed.
    private func echo(_ router: inout Router) {
        router.webSocket("/ws/{connection_id}") { connection, parameters, incoming in
            connection.send(text: "\(parameters["connection_id"] ?? "") \(connection.query["token"] ?? "-")")
            for await message in incoming {
                switch message {
                case .text("bye"): connection.close(code: WebSocketCloseCode(4001), reason: "as you wish")
                case .text("end"): return
                case .text("flood"):
                    while connection.send(binary: [UInt8](repeating: 0, count: 100_000)) {}
                case .text(let text): connection.send(text: text.uppercased())
                case .binary(let bytes): connection.send(binary: bytes.reversed())
                case .spooled(let slice, let isText): connection.send(text: "\(slice.count) \(isText)")
                }
            }
        }
    }

    private func connect(_ fixture: ServerFixture, _ path: String = "/ws/user_7?token=t") async throws
        -> WebSocketClient
    {
        let client = try #require(try await WebSocketClient(port: fixture.port, path: path))
        _ = await client.next()
        return client
    }

    @Test("Handshake, parameters, query and messages in both directions")
    func messages() async throws {
        let fixture = try ServerFixture(echo)
        let client = try #require(try await WebSocketClient(port: fixture.port, path: "/ws/user_7?token=t%20k"))
        #expect(await client.next()?.text == "user_7 t k")
        await client.send("grüße")
        #expect(await client.next()?.text == "GRÜSSE")
        await client.send(opcode: 2, [1, 2, 3])
        #expect(await client.next() == .init(opcode: 2, payload: [3, 2, 1]))
        let large = String(repeating: "a", count: 200_000)
        await client.send(large)
        #expect(await client.next()?.text == large.uppercased())
        await client.close()
        await fixture.server.stop()
    }

    @Test("A fragmented message with a ping in its middle arrives as one")
    func fragments() async throws {
        let fixture = try ServerFixture(echo)
        let client = try await connect(fixture)
        await client.send(opcode: 1, Array("ab".utf8), isFinal: false)
        await client.send(opcode: 9, Array("p".utf8))
        await client.send(opcode: 0, Array("cd".utf8), isFinal: false)
        await client.send(opcode: 0, Array("ef".utf8))
        #expect(await client.next() == .init(opcode: 10, payload: Array("p".utf8)))
        #expect(await client.next()?.text == "ABCDEF")
        await client.close()
        await fixture.server.stop()
    }

    @Test("The server closes with its code and reason, and with 1000 when the handler returns")
    func closes() async throws {
        let fixture = try ServerFixture(echo)
        let first = try await connect(fixture)
        await first.send("bye")
        let frame = await first.next()
        #expect(frame?.closeCode == 4001)
        #expect(frame.map { String(decoding: $0.payload.dropFirst(2), as: UTF8.self) } == "as you wish")
        let second = try await connect(fixture)
        await second.send("end")
        #expect(await second.closeCode() == 1000)
        for client in [first, second] { await client.close() }
        await fixture.server.stop()
    }

    @Test("The handler's stream ends when the peer closes or vanishes, and the code is known")
    func peerCloses() async throws {
        let (codes, report) = AsyncStream<UInt16?>.makeStream()
        let fixture = try ServerFixture { router in
            router.webSocket("/ws") { connection, _, incoming in
                for await _ in incoming {}
                report.yield(connection.closeCode?.value)
            }
        }
        var seen = codes.makeAsyncIterator()
        let polite = try #require(try await WebSocketClient(port: fixture.port, path: "/ws"))
        await polite.send(opcode: 8, [0x0F, 0xA2])
        #expect(await seen.next() == 4002)
        let rude = try #require(try await WebSocketClient(port: fixture.port, path: "/ws"))
        await rude.close()
        #expect(await seen.next() == 1006)
        await polite.close()
        await fixture.server.stop()
    }

    @Test("Reserved opcodes, bad UTF-8, huge and too many messages close the connection and are counted")
    func hostile() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.webSocketMessageBytes = 1000
        // So few that the slowest machine sends more.
        limits.webSocketMessagesPerSecond = 2
        let fixture = try ServerFixture(limits: limits, echo)
        let broken = try await connect(fixture)
        await broken.send(opcode: 1, [0xC3, 0x28])
        #expect(await broken.closeCode() == 1007)

        let huge = try await connect(fixture)
        await huge.send(String(repeating: "x", count: 1001))
        #expect(await huge.closeCode() == 1009)
        #expect(fixture.refused("message_too_big") == 1)

        let pieces = try await connect(fixture)
        for index in 0..<3 {
            await pieces.send(opcode: index == 0 ? 1 : 0, [UInt8](repeating: 65, count: 400), isFinal: false)
        }
        let piecesCode = await pieces.closeCode()
        #expect(piecesCode == 1009)

        let talker = try await connect(fixture)
        for _ in 0..<500 { await talker.send("x") }
        #expect(await talker.closeCode() == 1008)
        #expect(fixture.refused("message_rate") == 1)

        let reserved = try await connect(fixture)
        await reserved.send(opcode: 5, [1])
        #expect(await reserved.closeCode() == 1002)
        for client in [broken, huge, pieces, talker, reserved] { await client.close() }
        await fixture.server.stop()
    }

    @Test("A reader too slow for its queue is closed, and costs no more memory than its limit")
    func slowReader() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.webSocketOutgoingBytes = 500_000
        let fixture = try ServerFixture(limits: limits, echo)
        let client = try await connect(fixture)
        await client.send("flood")
        let code = await client.closeCode()
        #expect(code == 1013)
        #expect(fixture.refused("slow_reader") == 1)
        await client.close()
        await fixture.server.stop()
    }

    @Test("A path without a WebSocket refuses the handshake; plain HTTP there gets 426")
    func noWebSocket() async throws {
        let fixture = try ServerFixture(echo)
        #expect(try await WebSocketClient(port: fixture.port, path: "/nothing") == nil)
        #expect(fixture.refused("upgrade_not_found") == 1)
        #expect(try await fixture.fetch("GET /ws/a HTTP/1.1\r\nHost: x\r\n\r\n").status == 426)
        await fixture.server.stop()
    }

    @Test("A silent peer is pinged, and let go when it stays silent")
    func silence() async throws {
        var limits = ListenerConfiguration.Limits()
        limits.webSocketPingInterval = .seconds(1)
        let fixture = try ServerFixture(limits: limits, echo)
        let client = try #require(try await WebSocketClient(port: fixture.port, path: "/ws/a"))
        var opcodes: [UInt8] = []
        while let frame = await client.next() { opcodes.append(frame.opcode) }
        // The handler's greeting comes when its task is given a processor, perhaps never.
        #expect(opcodes.filter { $0 != 1 } == [9])
        #expect(fixture.refused("silent_peer") == 1)
        await client.close()
        await fixture.server.stop()
    }

    @Test("A peer that only answers pings stays")
    func pongs() async throws {
        var limits = ListenerConfiguration.Limits()
        // Long enough for a loaded machine, or one under a sanitizer, to answer within an interval.
        limits.webSocketPingInterval = .seconds(5)
        let fixture = try ServerFixture(limits: limits, echo)
        let client = try #require(try await WebSocketClient(port: fixture.port, path: "/ws/a"))
        // The third ping comes after more than the two intervals after which a silent peer is let go.
        var pings = 0
        while pings < 3 {
            let frame = try #require(await client.next())
            guard frame.opcode == 9 else { continue }
            pings += 1
            await client.send(opcode: 10, frame.payload)
        }
        #expect(fixture.refused("silent_peer") == 0)
        await client.close()
        await fixture.server.stop()
    }

    @Test("Stopping the server says 1001 to everyone")
    func stopping() async throws {
        let fixture = try ServerFixture(echo)
        let client = try await connect(fixture)
        async let stopped: Void = fixture.server.stop()
        #expect(await client.closeCode() == 1001)
        await client.send(opcode: 8, [0x03, 0xE9])
        await stopped
        await client.close()
    }
}
