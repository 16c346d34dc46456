import Core
import TURNClient
import Testing

@testable import TURNServer

@Suite("Relaying")
struct RelayingTests {
    static let media = RelayUnderTest.media
    /// The same host, another port.
    static let neighbour = SocketAddress(media.ip, 22)
    static let stranger = SocketAddress(.v4(0x0808_0808), 53)

    @Test("after CreatePermission, Send indications reach the media side with payload and relayed address")
    func sendIndication() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let address = try client.allocated(&relay)
        let indication = client.sendIndication([9, 8, 7], to: Self.media, relay)
        #expect(relay.send(indication, from: client.path) == nil)
        #expect(relay.server.counters.droppedWithoutPermission == 1)
        #expect(try client.permit(Self.media, &relay) == 0)
        guard case .peerData(let id, address, Self.media, let payload) = relay.send(indication, from: client.path)
        else {
            Issue.record("nothing was relayed")
            return
        }
        #expect(id == AllocationID(1))
        #expect(Array(indication[payload]) == [9, 8, 7])
        #expect(relay.server.counters.datagramsRelayed == 1)
    }

    @Test("ChannelBind alone makes the channel and the permission")
    func channelBind() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let address = try client.allocated(&relay)
        #expect(relay.send(client.channelData([5, 6]), from: client.path) == nil)
        #expect(try client.bind(0x4000, Self.media, &relay) == 0)
        let expected = TURNServer.Received.peerData(
            AllocationID(1), relayedAddress: address, peer: Self.media, payload: 4..<6)
        #expect(relay.send(client.channelData([5, 6]), from: client.path) == expected)
        #expect(relay.send(client.channelData([5, 6]) + [0, 0], from: client.path) == expected)
        #expect(relay.send(client.channelData([5, 6], 0x4001), from: client.path) == nil)
        #expect(relay.send(client.sendIndication([1], to: Self.media, relay), from: client.path) != nil)
        #expect(
            relay.server.route(to: address, from: Self.media)
                == .init(path: client.path, wrapping: .channelData(0x4000)))
    }

    @Test("ChannelData that ends before its payload is dropped")
    func truncatedChannelData() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.allocated(&relay)
        _ = try client.bind(0x4000, Self.media, &relay)
        #expect(relay.send([0x40, 0, 0, 3, 1, 2], from: client.path) == nil)
        #expect(relay.send([0x40, 0, 0], from: client.path) == nil)
        #expect(relay.send([0x80, 0, 0, 0], from: client.path) == nil)
        #expect(relay.server.counters.droppedMalformed == 3)
        #expect(relay.send([0x40, 0, 0, 0], from: client.path) != nil)
    }

    @Test("a permission lasts 300 s; renewed, longer")
    func permissionExpiry() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let address = try client.allocated(&relay)
        _ = try client.permit(Self.media, &relay)
        relay.advance(by: .seconds(299))
        #expect(relay.server.route(to: address, from: Self.media)?.wrapping == .dataIndication)
        _ = try client.permit(Self.media, &relay)
        relay.advance(by: .seconds(299))
        #expect(relay.server.route(to: address, from: Self.media)?.wrapping == .dataIndication)
        relay.advance(by: .seconds(1))
        #expect(relay.server.route(to: address, from: Self.media) == nil)
        #expect(relay.send(client.sendIndication([1], to: Self.media, relay), from: client.path) == nil)
    }

    @Test("a channel carries both ways for 600 s without any other renewal, as browsers expect")
    func channelExpiry() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let address = try client.allocated(&relay)
        _ = try client.permit(Self.media, &relay)
        _ = try client.bind(0x4000, Self.media, &relay)
        relay.advance(by: .seconds(480))
        #expect(relay.send(client.channelData([1]), from: client.path) != nil)
        #expect(relay.server.route(to: address, from: Self.media)?.wrapping == .channelData(0x4000))
        _ = try client.bind(0x4000, Self.media, &relay)
        _ = try client.request(.refresh, [], &relay)
        relay.advance(by: .seconds(599))
        #expect(relay.send(client.channelData([1]), from: client.path) != nil)
        _ = try client.request(.refresh, [], &relay)
        relay.advance(by: .seconds(1))
        #expect(relay.send(client.channelData([1]), from: client.path) == nil)
        #expect(relay.server.route(to: address, from: Self.media) == nil)
        #expect(relay.server.counters.droppedWithoutPermission == 1)
    }

    @Test("CreatePermission renewed after ChannelBind does not shorten the permission")
    func permissionKeepsLaterExpiry() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.allocated(&relay)
        _ = try client.bind(0x4000, Self.media, &relay)
        _ = try client.permit(Self.media, &relay)
        relay.advance(by: .seconds(400))
        #expect(relay.send(client.sendIndication([1], to: Self.media, relay), from: client.path) != nil)
    }

    @Test("only this server's own address may be reached")
    func forbiddenPeers() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let address = try client.allocated(&relay)
        #expect(try client.permit(Self.stranger, &relay) == 403)
        #expect(try client.permit(SocketAddress(.loopbackV4, 10111), &relay) == 403)
        #expect(try client.permit(SocketAddress(.anyV6, 10111), &relay) == 443)
        let mixed: [STUNAttribute] = [.xorPeerAddress(Self.media), .xorPeerAddress(Self.stranger)]
        #expect(try client.request(.createPermission, mixed, &relay)?.code == 403)
        #expect(relay.server.route(to: address, from: Self.media) == nil)
        #expect(try client.bind(0x4000, Self.neighbour, &relay) == 403)
        #expect(try client.bind(0x4000, Self.stranger, &relay) == 403)
        #expect(try client.permit(Self.neighbour, &relay) == 0)
        #expect(relay.send(client.sendIndication([1], to: Self.neighbour, relay), from: client.path) == nil)
        #expect(relay.send(client.sendIndication([1], to: Self.stranger, relay), from: client.path) == nil)
        #expect(relay.server.counters.droppedForbiddenPeer == 2)
        #expect(relay.server.counters.refusedPeer == 6)
    }

    @Test("requests that lack what they are about are 400")
    func incompleteRequests() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.allocated(&relay)
        #expect(try client.request(.createPermission, [], &relay)?.code == 400)
        #expect(try client.request(.channelBind, [.xorPeerAddress(Self.media)], &relay)?.code == 400)
        #expect(try client.request(.channelBind, [.channelNumber(0x4000)], &relay)?.code == 400)
        #expect(try client.bind(0x3FFF, Self.media, &relay) == 400)
        #expect(try client.bind(0x5000, Self.media, &relay) == 400)
        #expect(try client.bind(0x4FFF, Self.media, &relay) == 0)
    }

    @Test("a bound channel keeps its peer and a bound peer its channel, until they expire")
    func bindingConflicts() throws {
        let second = SocketAddress(Self.media.ip, 10112)
        var relay = RelayUnderTest { $0.permittedPeers.append(second) }
        var client = RelayClient()
        _ = try client.allocated(&relay)
        #expect(try client.bind(0x4000, Self.media, &relay) == 0)
        #expect(try client.bind(0x4000, second, &relay) == 400)
        #expect(try client.bind(0x4001, Self.media, &relay) == 400)
        #expect(try client.bind(0x4001, second, &relay) == 0)
        relay.advance(by: .seconds(500))
        _ = try client.request(.refresh, [], &relay)
        relay.advance(by: .seconds(101))
        #expect(try client.bind(0x4001, Self.media, &relay) == 0)
    }

    @Test("a route exists only to an allocation of ours that permits the peer")
    func routes() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let address = try client.allocated(&relay)
        #expect(relay.server.route(to: address, from: Self.media) == nil)
        #expect(relay.server.hasAllocation(relayedAddress: address))
        #expect(!relay.server.hasAllocation(relayedAddress: SocketAddress(.loopbackV4, address.port)))
        _ = try client.permit(Self.media, &relay)
        #expect(relay.server.route(to: address, from: Self.media)?.path == client.path)
        #expect(relay.server.route(to: address, from: Self.stranger) == nil)
        #expect(relay.server.route(to: SocketAddress(.loopbackV4, address.port), from: Self.media) == nil)
        #expect(relay.server.route(to: SocketAddress(address.ip, address.port ^ 1), from: Self.media) == nil)
        relay.server.end(relayedAddress: address)
        #expect(relay.server.route(to: address, from: Self.media) == nil)
        #expect(!relay.server.hasAllocation(relayedAddress: address))
    }

    @Test("a Data indication carries peer and payload")
    func dataIndication() throws {
        let relay = RelayUnderTest()
        let bytes = relay.server.dataIndication([1, 2, 3, 4, 5], from: Self.media)
        let message = try STUNMessage(bytes.span)
        #expect(message.messageClass == .indication)
        #expect(message.method == .data)
        #expect(message.xorPeerAddresses == [Self.media])
        #expect(message.data == [1, 2, 3, 4, 5])
        #expect(bytes.count == 36 + 8)
    }

    @Test(
        "a Data indication written in place parses as the composed one does",
        arguments: [media, SocketAddress(.v6(high: 0x2A00_0001_0002_0003, low: 0x0405_0607_0809_0A0B), 10_112)])
    func dataIndicationInPlace(peer: SocketAddress) throws {
        let relay = RelayUnderTest()
        let payload: [UInt8] = [1, 2, 3, 4, 5]
        let header = TURNServer.dataIndicationHeaderByteCount(from: peer)
        let padding = TURNServer.dataIndicationPadding(payloadByteCount: payload.count)
        var bytes = [UInt8](repeating: 0, count: header) + payload + [UInt8](repeating: 0, count: padding)
        bytes.withUnsafeMutableBytes {
            relay.server.writeDataIndicationHeader(payloadByteCount: payload.count, from: peer, into: $0)
        }
        let message = try STUNMessage(bytes.span)
        #expect(message.xorPeerAddresses == [peer])
        #expect(message.data == payload)
        let composed = try STUNMessage(relay.server.dataIndication(payload, from: peer).span)
        #expect(message.attributes == composed.attributes)
        #expect(message.method == composed.method && message.messageClass == composed.messageClass)
        #expect(message.transactionID != composed.transactionID)
    }

    @Test("the ChannelData header written into a batch is the one that is parsed")
    func channelDataHeader() {
        var buffer = [UInt8](repeating: 0xFF, count: 6)
        buffer.withUnsafeMutableBytes {
            TURNServer.writeChannelDataHeader(channel: 0x4ABC, payloadByteCount: 1_234, into: $0)
        }
        #expect(buffer == ChannelData.encodedHeader(channel: 0x4ABC, length: 1_234) + [0xFF, 0xFF])
        #expect(
            (0...5).map { TURNServer.channelDataPadding(payloadByteCount: $0, isStream: true) } == [0, 3, 2, 1, 0, 3])
        #expect(TURNServer.channelDataPadding(payloadByteCount: 5, isStream: false) == 0)
    }

    @Test("over TCP the same exchange works, and the framer's messages are taken as they are")
    func overTCP() throws {
        var relay = RelayUnderTest()
        var client = RelayClient(.tcp(connection: 9, SocketAddress(.v4(0x0A00_0001), 40_000)))
        let address = try client.allocated(&relay)
        #expect(try client.bind(0x4000, Self.media, &relay) == 0)
        var framer = TURNStreamFramer()
        let stream = client.channelData([1, 2, 3]) + [0] + client.channelData([4])
        framer.append(stream.span)
        let message = try #require(try framer.next())
        #expect(
            relay.send(message, from: client.path)
                == .peerData(AllocationID(1), relayedAddress: address, peer: Self.media, payload: 4..<7))
        let route = relay.server.route(to: address, from: Self.media)
        #expect(route?.path.isStream == true)
        #expect(route?.path == client.path)
    }

    @Test("a relay whose media address is IPv6 serves IPv6 peers and refuses IPv4 ones")
    func inIPv6() throws {
        let media = SocketAddress(.v6(high: 0x2A00_0001_0002_0003, low: 5), 10111)
        var relay = RelayUnderTest {
            $0.relayedIP = media.ip
            $0.permittedPeers = [media]
        }
        var client = RelayClient()
        let address = try client.allocated(&relay)
        #expect(address.ip == media.ip)
        #expect(try client.bind(0x4000, Self.media, &relay) == 443)
        #expect(try client.bind(0x4000, media, &relay) == 0)
        #expect(relay.send(client.channelData([1]), from: client.path) != nil)
    }
}
