import Core
import Testing
import WebServer

@Suite(.timeLimit(.minutes(15))) struct HostileBytesTests {
    private func fixture() throws -> ServerFixture {
        var limits = ListenerConfiguration.Limits()
        limits.requestsPerSecondPerAddress = 100_000
        return try ServerFixture(limits: limits) { router in
            router.add(.get, "/{path...}") { .text(.ok, $0.path) }
            router.add(.post, "/{path...}") { HTTPResponse(.ok, contentType: "a/b", $0.body) }
            router.webSocket("/ws") { connection, _, incoming in
                for await message in incoming {
                    if case .binary(let bytes) = message { connection.send(binary: bytes) }
                }
            }
        }
    }

    @Test("Damaged requests, a thousand of them, leave the server as it was")
    func requests() async throws {
        let fixture = try fixture()
        let random = RandomSource.seeded(7)
        let request = Array("POST /a/../b?c=%41&d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nA: b\r\n\r\nhello".utf8)
        for _ in 0..<100 {
            // Ten damaged ones at a time, closed by us in the middle of whatever the server thinks.
            var clients: [RawClient] = []
            for _ in 0..<10 {
                var bytes = request
                for _ in 0..<Int(random.uint16() % 4 + 1) {
                    let place = Int(random.uint32()) % bytes.count
                    switch random.uint16() % 3 {
                    case 0: bytes[place] = UInt8(truncatingIfNeeded: random.uint16())
                    case 1: bytes.remove(at: place)
                    default: bytes.insert(contentsOf: random.bytes(3), at: place)
                    }
                }
                let client = try await fixture.connect()
                await client.send(bytes)
                clients.append(client)
            }
            for client in clients { await client.close() }
        }
        let response = try await fixture.fetch("GET /alive HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(response.text == "/alive")
        await fixture.server.stop()
    }

    @Test("Random frames end or are answered, and leave the server as it was")
    func frames() async throws {
        let fixture = try fixture()
        let random = RandomSource.seeded(11)
        for _ in 0..<100 {
            let client = try #require(try await WebSocketClient(port: fixture.port, path: "/ws"))
            for _ in 0..<5 { await client.raw.send(random.bytes(Int(random.uint16() % 200) + 1)) }
            await client.close()
        }
        let client = try #require(try await WebSocketClient(port: fixture.port, path: "/ws"))
        await client.send(opcode: 2, [1])
        #expect(await client.next()?.payload == [1])
        await client.close()
        await fixture.server.stop()
    }
}
