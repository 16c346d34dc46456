import Core
import Testing

@testable import WebServer

@Suite("An Engine.IO session's heartbeat") struct EngineIOHeartbeatTests {
    private func client(webSocket: UInt64?) -> EngineIOSessionFixture {
        EngineIOSessionFixture(webSocket: webSocket) {
            $0.pingInterval = .milliseconds(300)
            $0.pingTimeout = .milliseconds(200)
            $0.upgradeTimeout = .milliseconds(1_000)
        }
    }

    @Test("The server pings, and every pong begins a new interval")
    func pingAndPong() {
        let client = client(webSocket: 7)
        #expect(client.untilDeadline == .milliseconds(300))
        #expect(client.wait(.milliseconds(299)) == [])
        #expect(client.wait(.milliseconds(1)) == ["WS 7: 2"])
        #expect(client.untilDeadline == .milliseconds(200))
        #expect(client.wait(.milliseconds(199)) == [])
        #expect(client.frame(7, "3") == [])
        #expect(client.untilDeadline == .milliseconds(300))
        #expect(client.wait(.milliseconds(300)) == ["WS 7: 2"])
        #expect(client.wait(.milliseconds(200)) == ["WS 7 closed", "closed: ping timeout"])
        #expect(client.untilDeadline == nil)
        #expect(client.wait(.seconds(60)) == [])
    }

    @Test("While polling, a ping answers the GET that waits, and a pong comes by POST")
    func polling() {
        let client = client(webSocket: nil)
        #expect(client.get(1) == [])
        #expect(client.wait(.milliseconds(300)) == ["GET 1: 2"])
        #expect(client.post("3") == ["POST: ok"])
        // Nobody waits: the ping does.
        #expect(client.wait(.milliseconds(300)) == [])
        #expect(client.get(2) == ["GET 2: 2"])
        #expect(client.get(3) == [])
        #expect(client.wait(.milliseconds(200)) == ["GET 3: 1", "closed: ping timeout"])
    }

    @Test("Only a pong counts: neither messages nor pongs that nobody asked for")
    func onlyPongs() {
        let client = client(webSocket: 7)
        #expect(client.frame(7, "3") == [])
        client.sleep(.milliseconds(299))
        #expect(client.frame(7, "3") == [])
        #expect(client.wait(.milliseconds(1)) == ["WS 7: 2"])
        client.sleep(.milliseconds(199))
        #expect(client.frame(7, "4a") == ["received a"])
        #expect(client.wait(.milliseconds(1)) == ["WS 7 closed", "closed: ping timeout"])
    }

    @Test("A pong that comes too late is too late, though the timer has not looked")
    func latePong() {
        let client = client(webSocket: 7)
        _ = client.wait(.milliseconds(300))
        client.sleep(.milliseconds(200))
        #expect(client.frame(7, "3") == ["WS 7 closed", "closed: ping timeout"])
    }

    @Test("A ping that is sent late leaves the client half of the timeout at least")
    func lateTimer() {
        let client = client(webSocket: 7)
        #expect(client.wait(.seconds(5)) == ["WS 7: 2"])
        #expect(client.untilDeadline == .milliseconds(100))
        #expect(client.frame(7, "3") == [])
        #expect(client.wait(.milliseconds(350)) == ["WS 7: 2"])
        #expect(client.untilDeadline == .milliseconds(150))
    }

    @Test("Who is in the middle of a message cannot answer, and has the time after its last piece")
    func pieces() {
        let client = client(webSocket: 7)
        _ = client.wait(.milliseconds(300))
        client.sleep(.milliseconds(150))
        client.session.pieceReceived = client.now
        #expect(client.wait(.milliseconds(50)) == [])
        #expect(client.untilDeadline == .milliseconds(150))
        #expect(client.wait(.milliseconds(150)) == ["WS 7 closed", "closed: ping timeout"])
    }

    @Test("Nobody who sends only pieces is pinged twice, and their message's end lets the pong come")
    func pongAfterPieces() {
        let client = client(webSocket: 7)
        _ = client.wait(.milliseconds(300))
        for _ in 0..<5 {
            client.session.pieceReceived = client.now
            #expect(client.wait(.milliseconds(199)) == [])
        }
        client.session.pieceReceived = nil
        #expect(client.frame(7, "3") == [])
        #expect(client.untilDeadline == .milliseconds(300))
    }

    @Test("A ping that is due while an upgrade is under way comes on the WebSocket once it is done")
    func duringUpgrade() {
        let client = client(webSocket: nil)
        _ = client.open(8)
        #expect(client.frame(8, "2probe") == ["WS 8: 3probe"])
        #expect(client.wait(.milliseconds(300)) == [])
        #expect(client.frame(8, "5") == ["WS 8: 2"])
        #expect(client.frame(8, "3") == [])
        #expect(client.session.isOpen)
    }
}
