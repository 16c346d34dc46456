import Core
import Testing

@testable import WebServer

@Suite("An Engine.IO session") struct EngineIOSessionTests {
    // MARK: Polling

    @Test("What is said waits for a GET, or goes to the one that waits, joined by U+001E")
    func polling() {
        let client = EngineIOSessionFixture()
        #expect(client.say("a") == [])
        #expect(client.say("b") == [])
        #expect(client.handle(.send(.binary([1, 2, 3, 4]), isDroppable: false)) == [])
        #expect(client.get(1) == ["GET 1: 4a\u{1E}4b\u{1E}bAQIDBA=="])
        #expect(client.get(2) == [])
        #expect(client.say("c") == ["GET 2: 4c"])
        #expect(client.say("d") == [])
        #expect(client.get(3) == ["GET 3: 4d"])
    }

    @Test("A POST's messages are received in order and the POST accepted")
    func post() {
        let client = EngineIOSessionFixture()
        #expect(
            client.post("4a\u{1E}bAQID\u{1E}6\u{1E}4b") == [
                "received a", "received [1, 2, 3]", "received b", "POST: ok",
            ])
        #expect(client.session.isOpen)
    }

    @Test("What is sent together stays together")
    func together() {
        let client = EngineIOSessionFixture()
        #expect(client.get(1) == [])
        #expect(
            client.handle(.sendTogether([.message("51-[]"), .binary([255])])) == ["GET 1: 451-[]\u{1E}b/w=="])
    }

    @Test("Of two GETs at once the first hears of the end and the second of its mistake")
    func twoPolls() {
        let client = EngineIOSessionFixture()
        #expect(client.get(1) == [])
        #expect(client.get(2) == ["GET 1: 1", "closed: transport error", "GET 2: 400"])
        #expect(!client.session.isOpen)
        #expect(client.get(3) == ["GET 3: 400"])
    }

    @Test("A GET that is given up while it waits ends the session; an answered one does not")
    func abortedPoll() {
        let client = EngineIOSessionFixture()
        _ = client.say("a")
        #expect(client.get(1) == ["GET 1: 4a"])
        #expect(client.handle(.pollAborted(1)) == [])
        #expect(client.get(2) == [])
        #expect(client.handle(.pollAborted(1)) == [])
        #expect(client.handle(.pollAborted(2)) == ["closed: transport close"])
    }

    @Test(
        "A payload that is none, or holds what a client may not send, ends the session",
        arguments: ["", "abc", "4a\u{1E}", #"0{"sid":"x"}"#, "2", "5"])
    func badPayload(body: String) {
        let client = EngineIOSessionFixture()
        _ = client.get(1)
        #expect(client.post(body) == ["GET 1: 1", "closed: parse error", "POST: 400"])
        #expect(client.post("4a") == ["POST: 400"])
        #expect(client.session.deadline == nil)
    }

    @Test("What stands before a fault in a payload is received, what stands behind it is not")
    func faultInTheMiddle() {
        let client = EngineIOSessionFixture()
        #expect(client.post("4a\u{1E}2\u{1E}4b") == ["received a", "closed: parse error", "POST: 400"])
    }

    @Test("A close by POST ends the waiting GET with a noop, and nothing behind it is received")
    func clientClose() {
        let client = EngineIOSessionFixture()
        _ = client.get(1)
        #expect(client.post("4a\u{1E}1\u{1E}4b") == ["received a", "GET 1: 6", "closed: client close", "POST: ok"])
        #expect(client.get(2) == ["GET 2: 400"])
        #expect(client.say("late") == [])
    }

    @Test("A close of ours sends what waits")
    func serverClose() {
        let client = EngineIOSessionFixture()
        _ = client.get(1)
        #expect(client.handle(.close(.forcedClose)) == ["GET 1: 1", "closed: forced close"])
        #expect(client.handle(.close(.shutdown)) == [])
        let other = EngineIOSessionFixture(webSocket: 7)
        #expect(other.handle(.close(.shutdown)) == ["WS 7 closed", "closed: server shutting down"])
    }

    // MARK: WebSockets

    @Test("On a WebSocket every packet is a frame of its own, binary ones bare")
    func webSocket() {
        let client = EngineIOSessionFixture(webSocket: 7)
        #expect(client.say("a") == ["WS 7: 4a"])
        #expect(client.handle(.sendTogether([.message("b"), .binary([9])])) == ["WS 7: 4b", "WS 7: [9]"])
        #expect(client.frame(7, "4hi") == ["received hi"])
        #expect(client.handle(.packetReceived(7, .binary([1]))) == ["received [1]"])
        #expect(client.frame(7, "6") == [])
        #expect(client.frame(7, "1") == ["WS 7 closed", "closed: client close"])
        #expect(client.frame(7, "4late") == [])
    }

    @Test("A frame that a client may not send closes", arguments: ["", "abc", "0{}", "2", "2probe", "5", "7", "bAQ=="])
    func badFrame(text: String) {
        let client = EngineIOSessionFixture(webSocket: 7)
        #expect(client.frame(7, text) == ["WS 7 closed", "closed: parse error"])
    }

    @Test("A WebSocket that ends, ends its session; another's end does not")
    func webSocketEnds() {
        let client = EngineIOSessionFixture(webSocket: 7)
        #expect(client.handle(.webSocketClosed(8)) == [])
        #expect(client.handle(.webSocketClosed(7)) == ["WS 7 closed", "closed: transport close"])
        #expect(client.handle(.webSocketClosed(7)) == [])
    }

    @Test("Polling with a session that is on a WebSocket is refused, and the session goes on")
    func wrongTransport() {
        let client = EngineIOSessionFixture(webSocket: 7)
        #expect(client.get(1) == ["GET 1: 400"])
        #expect(client.post("4a") == ["POST: 400"])
        #expect(client.open(8) == ["WS 8 closed"])
        #expect(client.frame(8, "4a") == [])
        #expect(client.say("b") == ["WS 7: 4b"])
    }

    @Test("A WebSocket gets only so much until it has taken it; what waits meanwhile can still be dropped")
    func room() {
        let client = EngineIOSessionFixture(webSocket: 7) { $0.maximumDroppablePackets = 1 }
        let large = String(repeating: "x", count: EngineIOSession.webSocketRoom)
        #expect(client.say(large) == ["WS 7: 4" + large])
        #expect(client.say("a", isDroppable: true) == [])
        #expect(client.say("b", isDroppable: true) == [])
        #expect(client.say("c") == [])
        #expect(client.session.queuedBytes == 4)
        #expect(client.handle(.webSocketDrained(8)) == [])
        #expect(client.handle(.webSocketDrained(7)) == ["WS 7: 4b", "WS 7: 4c"])
        #expect(client.session.droppedCount == 1)
        #expect(client.session.queuedBytes == 0)
    }

    // MARK: Limits

    @Test("A client that takes nothing is given up once too much waits")
    func overload() {
        let client = EngineIOSessionFixture { $0.maximumQueuedBytes = 10 }
        #expect(client.say("12345678") == [])
        #expect(client.say("123") == ["closed: client too slow"])
        #expect(client.session.deadline == nil)
        let other = EngineIOSessionFixture { $0.maximumQueuedBytes = 10 }
        #expect(
            other.handle(.sendTogether([.message("1234"), .binary([1, 2, 3, 4, 5, 6])])) == ["closed: client too slow"])
    }

    @Test("Of droppable messages the oldest are left out, and the client stays")
    func droppable() {
        let client = EngineIOSessionFixture {
            $0.maximumDroppablePackets = 2
            $0.maximumQueuedBytes = 10
        }
        for text in ["a", "b", "c", "d"] { #expect(client.say(text, isDroppable: true) == []) }
        #expect(client.session.droppedCount == 2)
        #expect(client.get(1) == ["GET 1: 4c\u{1E}4d"])
    }

    @Test("On a WebSocket what follows a packet sent alone waits a little, and so does nothing before it")
    func alone() {
        let client = EngineIOSessionFixture(webSocket: 1)
        #expect(client.say("a") == ["WS 1: 4a"])
        #expect(client.handle(.sendAlone(.message("0"))) == ["WS 1: 40"])
        #expect(client.say("b") == [])
        #expect(client.frame(1, "4up") == ["received up"])
        #expect(client.untilDeadline == .milliseconds(20))
        #expect(client.wait(.milliseconds(20)) == ["WS 1: 4b"])
        #expect(client.handle(.sendAlone(.message("0"))) == ["WS 1: 40"])
        client.sleep(.milliseconds(20))
        #expect(client.say("c") == ["WS 1: 4c"])
        #expect(client.handle(.sendAlone(.message("0"))) == ["WS 1: 40"])
        #expect(client.say("last") == [])
        #expect(client.handle(.close(.forcedClose)) == ["WS 1: 4last", "WS 1 closed", "closed: forced close"])
    }

    @Test("A goodbye by POST waits a little for the GET that is to be told")
    func goodbye() {
        let client = EngineIOSessionFixture()
        #expect(client.post("1\u{1E}4too late") == ["POST: ok"])
        #expect(client.post("4a") == ["POST: 400"])
        #expect(client.open(1) == ["WS 1 closed"])
        #expect(client.get(1) == ["GET 1: 6", "closed: client close"])
        let other = EngineIOSessionFixture()
        #expect(other.post("1") == ["POST: ok"])
        #expect(other.wait(.milliseconds(100)) == ["closed: client close"])
        #expect(other.get(1) == ["GET 1: 400"])
    }
}
