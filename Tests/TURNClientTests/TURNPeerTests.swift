import Core
import Testing

@testable import TURNClient

@Suite("TURN permissions, channels and data")
struct TURNPeerTests {
    let peer = TURNExchange.peer

    @Test("a permission wished for before the allocation is installed with it, and renewed every 240 s")
    func permissions() {
        var exchange = TURNExchange()
        exchange.client.permit(peer.ip, now: exchange.now)
        exchange.start()
        #expect(exchange.events.last == .permissionGranted(peer.ip))
        #expect(exchange.client.isPermitted(peer.ip))
        exchange.advance(by: .seconds(239))
        #expect(exchange.server.count(.createPermission) == 1)
        exchange.advance(by: .seconds(721))
        #expect(exchange.server.count(.createPermission) == 5)
        #expect(exchange.events.count { $0 == .permissionGranted(peer.ip) } == 1)
        exchange.client.forget(peer.ip, now: exchange.now)
        exchange.advance(by: .seconds(600))
        #expect(exchange.server.count(.createPermission) == 5)
    }

    @Test("403 denies the peer with coturn's option in the remedy, and is not asked again within a minute")
    func deniedPermission() {
        var exchange = TURNExchange.allocated()
        exchange.server.errors[.createPermission] = [403]
        exchange.client.permit(peer.ip, now: exchange.now)
        exchange.settle()
        guard case .permissionDenied(let ip, let error)? = exchange.events.last else {
            Issue.record("no denial was reported")
            return
        }
        #expect(ip == peer.ip)
        #expect(error.code == .forbidden)
        #expect(error.remedy.contains("denied-peer-ip"))
        for _ in 0..<10 {
            exchange.client.forget(peer.ip, now: exchange.now)
            exchange.client.permit(peer.ip, now: exchange.now)
        }
        exchange.settle()
        #expect(exchange.server.count(.createPermission) == 1)
        #expect(exchange.events.count == 11)
        exchange.advance(by: .seconds(60))
        exchange.client.permit(peer.ip, now: exchange.now)
        exchange.settle()
        #expect(exchange.client.isPermitted(peer.ip))
        #expect(exchange.client.relayedAddress != nil)
    }

    @Test("permissions have a limit, and what is forgotten makes room")
    func permissionLimit() {
        var configuration = TURNExchange.configuration()
        configuration.maximumPermissions = 100
        var exchange = TURNExchange.allocated(configuration)
        for number in 0..<200 { exchange.client.permit(.v4(0x0100_0000 + UInt32(number)), now: exchange.now) }
        exchange.settle()
        #expect(exchange.server.permissions.count == 100)
        #expect(exchange.events.count { if case .permissionDenied = $0 { true } else { false } } == 100)
        exchange.client.forget(.v4(0x0100_0000), now: exchange.now)
        exchange.client.permit(peer.ip, now: exchange.now)
        exchange.settle()
        #expect(exchange.client.isPermitted(peer.ip))
    }

    @Test("no more than 32 requests are under way at once")
    func requestsUnderWay() {
        var exchange = TURNExchange.allocated()
        exchange.server.isSilent = true
        let before = exchange.sent.count
        for number in 0..<200 { exchange.client.permit(.v4(0x0100_0000 + UInt32(number)), now: exchange.now) }
        exchange.settle()
        #expect(exchange.sent.count == before + 32)
    }

    @Test("a bound channel carries data with four bytes of header, a stream's with padding")
    func channelData() {
        for isStream in [false, true] {
            var configuration = TURNExchange.configuration()
            configuration.isStream = isStream
            var exchange = TURNExchange.allocated(configuration)
            #expect(exchange.client.header(for: peer, payloadCount: 5) == .sendIndication)
            exchange.client.bindChannel(peer, now: exchange.now)
            exchange.settle()
            #expect(exchange.events == [.channelBound(peer)])
            #expect(
                exchange.client.header(for: peer, payloadCount: 5)
                    == .channelData(header: 0x4000_0005, padding: isStream ? 3 : 0))
            let wrapped = exchange.client.wrap([1, 2, 3, 4, 5].span, to: peer)
            #expect(wrapped == [0x40, 0, 0, 5, 1, 2, 3, 4, 5] + (isStream ? [0, 0, 0] : []))
            #expect(exchange.receive([0x40, 0, 0, 2, 8, 9]) == .data(from: peer, payload: 4..<6))
            #expect(exchange.receive([0x40, 1, 0, 2, 8, 9]) == .ignored)
            #expect(exchange.receive([0x40, 0, 0, 3, 8, 9]) == .ignored)
        }
    }

    @Test("without a channel data goes in Send indications and comes in Data indications")
    func indications() throws {
        var exchange = TURNExchange.allocated()
        let payload: [UInt8] = [1, 2, 3]
        let message = exchange.client.wrap(payload.span, to: peer)
        let wrapped = try #require(message)
        let send = try STUNMessage(wrapped)
        #expect(send.messageClass == .indication)
        #expect(send.method == .send)
        #expect(send.xorPeerAddresses == [peer])
        #expect(send.data == [1, 2, 3])
        let data = STUNMessage.indication(
            .data, transactionID: STUNTransactionID(random: .seeded(9)),
            attributes: [.xorPeerAddress(peer), .data([7, 8])]
        ).encoded()
        guard case .data(let from, let range) = exchange.receive(data) else {
            Issue.record("the indication was not taken")
            return
        }
        #expect(from == peer)
        #expect(Array(data[range]) == [7, 8])
        #expect(exchange.receive(wrapped) == .ignored)
    }

    @Test(
        "nothing is sent to an address that could end the whole allocation",
        arguments: [
            "203.0.114.5:0", "0.0.0.0:9", "0.0.0.1:9", "224.0.0.1:9", "255.255.255.255:9", "[::]:9", "[ff02::1]:9",
        ])
    func unroutable(text: String) throws {
        var exchange = TURNExchange.allocated()
        let bad = try #require(SocketAddress(text))
        exchange.client.bindChannel(bad, now: exchange.now)
        exchange.client.permit(bad.ip, now: exchange.now)
        exchange.settle()
        #expect(exchange.server.count(.channelBind) == 0)
        #expect(exchange.client.header(for: bad, payloadCount: 1) == nil)
        #expect(exchange.client.isPermitted(bad.ip) == (bad.port == 0))
    }

    @Test("without an allocation nothing is wrapped and nothing is taken")
    func noAllocation() {
        var exchange = TURNExchange()
        #expect(exchange.client.header(for: peer, payloadCount: 1) == nil)
        #expect(exchange.client.wrap([1].span, to: peer) == nil)
        #expect(exchange.receive([0x40, 0, 0, 0]) == .ignored)
    }

    @Test("a channel is renewed every 480 s while it is wanted")
    func channelRenewal() {
        var exchange = TURNExchange.allocated()
        exchange.client.bindChannel(peer, now: exchange.now)
        exchange.settle()
        exchange.advance(by: .seconds(479))
        #expect(exchange.server.count(.channelBind) == 1)
        exchange.advance(by: .seconds(482))
        #expect(exchange.server.count(.channelBind) == 3)
        #expect(exchange.events == [.channelBound(peer)])
    }

    @Test("a number is not given to another peer before its binding's 10 minutes and 5 more have passed")
    func channelCooldown() {
        var exchange = TURNExchange.allocated()
        let peers = (0..<4096).map { SocketAddress(peer.ip, UInt16(10_000 + $0)) }
        for peer in peers { exchange.client.bindChannel(peer, now: exchange.now) }
        exchange.settle()
        #expect(exchange.server.channels.count == 4096)
        exchange.client.unbindChannel(peers[77], now: exchange.now)
        let another = SocketAddress(peer.ip, 9)
        exchange.advance(by: .seconds(899))
        exchange.client.bindChannel(another, now: exchange.now)
        exchange.settle()
        #expect(exchange.client.header(for: another, payloadCount: 0) == .sendIndication)
        #expect(exchange.client.header(for: peers[77], payloadCount: 0) == .sendIndication)
        exchange.advance(by: .seconds(1))
        #expect(exchange.client.channels.entries[peers[77]] == nil)
        exchange.client.bindChannel(another, now: exchange.now)
        #expect(exchange.client.channels.entries[another]?.number == UInt16(0x404D))
    }

    @Test("a peer that comes back within the cooldown gets the number it had")
    func samePairAgain() {
        var exchange = TURNExchange.allocated()
        exchange.client.bindChannel(SocketAddress(peer.ip, 1), now: exchange.now)
        exchange.client.bindChannel(peer, now: exchange.now)
        exchange.settle()
        exchange.client.unbindChannel(peer, now: exchange.now)
        exchange.advance(by: .seconds(700))
        #expect(exchange.client.header(for: peer, payloadCount: 0) == .sendIndication)
        exchange.client.bindChannel(peer, now: exchange.now)
        exchange.settle()
        #expect(exchange.client.header(for: peer, payloadCount: 0) == .channelData(header: 0x4001_0000, padding: 0))
    }

    @Test("a number that the server refuses is left, and the next one tried")
    func refusedNumber() {
        var exchange = TURNExchange.allocated()
        exchange.server.errors[.channelBind] = [400]
        exchange.client.bindChannel(peer, now: exchange.now)
        exchange.settle()
        #expect(exchange.server.channels == [0x4001: peer])
        #expect(exchange.events == [.channelBound(peer)])
    }

    @Test("403 to ChannelBind denies the peer's permission")
    func forbiddenChannel() {
        var exchange = TURNExchange.allocated()
        exchange.client.permit(peer.ip, now: exchange.now)
        exchange.settle()
        exchange.server.errors[.channelBind] = [403]
        exchange.client.bindChannel(peer, now: exchange.now)
        exchange.settle()
        guard case .permissionDenied(peer.ip, _)? = exchange.events.last else {
            Issue.record("no denial was reported")
            return
        }
        #expect(exchange.client.header(for: peer, payloadCount: 0) == .sendIndication)
    }
}
