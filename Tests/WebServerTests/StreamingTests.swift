import Core
import Glibc
import Synchronization
import Testing
import WebServer

@Suite(.timeLimit(.minutes(15))) struct StreamingTests {
    @Test("A stream is sent piece by piece as chunks, and its end is the response's end")
    func events() async throws {
        let (pieces, source) = AsyncStream<[UInt8]>.makeStream()
        let fixture = try ServerFixture { router in
            router.add(.get, "/events") { _ in
                HTTPResponse(.ok, headers: ["Content-Type": "text/event-stream"], body: .stream(pieces))
            }
        }
        let client = try await fixture.connect()
        await client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.receive { String(decoding: $0, as: UTF8.self).hasSuffix("\r\n\r\n") }
        source.yield(Array("data: 1\n\n".utf8))
        await client.receive { String(decoding: $0, as: UTF8.self).hasSuffix("9\r\ndata: 1\n\n\r\n") }
        source.yield(Array("data: 2\n\n".utf8))
        await client.receive { String(decoding: $0, as: UTF8.self).hasSuffix("9\r\ndata: 2\n\n\r\n") }
        source.finish()
        let all = await client.receive { String(decoding: $0, as: UTF8.self).hasSuffix("0\r\n\r\n") }
        #expect(String(decoding: all, as: UTF8.self).contains("Transfer-Encoding: chunked"))
        await client.close()
        await fixture.server.stop()
    }

    @Test("A client that goes cancels its stream")
    func abandoned() async throws {
        let (pieces, source) = AsyncStream<[UInt8]>.makeStream()
        let (ends, ended) = AsyncStream<Void>.makeStream()
        source.onTermination = { _ in ended.yield() }
        let fixture = try ServerFixture { router in
            router.add(.get, "/events") { _ in HTTPResponse(.ok, body: .stream(pieces)) }
        }
        let client = try await fixture.connect()
        await client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        await client.receive { String(decoding: $0, as: UTF8.self).hasSuffix("\r\n\r\n") }
        await client.close()
        var iterator = ends.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        await fixture.server.stop()
    }

    @Test("HTTP/1.0 gets a stream without chunks, ended by the close")
    func oldVersion() async throws {
        let fixture = try ServerFixture { router in
            router.add(.get, "/events") { _ in
                let (pieces, source) = AsyncStream<[UInt8]>.makeStream()
                source.yield([0x61])
                source.yield([0x62])
                source.finish()
                return HTTPResponse(.ok, body: .stream(pieces))
            }
        }
        let client = try await fixture.connect()
        await client.send("GET /events HTTP/1.0\r\n\r\n")
        let all = await client.receiveAll()
        #expect(all.hasSuffix("\r\n\r\nab"))
        #expect(!all.contains("chunked"))
        await client.close()
        await fixture.server.stop()
    }

    @Test("A slow handler holds up nobody else, and a client may leave it")
    func slowHandler() async throws {
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let (cancellations, cancelled) = AsyncStream<Void>.makeStream()
        let fixture = try ServerFixture { router in
            router.add(.get, "/slow") { _ in
                await withTaskCancellationHandler {
                    for await _ in gate { break }
                } onCancel: {
                    cancelled.yield()
                }
                return .text(.ok, "slow")
            }
            router.add(.get, "/fast") { _ in .text(.ok, "fast") }
        }
        let slow = try await fixture.connect()
        await slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await fixture.fetch("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n").text == "fast")
        await slow.close()
        var iterator = cancellations.makeAsyncIterator()
        #expect(await iterator.next() != nil)
        opener.yield()
        await fixture.server.stop()
    }

    @Test("Requests sent ahead are answered in their order, whether a handler answers or the server itself")
    func pipelined() async throws {
        let fixture = try ServerFixture { router in
            router.add(.get, "/{n}") { .text(.ok, $0.parameters["n"] ?? "") }
        }
        let client = try await fixture.connect()
        let paths = ["1", "missing/2", "3", "missing/4", "missing/5", "6"]
        await client.send(paths.map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        let bytes = await client.receive { bytes in
            String(decoding: bytes, as: UTF8.self).components(separatedBy: "HTTP/1.1 ").count == paths.count + 1
                && bytes.last == UInt8(ascii: "6")
        }
        let answers = String(decoding: bytes, as: UTF8.self).components(separatedBy: "HTTP/1.1 ").dropFirst()
        #expect(answers.map { $0.prefix(3) } == ["200", "404", "200", "404", "404", "200"])
        let bodies = answers.filter { $0.hasPrefix("200") }.map { $0.components(separatedBy: "\r\n\r\n").last }
        #expect(bodies == ["1", "3", "6"])
        await client.close()
        await fixture.server.stop()
    }

    @Test("Expect: 100-continue is answered before the body")
    func expectContinue() async throws {
        let fixture = try ServerFixture { router in
            router.add(.post, "/echo") { HTTPResponse(.ok, contentType: "a/b", $0.body) }
        }
        let client = try await fixture.connect()
        await client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        await client.receive { String(decoding: $0, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n" }
        _ = client.takeReceived()
        await client.send("ok")
        #expect(await client.response().text == "ok")
        await client.close()
        await fixture.server.stop()
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
