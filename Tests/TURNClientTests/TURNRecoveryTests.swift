import Core
import Testing

@testable import TURNClient

@Suite("TURN recovery")
struct TURNRecoveryTests {
    @Test("requests are sent again at 0.5, 1.5 and 3.5 s, unchanged")
    func retransmission() {
        var exchange = TURNExchange()
        exchange.server.isSilent = true
        exchange.start()
        let begin = exchange.now
        exchange.advance(by: .seconds(5))
        #expect(exchange.sent.map { ($0.at - begin).milliseconds } == [0, 500, 1500, 3500])
        #expect(Set(exchange.sent.map(\.bytes)).count == 1)
    }

    @Test("a permission request is sent seven times within 31.5 s")
    func sevenSends() {
        var exchange = TURNExchange.allocated()
        exchange.server.isSilent = true
        let begin = exchange.now
        exchange.client.permit(TURNExchange.peer.ip, now: begin)
        exchange.settle()
        exchange.advance(by: .seconds(39))
        let times = exchange.sent.filter { (try? STUNMessage($0.bytes))?.method == .createPermission }
            .map { ($0.at - begin).milliseconds }
        #expect(times == [0, 500, 1500, 3500, 7500, 15500, 31500])
    }

    @Test("a server that is away is found within 3 s of its return")
    func serverReturns() {
        for away in [1, 4, 7, 13, 26] {
            var exchange = TURNExchange()
            exchange.server.isSilent = true
            exchange.start()
            exchange.advance(by: .seconds(away))
            exchange.server.isSilent = false
            exchange.advance(by: .seconds(3))
            #expect(exchange.client.relayedAddress != nil, "away for \(away) s")
        }
    }

    @Test("a server that was restarted gives a new allocation within 10 s, with permissions and channels")
    func serverRestarts() {
        for away in [Duration.zero, .seconds(1), .seconds(5)] {
            var exchange = TURNExchange.allocated()
            exchange.client.permit(TURNExchange.peer.ip, now: exchange.now)
            exchange.client.bindChannel(TURNExchange.peer, now: exchange.now)
            exchange.settle()
            exchange.events = []
            exchange.server.restart(nonce: "nonce-of-another-process")
            exchange.server.relayedAddress = SocketAddress("192.0.2.9:10112")!
            exchange.server.isSilent = true
            exchange.advance(by: away)
            exchange.server.isSilent = false
            exchange.advance(by: .seconds(10) - away)
            #expect(exchange.client.relayedAddress == SocketAddress("192.0.2.9:10112"))
            #expect(exchange.server.permissions == [TURNExchange.peer.ip])
            #expect(exchange.server.channels.values.contains(TURNExchange.peer))
            let losses = exchange.events.filter { if case .lost = $0 { true } else { false } }
            #expect(losses.count == 1)
            #expect(exchange.events.contains(.channelBound(TURNExchange.peer)))
        }
    }

    @Test("an allocation that the server drops each time is not asked for more than once a second")
    func dropsEachTime() {
        var exchange = TURNExchange.allocated()
        exchange.server.errors[.createPermission] = Array(repeating: 437, count: 1000)
        exchange.client.permit(TURNExchange.peer.ip, now: exchange.now)
        exchange.settle()
        for _ in 0..<100 {
            exchange.server.endAllocation()
            exchange.advance(by: .milliseconds(100))
        }
        #expect(exchange.server.count(.allocate) <= 13)
        #expect(exchange.server.count(.allocate) >= 9)
    }

    @Test("silence is reported once, and its end too; the allocation lives on")
    func unresponsive() {
        var exchange = TURNExchange.allocated()
        exchange.server.isSilent = true
        exchange.advance(by: .seconds(30))
        #expect(exchange.events == [.unresponsive])
        exchange.server.isSilent = false
        exchange.advance(by: .seconds(3))
        #expect(exchange.events == [.unresponsive, .responsive])
        #expect(exchange.client.relayedAddress == exchange.server.relayedAddress)
    }

    @Test("an allocation that could not be refreshed in its lifetime is lost")
    func expires() {
        var exchange = TURNExchange.allocated()
        exchange.server.isSilent = true
        exchange.advance(by: .seconds(599))
        #expect(exchange.client.relayedAddress != nil)
        exchange.advance(by: .seconds(2))
        #expect(exchange.client.relayedAddress == nil)
        #expect(exchange.events.contains(.lost(.expired)))
    }

    @Test("without probes an allocation is refreshed at half its lifetime")
    func refreshes() {
        var configuration = TURNExchange.configuration()
        configuration.probeInterval = .seconds(3600)
        var exchange = TURNExchange.allocated(configuration)
        exchange.advance(by: .seconds(299))
        #expect(exchange.server.count(.refresh) == 0)
        exchange.advance(by: .seconds(3301))
        #expect(exchange.server.count(.refresh) == 12)
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("437 with a saved allocation: it is kept, at the address it had")
    func keepsSaved() {
        var former = TURNExchange.allocated()
        former.client.bindChannel(TURNExchange.peer, now: former.now)
        former.settle()
        var exchange = TURNExchange(restoring: former.client.savedAllocation)
        exchange.server = former.server
        exchange.start()
        #expect(exchange.client.relayedAddress == former.client.relayedAddress)
        #expect(exchange.events.count == 1)
        #expect(exchange.server.count(.allocate) == former.server.count(.allocate) + 1)
        // The old number still stands on the server; another peer must not get it, and the old peer no other.
        for port in UInt16(6000)..<6050 {
            exchange.client.bindChannel(SocketAddress(TURNExchange.peer.ip, port), now: exchange.now)
        }
        exchange.client.bindChannel(TURNExchange.peer, now: exchange.now)
        exchange.settle()
        #expect(exchange.server.channels.count == 51)
        let header = exchange.client.header(for: TURNExchange.peer, payloadCount: 1)
        #expect(header == .sendIndication)
    }

    @Test("437 with a saved allocation that the server refuses to keep: it is freed, and another made after 1 s")
    func savedIsRefused() {
        var former = TURNExchange.allocated()
        let saved = former.client.savedAllocation
        former.server.errors[.refresh] = [400]
        var exchange = TURNExchange(restoring: saved)
        exchange.server = former.server
        exchange.start()
        #expect(!exchange.server.hasAllocation)
        #expect(exchange.client.relayedAddress == nil)
        exchange.advance(by: .seconds(1))
        #expect(exchange.client.relayedAddress != nil)
        #expect(exchange.failureCodes.isEmpty)
    }

    @Test("437 with nothing saved: the allocation is freed, and another made after 1 s")
    func freesUnknown() {
        var exchange = TURNExchange()
        exchange.server.hasAllocation = true
        exchange.start()
        #expect(!exchange.server.hasAllocation)
        exchange.advance(by: .seconds(1))
        #expect(exchange.client.relayedAddress != nil)
        #expect(exchange.failureCodes.isEmpty)
    }

    @Test("a port that stays held after Refresh(0) is asked for each second without another, then reported")
    func freedButHeld() {
        var exchange = TURNExchange()
        exchange.server.hasAllocation = true
        exchange.server.keepsFreed = true
        exchange.start()
        exchange.advance(by: .milliseconds(7500))
        #expect(exchange.server.requests.count { $0.method == .refresh && $0.carriesIntegrity } == 1)
        #expect(exchange.server.count(.allocate) == 8)
        #expect(exchange.failureCodes.isEmpty)
        exchange.advance(by: .seconds(1))
        #expect(exchange.failureCodes == [.allocationMismatch])
        exchange.server.keepsFreed = false
        exchange.advance(by: .seconds(3))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("437 and then 441: the allocation is another user's, and the failure says what to do")
    func anotherUsersAllocation() {
        var exchange = TURNExchange()
        exchange.server.hasAllocation = true
        exchange.server.errors[.refresh] = [441]
        exchange.start()
        #expect(exchange.failureCodes == [.allocationOfAnotherUser])
        exchange.advance(by: .seconds(3))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("what another user or another server saved is not taken up")
    func foreignSavedState() {
        var saved = TURNExchange.allocated().client.savedAllocation!
        saved.username = "somebody"
        var exchange = TURNExchange(restoring: saved)
        exchange.server.hasAllocation = true
        exchange.start()
        exchange.advance(by: .seconds(1))
        #expect(exchange.server.requests.first?.carriesIntegrity == false)
        #expect(exchange.server.requests.contains { $0.method == .refresh && $0.lifetime == .zero })
    }

    @Test("an Allocate whose success was lost again and again is still recovered from")
    func lostSuccess() {
        var exchange = TURNExchange()
        exchange.losesResponse = { (1...4).contains($0) }
        exchange.start()
        exchange.advance(by: .seconds(10))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("with every third message lost either way all is installed and kept for an hour", arguments: 0..<5)
    func heavyLoss(seed: UInt64) {
        let random = RandomSource.seeded(seed)
        var exchange = TURNExchange()
        exchange.losesRequest = { _ in random.uint64() % 3 == 0 }
        exchange.losesResponse = { _ in random.uint64() % 3 == 0 }
        exchange.start()
        for number in 1...40 {
            let peer = SocketAddress(.v4(0xCB00_7200 + UInt32(number)), 5000)
            exchange.client.permit(peer.ip, now: exchange.now)
            exchange.client.bindChannel(peer, now: exchange.now)
        }
        exchange.settle()
        exchange.advance(by: .seconds(3600))
        #expect(exchange.client.relayedAddress != nil)
        #expect(Set(exchange.server.permissions).count == 40)
        #expect(exchange.server.channels.count == 40)
        let losses = exchange.events.filter { if case .lost = $0 { true } else { false } }
        #expect(losses.isEmpty)
    }

    @Test("a stream sends once, reports its closing, and begins anew")
    func stream() {
        var configuration = TURNExchange.configuration()
        configuration.isStream = true
        var exchange = TURNExchange.allocated(configuration)
        exchange.client.permit(TURNExchange.peer.ip, now: exchange.now)
        exchange.settle()
        exchange.client.transportClosed(now: exchange.now)
        exchange.settle()
        #expect(exchange.events.last == .lost(.transportClosed))
        #expect(exchange.client.state == .idle)
        exchange.server.endAllocation()
        exchange.start()
        #expect(exchange.client.relayedAddress != nil)
        #expect(exchange.server.permissions == [TURNExchange.peer.ip])

        exchange.server.isSilent = true
        let count = exchange.sent.count
        exchange.advance(by: .seconds(11))
        #expect(exchange.sent.count == count + 1)
    }
}
