import Core
import Testing

@testable import WebServer

@Suite("An upgrade from polling to a WebSocket") struct EngineIOUpgradeTests {
    @Test("Probe, noop for the waiting GET, upgrade; nothing is sent in between and nothing is lost")
    func upgrade() {
        let client = EngineIOSessionFixture()
        #expect(client.get(1) == [])
        #expect(client.open(8) == [])
        // Until the probe, polling goes on.
        #expect(client.say("a") == ["GET 1: 4a"])
        #expect(client.get(2) == [])
        client.sleep(.milliseconds(100))
        #expect(client.frame(8, "2probe") == ["WS 8: 3probe", "GET 2: 6"])
        #expect(client.say("b") == [])
        #expect(client.say("c") == [])
        #expect(client.get(3) == [])
        #expect(client.untilDeadline == .milliseconds(100))
        #expect(client.wait(.milliseconds(100)) == ["GET 3: 6"])
        #expect(client.post("4still by POST") == ["received still by POST", "POST: ok"])
        #expect(client.session.isPolling)
        #expect(client.frame(8, "5") == ["WS 8: 4b", "WS 8: 4c"])
        #expect(!client.session.isPolling)
        #expect(client.frame(8, "4hi") == ["received hi"])
        #expect(client.get(4) == ["GET 4: 400"])
        #expect(client.post("4a") == ["POST: 400"])
        // The session's id is known, but one WebSocket is enough.
        #expect(client.open(9) == ["WS 9 closed"])
        #expect(client.handle(.webSocketClosed(8)) == ["WS 8 closed", "closed: transport close"])
    }

    @Test(
        "A GET beside the probe is told to end a little later, and refused where the upgrade comes first",
        arguments: [true, false])
    func overtaking(isRefused: Bool) {
        let client = EngineIOSessionFixture()
        _ = client.open(8)
        #expect(client.get(1) == [])
        #expect(client.frame(8, "2probe") == ["WS 8: 3probe"])
        if !isRefused { #expect(client.wait(.milliseconds(100)) == ["GET 1: 6"]) }
        #expect(client.frame(8, "5") == (isRefused ? ["GET 1: 400"] : []))
        #expect(client.say("x") == ["WS 8: 4x"])
    }

    @Test(
        "What is no probe closes the WebSocket, and polling goes on",
        arguments: ["", "2", "2prob", "3probe", "4a", "5", "1", "6", "abc"])
    func noProbe(text: String) {
        let client = EngineIOSessionFixture()
        _ = client.get(1)
        _ = client.open(8)
        #expect(client.frame(8, text) == ["WS 8 closed"])
        #expect(client.handle(.webSocketClosed(8)) == [])
        #expect(client.say("a") == ["GET 1: 4a"])
        #expect(client.frame(8, "2probe") == [])
    }

    @Test("What is no upgrade after the probe closes the WebSocket, and what waited goes to the next GET")
    func noUpgrade() {
        for text in ["2probe", "4a", "3", "1", ""] {
            let client = EngineIOSessionFixture()
            _ = client.open(8)
            #expect(client.frame(8, "2probe") == ["WS 8: 3probe"])
            _ = client.say("waited")
            #expect(client.frame(8, text) == ["WS 8 closed"])
            #expect(client.get(1) == ["GET 1: 4waited"])
        }
    }

    @Test("One WebSocket is tried at a time, and another may be after it")
    func oneAtATime() {
        let client = EngineIOSessionFixture()
        _ = client.open(8)
        #expect(client.open(9) == ["WS 9 closed"])
        #expect(client.frame(9, "2probe") == [])
        #expect(client.handle(.webSocketClosed(8)) == [])
        #expect(client.open(10) == [])
        #expect(client.frame(10, "2probe") == ["WS 10: 3probe"])
        #expect(client.frame(10, "5") == [])
    }

    @Test("A WebSocket that goes after its probe leaves polling as it was")
    func lostProbe() {
        let client = EngineIOSessionFixture()
        _ = client.open(8)
        _ = client.frame(8, "2probe")
        _ = client.say("a")
        #expect(client.handle(.webSocketClosed(8)) == [])
        #expect(client.get(1) == ["GET 1: 4a"])
        #expect(client.session.isOpen)
    }

    @Test("An upgrade that takes too long is given up, probed or not", arguments: [true, false])
    func timeout(isProbed: Bool) {
        let client = EngineIOSessionFixture { $0.upgradeTimeout = .seconds(10) }
        _ = client.open(8)
        if isProbed { _ = client.frame(8, "2probe") }
        _ = client.say("a")
        #expect(client.untilDeadline == .seconds(10))
        #expect(client.wait(.milliseconds(9_999)) == [])
        #expect(client.wait(.milliseconds(1)) == ["WS 8 closed"])
        #expect(client.frame(8, "5") == [])
        #expect(client.get(1) == ["GET 1: 4a"])
    }

    @Test("A session that ends takes the WebSocket that is tried with it")
    func closed() {
        let client = EngineIOSessionFixture()
        _ = client.get(1)
        _ = client.open(8)
        #expect(client.handle(.close(.forcedClose)) == ["WS 8 closed", "GET 1: 1", "closed: forced close"])
        #expect(client.frame(8, "2probe") == [])
        #expect(client.open(9) == ["WS 9 closed"])
    }
}
