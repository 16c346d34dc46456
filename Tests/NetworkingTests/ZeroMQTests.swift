import Core
import Networking
import Testing

@Suite("ZeroMQ")
struct ZeroMQTests {
    private func server(
        _ guardian: ZeroMQServer.Guard? = nil, limits: ZeroMQSocket.Limits = ZeroMQSocket.Limits()
    ) throws -> (ZeroMQServer, WakeUp) {
        let wakeUp = try WakeUp()
        return (
            try ZeroMQServer(endpoint: "tcp://127.0.0.1:*", limits: limits, guardian: guardian, wakeUp: wakeUp), wakeUp
        )
    }

    private func receive(_ server: ZeroMQServer) throws -> [[UInt8]] {
        let deadline = SystemClock.now() + .seconds(20)
        while SystemClock.now() < deadline {
            switch try server.receive() {
            case .message(let parts): return parts.map(\.bytes)
            case .tooManyParts(let first): return [first.bytes]
            case .nothing: server.wait(.milliseconds(200))
            }
        }
        return []
    }

    @Test("messages of many parts go both ways")
    func bothWays() throws {
        let (server, _) = try server()
        let client = try ZeroMQSocket(.dealer, context: ZeroMQContext())
        try client.connect(server.endpoint)
        #expect(try client.send([[1, 2], [], [3]]))
        let parts = try receive(server)
        #expect(Array(parts.dropFirst()) == [[1, 2], [], [3]])
        #expect(try server.send([[9], [8]], to: #require(parts.first)))
        #expect(client.wait(.seconds(20)))
        guard case .message(let answer) = try client.receive() else {
            Issue.record("no answer")
            return
        }
        #expect(answer.map(\.bytes) == [[9], [8]])
        #expect(try !server.send([[1]], to: [0, 1, 2, 3, 4]))
    }

    @Test("a message of too many parts is thrown away, and the next one is whole")
    func tooManyParts() throws {
        let (server, _) = try server()
        let client = try ZeroMQSocket(.dealer, context: ZeroMQContext())
        try client.connect(server.endpoint)
        #expect(try client.send((0..<50).map { [UInt8($0)] }))
        #expect(try client.send([[7]]))
        #expect(try receive(server).count == 1)
        #expect(try receive(server).last == [7])
    }

    @Test("a peer that sends too much at once loses its connection, others do not")
    func tooLong() throws {
        var limits = ZeroMQSocket.Limits()
        limits.partBytes = 1000
        let (server, _) = try server(limits: limits)
        let client = try ZeroMQSocket(.dealer, context: ZeroMQContext())
        try client.connect(server.endpoint)
        #expect(try client.send([[UInt8](repeating: 0, count: 1001)]))
        let other = try ZeroMQSocket(.dealer, context: ZeroMQContext())
        try other.connect(server.endpoint)
        #expect(try other.send([[UInt8](repeating: 5, count: 1000)]))
        #expect(try receive(server).last == [UInt8](repeating: 5, count: 1000))
    }

    @Test("a wake-up ends the waiting")
    func wakeUp() throws {
        let (server, wakeUp) = try server()
        wakeUp.signal()
        let start = SystemClock.now()
        server.wait(.seconds(60))
        #expect(SystemClock.now() - start < .seconds(30))
    }

    @Test("keys are read and written as Z85")
    func keys() throws {
        let pair = try CurveKeyPair()
        #expect(CurveKey(pair.publicKey.text) == pair.publicKey)
        #expect(try CurveKeyPair(secretKey: pair.secretKey).publicKey == pair.publicKey)
        #expect(CurveKey(bytes: pair.publicKey.bytes)?.text == pair.publicKey.text)
        for text in ["", "short", String(repeating: "~", count: 40), pair.publicKey.text + "0"] {
            #expect(CurveKey(text) == nil)
        }
    }

    @Test("requests for admission are read, and only CURVE's have a key")
    func admission() throws {
        let key = try CurveKeyPair().publicKey
        let start = ["1.0", "7", "domain", "127.0.0.1", ""].map { Array($0.utf8) }
        let request = try #require(ZAPRequest(start + [Array("CURVE".utf8), key.bytes]))
        #expect(request.publicKey == key)
        #expect(request.answer(isAllowed: true)[2] == Array("200".utf8))
        #expect(request.answer(isAllowed: false)[2] == Array("400".utf8))
        #expect(ZAPRequest(start + [Array("NULL".utf8)])?.publicKey == nil)
        #expect(ZAPRequest(start + [Array("CURVE".utf8), [1, 2, 3]])?.publicKey == nil)
        #expect(ZAPRequest(start) == nil)
        #expect(ZAPRequest([]) == nil)
    }
}
