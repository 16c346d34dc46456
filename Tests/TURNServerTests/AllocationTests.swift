import Core
import TURNClient
import Testing

@testable import TURNServer

@Suite("Allocations")
struct AllocationTests {
    @Test("each allocation has a relayed address of its own, outside the reserved ports")
    func distinctAddresses() throws {
        var relay = RelayUnderTest {
            $0.permittedPeers.append(SocketAddress(.v4(0xCB00_7105), 20_000))
            $0.limits.allocationsPerCredential = 1_000
        }
        var addresses: Set<SocketAddress> = []
        for port in UInt16(1)...500 {
            var client = RelayClient(port: port)
            addresses.insert(try client.allocated(&relay))
        }
        #expect(addresses.count == 500)
        #expect(addresses.allSatisfy { $0.port >= 1024 && !(10110...10115).contains($0.port) && $0.port != 20_000 })
        #expect(relay.server.allocationCount == 500)
    }

    @Test("ports come back as late as they can and never twice, even where few are left")
    func portReuse() throws {
        var table = AllocationTable(
            reservedPorts: 1_030...65_535, takenPorts: [1_025], random: .seeded(1))
        var given: Set<UInt16> = []
        for index in 0..<5 {
            let next = table.nextPort()
            let port = try #require(next)
            given.insert(port)
            table.insert(.fixture(index: UInt16(index), port: port))
        }
        #expect(given == [1_024, 1_026, 1_027, 1_028, 1_029])
        #expect(table.nextPort() == nil)
        let slot = try #require(table.slot(ofRelayedPort: 1_027))
        _ = table.remove(slot: slot)
        #expect(table.nextPort() == 1_027)
        #expect(table.count == 4)
    }

    @Test("a retransmitted Allocate is answered as before, another one is 437")
    func retransmission() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        let id = relay.transactionID()
        let first = try client.request(.allocate, RelayClient.udp, &relay, transactionID: id)
        relay.advance(by: .seconds(2))
        let second = try client.request(.allocate, RelayClient.udp, &relay, transactionID: id)
        #expect(first?.message.xorRelayedAddress != nil)
        #expect(second?.message.xorRelayedAddress == first?.message.xorRelayedAddress)
        #expect(second?.message.lifetime == .seconds(598))
        #expect(relay.server.allocationCount == 1)
        #expect(try client.request(.allocate, RelayClient.udp, &relay)?.code == 437)
        #expect(relay.server.counters.allocationsMade == 1)
    }

    @Test("another credential in an allocation is 441, and an Allocate on its path 437")
    func wrongCredentials() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.allocate(&relay)
        var other = RelayClient(name: "viewer-2")
        other.nonce = client.nonce
        #expect(try other.request(.refresh, [], &relay)?.code == 441)
        #expect(try other.request(.allocate, RelayClient.udp, &relay)?.code == 437)
        #expect(relay.server.counters.refusedWrongUser == 1)
    }

    @Test("without an allocation Refresh, CreatePermission and ChannelBind are 437")
    func noAllocation() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(try client.request(.refresh, [], &relay)?.code == 437)
        #expect(try client.permit(RelayUnderTest.media, &relay) == 437)
        #expect(try client.bind(0x4000, RelayUnderTest.media, &relay) == 437)
    }

    @Test("the transport must be asked for, and be UDP")
    func transport() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(try client.request(.allocate, [], &relay)?.code == 400)
        #expect(try client.request(.allocate, [.requestedTransport(6)], &relay)?.code == 442)
        let inIPv6 = RelayClient.udp + [.requestedAddressFamily(.v6)]
        #expect(try client.request(.allocate, inIPv6, &relay)?.code == 440)
        let inIPv4 = RelayClient.udp + [.requestedAddressFamily(.v4), .dontFragment]
        #expect(try client.request(.allocate, inIPv4, &relay)?.isSuccess == true)
    }

    @Test("attributes that we cannot follow are 420, named")
    func unknownAttributes() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        let attributes =
            RelayClient.udp + [.evenPort(reservesNext: true), .unknown(type: 0x7FFE, value: [1, 2, 3, 4])]
        let answer = try client.request(.allocate, attributes, &relay)
        #expect(answer?.code == 420)
        #expect(answer?.isSigned == true)
        #expect(Set(answer?.message.unknownAttributes ?? []) == [0x0018, 0x7FFE])
        let optional = RelayClient.udp + [.unknown(type: 0xC057, value: [1, 2, 3, 4])]
        #expect(try client.request(.allocate, optional, &relay)?.isSuccess == true)
    }

    @Test(
        "the lifetime asked for is kept between the default and the maximum",
        arguments: [
            (1, 600), (600, 600), (900, 900), (100_000, 3_600),
        ])
    func lifetimes(asked: Int64, given: Int64) throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.allocate(&relay)
        let answer = try client.request(.refresh, [.lifetime(.seconds(asked))], &relay)
        #expect(answer?.message.lifetime == .seconds(given))
    }

    @Test("an allocation ends when its lifetime does, unless it was refreshed")
    func expiry() throws {
        var relay = RelayUnderTest()
        var (kept, left) = (RelayClient(), RelayClient(port: 40_001, name: "viewer-2"))
        _ = try kept.allocate(&relay)
        let address = try left.allocated(&relay)
        _ = relay.events()
        #expect(relay.server.deadline == relay.now + .seconds(600))
        relay.advance(by: .seconds(500))
        _ = try kept.request(.refresh, [], &relay)
        relay.advance(by: .seconds(100))
        #expect(
            relay.events() == [.ended(AllocationID(2), relayedAddress: address, client: left.path, reason: .expired)])
        #expect(relay.server.allocationCount == 1)
        relay.advance(by: .seconds(600))
        #expect(relay.server.allocationCount == 0)
        #expect(relay.server.deadline == nil)
    }

    @Test("an expired allocation serves nothing although no timer ran")
    func lateTimer() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.allocate(&relay)
        #expect(try client.bind(0x4000, RelayUnderTest.media, &relay) == 0)
        relay.advance(by: .seconds(600), firingTimer: false)
        #expect(relay.send(client.channelData([1]), from: client.path) == nil)
        #expect(relay.server.counters.droppedWithoutAllocation == 1)
        #expect(relay.server.allocationCount == 0)
    }

    @Test("Refresh with lifetime 0 ends the allocation, and its path is free again")
    func release() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let first = try client.allocated(&relay)
        _ = relay.events()
        let answer = try client.request(.refresh, [.lifetime(.zero)], &relay)
        #expect(answer?.message.lifetime == .zero)
        #expect(answer?.isSigned == true)
        #expect(
            relay.events() == [.ended(AllocationID(1), relayedAddress: first, client: client.path, reason: .released)])
        let second = try client.allocate(&relay)
        #expect(second != nil)
        #expect(second != first)
    }

    @Test("the server ends an allocation by its relayed address, and only that one")
    func endedByServer() throws {
        var relay = RelayUnderTest()
        var (client, other) = (RelayClient(), RelayClient(port: 40_001))
        let address = try client.allocated(&relay)
        _ = try other.allocate(&relay)
        _ = relay.events()
        relay.server.end(relayedAddress: SocketAddress(.loopbackV4, address.port))
        #expect(relay.server.allocationCount == 2)
        relay.server.end(relayedAddress: address)
        relay.server.end(relayedAddress: address)
        #expect(relay.events().count == 1)
        #expect(try client.request(.refresh, [], &relay)?.code == 437)
        #expect(try other.request(.refresh, [], &relay)?.isSuccess == true)
    }

    @Test("a closed connection ends its allocation; a new one from the same address has its own")
    func connectionClosed() throws {
        var relay = RelayUnderTest()
        let address = SocketAddress(.v4(0x0A00_0001), 40_000)
        var first = RelayClient(.tcp(connection: 1, address))
        var second = RelayClient(.tcp(connection: 2, address))
        var datagrams = RelayClient(.udp(address))
        for client in [try first.allocate(&relay), try second.allocate(&relay), try datagrams.allocate(&relay)] {
            #expect(client != nil)
        }
        relay.server.connectionClosed(first.path)
        relay.server.connectionClosed(first.path)
        #expect(relay.server.allocationCount == 2)
        #expect(try first.request(.refresh, [], &relay)?.code == 437)
        #expect(try second.request(.refresh, [], &relay)?.isSuccess == true)
    }
}

extension Allocation {
    static func fixture(index: UInt16, port: UInt16) -> Allocation {
        Allocation(
            id: AllocationID(UInt64(index)), path: .udp(SocketAddress(.loopbackV4, index)), relayedPort: port,
            username: "1:\(index)", key: [], transactionID: STUNTransactionID(random: .seeded(1)),
            expiry: .distantFuture, requests: TokenBucket(level: 1, now: .zero),
            datagrams: TokenBucket(level: 1, now: .zero))
    }
}
