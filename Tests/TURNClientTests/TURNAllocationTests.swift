import Core
import Testing

@testable import TURNClient

@Suite("TURN allocation")
struct TURNAllocationTests {
    @Test("401 is answered with credentials, and the allocation is reported")
    func allocates() {
        var exchange = TURNExchange()
        exchange.start()
        #expect(exchange.server.requests.map(\.carriesIntegrity) == [false, true])
        #expect(exchange.server.requests.last?.requestedTransport == 17)
        #expect(
            exchange.events == [
                .allocated(
                    relayed: exchange.server.relayedAddress, mapped: SocketAddress("198.51.100.7:40000"),
                    lifetime: .seconds(600))
            ])
        #expect(exchange.client.relayedAddress == exchange.server.relayedAddress)
        #expect(exchange.client.savedAllocation?.nonce == "nonce-1")
    }

    @Test("a wrong password fails with a remedy, is retried after 30 s, and a corrected one works then")
    func wrongPassword() {
        var exchange = TURNExchange()
        exchange.server.password = "other"
        exchange.start()
        #expect(exchange.failureCodes == [.wrongCredentials])
        #expect(exchange.server.count(.allocate) == 2)
        exchange.client.configuration.password = "other"
        exchange.advance(by: .seconds(29))
        #expect(exchange.server.count(.allocate) == 2)
        exchange.advance(by: .seconds(1))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("a realm that changes is news, not a wrong password")
    func changedRealm() {
        var exchange = TURNExchange.allocated()
        exchange.server.realm = "another.example"
        exchange.server.nonce = "nonce-2"
        exchange.client.permit(TURNExchange.peer.ip, now: exchange.now)
        exchange.client.permit(IPAddress("203.0.114.6")!, now: exchange.now)
        exchange.settle()
        #expect(exchange.server.permissions.count == 2)
        #expect(exchange.failureCodes.isEmpty)
    }

    @Test(
        "438 on any request is answered with the new nonce",
        arguments: [STUNMessage.Method.allocate, .refresh, .createPermission, .channelBind])
    func staleNonce(method: STUNMessage.Method) {
        var exchange = TURNExchange()
        exchange.server.errors[method] = [438, 438]
        exchange.start()
        exchange.client.permit(TURNExchange.peer.ip, now: exchange.now)
        exchange.client.bindChannel(TURNExchange.peer, now: exchange.now)
        exchange.settle()
        exchange.advance(by: .seconds(3))
        #expect(exchange.server.errors[method] == [])
        #expect(exchange.server.nonce == "nonce-1++")
        #expect(exchange.server.permissions == [TURNExchange.peer.ip])
        #expect(exchange.server.channels == [0x4000: TURNExchange.peer])
        #expect(exchange.failureCodes.isEmpty)
    }

    @Test("a server that calls every nonce stale is not asked for ever")
    func endlessStaleNonce() {
        var exchange = TURNExchange()
        exchange.server.errors[.allocate] = Array(repeating: 438, count: 50)
        exchange.start()
        #expect(exchange.failureCodes == [.staleNonce])
        #expect(exchange.server.count(.allocate) == 4)
    }

    @Test(
        "an error that only an operator can mend is reported with a remedy and retried",
        arguments: [
            (403, TURNError.Code.forbidden, 30), (442, .unsupportedTransport, 30), (486, .quotaReached, 1),
            (508, .insufficientCapacity, 1), (441, .allocationOfAnotherUser, 1), (500, .refused, 1),
        ])
    func refusedAllocation(status: Int, code: TURNError.Code, seconds: Int) {
        var exchange = TURNExchange()
        exchange.server.errors[.allocate] = [status]
        exchange.start()
        guard case .failed(let error, let again)? = exchange.events.first else {
            Issue.record("no failure was reported")
            return
        }
        #expect(error.code == code)
        #expect(error.statusCode == status)
        #expect(!error.remedy.isEmpty)
        #expect(again == exchange.now + .seconds(seconds))
        #expect(exchange.client.state == .waiting(until: again))
        exchange.advance(by: .seconds(seconds))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("508 is asked less and less often, at last every 15 s")
    func backoff() {
        var exchange = TURNExchange()
        exchange.server.errors[.allocate] = Array(repeating: 508, count: 1000)
        exchange.start()
        exchange.advance(by: .seconds(15))  // 1, 2, 4 and 8 s
        #expect(exchange.failureCodes.count == 5)
        exchange.advance(by: .seconds(150))
        #expect(exchange.failureCodes.count == 15)
    }

    @Test("300 leads to the other server, but not in a circle")
    func redirected() {
        var exchange = TURNExchange()
        let other = SocketAddress("192.0.2.2:3478")!
        exchange.server.alternateServer = other
        exchange.client.start(now: exchange.now)
        let first = exchange.client.pollTransmit()!
        let answer = exchange.server.answer(first)!
        #expect(exchange.receive(answer) == .handled)
        #expect(exchange.events.first == .redirected(other))
        #expect(exchange.client.server == other)
        // The same script at the other server sends us back to itself: that is a circle.
        #expect(exchange.failureCodes == [.redirected])
        exchange.server.alternateServer = nil
        exchange.advance(by: .seconds(30))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("release frees the allocation, even with a stale nonce")
    func release() {
        var exchange = TURNExchange.allocated()
        exchange.server.nonce = "nonce-2"
        exchange.client.release(now: exchange.now)
        exchange.settle()
        #expect(!exchange.server.hasAllocation)
        #expect(exchange.events == [.released])
        #expect(exchange.client.state == .released)
        #expect(exchange.client.deadline == nil)
        exchange.start()
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("release of a silent server ends after 5.5 s")
    func releaseUnanswered() {
        var exchange = TURNExchange.allocated()
        exchange.server.isSilent = true
        exchange.client.release(now: exchange.now)
        exchange.settle()
        exchange.advance(by: .milliseconds(5400))
        #expect(exchange.events == [])
        exchange.advance(by: .milliseconds(100))
        #expect(exchange.events == [.released])
    }

    @Test("a success that is unsigned or signed with another key is ignored")
    func forgedSuccess() {
        var exchange = TURNExchange()
        exchange.server.signsResponses = false
        exchange.start()
        #expect(exchange.client.state == .allocating)
        #expect(exchange.events == [])
        let request = exchange.server.requests.last!
        let forged = STUNMessage.success(
            to: request,
            attributes: [.xorRelayedAddress(SocketAddress("192.0.2.66:1")!), .lifetime(.seconds(600))]
        ).encoded(key: [1, 2, 3])
        #expect(exchange.receive(forged) == .ignored)
        #expect(exchange.client.state == .allocating)
    }

    @Test("a success without a relayed address, or with no lifetime to speak of, is a failure")
    func malformedSuccess() {
        var exchange = TURNExchange()
        exchange.server.lifetime = .zero
        exchange.start()
        #expect(exchange.failureCodes == [.malformedResponse])
    }

    @Test("hostile bytes are ignored and change nothing")
    func hostileBytes() {
        var exchange = TURNExchange.allocated()
        let before = exchange.client.state
        let random = RandomSource.seeded(3)
        for round in 0..<5_000 {
            let bytes = random.bytes(round % 64)
            #expect(exchange.receive(bytes) == .ignored)
        }
        #expect(exchange.client.state == before)
        #expect(exchange.events == [])
    }
}
