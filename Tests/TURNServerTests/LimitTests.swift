import Core
import TURNClient
import Testing

@testable import TURNServer

@Suite("Limits")
struct LimitTests {
    @Test("one credential holds so many allocations and no more, whatever address it comes from")
    func quotaOfCredential() throws {
        var relay = RelayUnderTest { $0.limits.allocationsPerCredential = 2 }
        for index in UInt32(0)..<2 {
            var client = RelayClient(ip: .v4(0x0A00_0001 + index))
            #expect(try client.allocate(&relay) != nil)
        }
        var third = RelayClient(port: 40_001)
        _ = try third.request(.allocate, RelayClient.udp, &relay)
        #expect(try third.request(.allocate, RelayClient.udp, &relay)?.code == 486)
        var other = RelayClient(port: 40_002, name: "viewer-2")
        #expect(try other.allocate(&relay) != nil)
        var first = RelayClient()
        first.nonce = ""
        _ = try first.request(.refresh, [.lifetime(.zero)], &relay)
        _ = try first.request(.refresh, [.lifetime(.zero)], &relay)
        #expect(try third.request(.allocate, RelayClient.udp, &relay)?.isSuccess == true)
    }

    @Test("viewers behind one tunnel address are many, each with its own credential")
    func oneAddress() throws {
        var relay = RelayUnderTest()
        for index in UInt16(0)..<1_000 {
            var client = RelayClient(port: 10_000 + index, name: "viewer-\(index)")
            #expect(try client.allocate(&relay) != nil)
        }
        #expect(relay.server.allocationCount == 1_000)
        #expect(relay.server.counters.droppedAmplification == 0)
    }

    @Test("one address holds so many allocations and no more; another is not disturbed")
    func quotaOfAddress() throws {
        var relay = RelayUnderTest { $0.limits.allocationsPerAddress = 1 }
        var (first, second) = (RelayClient(), RelayClient(port: 40_001, name: "viewer-2"))
        #expect(try first.allocate(&relay) != nil)
        _ = try second.request(.allocate, RelayClient.udp, &relay)
        #expect(try second.request(.allocate, RelayClient.udp, &relay)?.code == 486)
        var elsewhere = RelayClient(name: "viewer-3", ip: .v4(0x0A00_0002))
        #expect(try elsewhere.allocate(&relay) != nil)
        #expect(relay.server.counters.refusedQuota == 1)
    }

    @Test("all addresses of an IPv6 subscriber count as one")
    func quotaOfSubscriber() throws {
        var relay = RelayUnderTest { $0.limits.allocationsPerAddress = 1 }
        var first = RelayClient(ip: .v6(high: 0x2A00_0000_0000_0001, low: 1))
        var second = RelayClient(name: "viewer-2", ip: .v6(high: 0x2A00_0000_0000_0001, low: 2))
        #expect(try first.allocate(&relay) != nil)
        #expect(try second.allocate(&relay) == nil)
    }

    @Test("a full relay says 508")
    func capacity() throws {
        var relay = RelayUnderTest { $0.limits.allocations = 1 }
        var (first, second) = (RelayClient(), RelayClient(port: 40_001, name: "viewer-2"))
        #expect(try first.allocate(&relay) != nil)
        _ = try second.request(.allocate, RelayClient.udp, &relay)
        #expect(try second.request(.allocate, RelayClient.udp, &relay)?.code == 508)
        #expect(relay.server.counters.refusedCapacity == 1)
    }

    @Test("requests within an allocation have their own rate, and do not use up the address's")
    func requestRate() throws {
        var relay = RelayUnderTest {
            $0.limits.requestsPerSecondPerAllocation = 10
            $0.limits.requestsPerSecondPerAddress = 10
        }
        var (hostile, other) = (RelayClient(), RelayClient(port: 40_001, name: "viewer-2"))
        _ = try hostile.allocated(&relay)
        var answered = 0
        for _ in 0..<100 where try hostile.request(.refresh, [], &relay) != nil { answered += 1 }
        #expect(answered == 10)
        #expect(relay.server.counters.droppedOverRate == 90)
        #expect(try other.allocate(&relay) != nil)
        relay.advance(by: .seconds(1))
        #expect(try hostile.request(.refresh, [], &relay)?.isSuccess == true)
    }

    @Test("data within an allocation has a rate")
    func dataRate() throws {
        var relay = RelayUnderTest { $0.limits.datagramsPerSecondPerAllocation = 50 }
        var client = RelayClient()
        _ = try client.allocated(&relay)
        _ = try client.bind(0x4000, RelayUnderTest.media, &relay)
        let relayed = (0..<200).count { _ in relay.send(client.channelData([1]), from: client.path) != nil }
        #expect(relayed == 50)
        relay.advance(by: .milliseconds(100))
        let more = (0..<200).count { _ in relay.send(client.channelData([1]), from: client.path) != nil }
        #expect(more == 5)
    }

    @Test("requests of one address on new paths have a rate, and another address is not disturbed")
    func addressRate() throws {
        var relay = RelayUnderTest { $0.limits.requestsPerSecondPerAddress = 20 }
        for port in UInt16(1)...100 {
            var client = RelayClient(port: port)
            _ = try client.request(.allocate, RelayClient.udp, &relay)
        }
        #expect(relay.server.counters.challenged == 20)
        var other = RelayClient(name: "viewer-2", ip: .v4(0x0A00_0002))
        #expect(try other.allocate(&relay) != nil)
    }
}
