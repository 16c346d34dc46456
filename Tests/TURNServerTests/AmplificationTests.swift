import Core
import TURNClient
import Testing

@testable import TURNServer

@Suite("Amplification")
struct AmplificationTests {
    @Test(
        "an unproven address draws no more than it sent and a small allowance",
        arguments: [
            STUNMessage.Method.allocate, .binding, .refresh,
        ])
    func unproven(method: STUNMessage.Method) {
        var relay = RelayUnderTest()
        let path = TURNClientPath.udp(SocketAddress(.v4(0x0A00_0009), 1))
        var (sent, received) = (0, 0)
        for _ in 0..<2_000 {
            let request = STUNMessage.request(method, transactionID: relay.transactionID()).encoded()
            sent += request.count
            received += relay.answer(to: request, from: path)?.count ?? 0
        }
        #expect(received <= sent + 2_048)
        #expect(received > sent / 2)
        #expect(relay.server.counters.droppedAmplification > 0)
    }

    @Test("wrong credentials draw no more either")
    func wrongCredentials() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        client.password = "guess"
        var (sent, received) = (0, 0)
        for _ in 0..<500 {
            let request = client.signed(
                .request(.allocate, transactionID: relay.transactionID(), attributes: RelayClient.udp))
            sent += request.count
            received += relay.answer(to: request, from: client.path)?.count ?? 0
        }
        #expect(received <= sent)
    }

    @Test("the challenge is short")
    func challengeLength() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let answer = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(try #require(answer?.byteCount) <= 64)
    }

    @Test("a flood of forged sources ends at one shared account and leaves known addresses theirs")
    func forgedSources() throws {
        var relay = RelayUnderTest { $0.limits.trackedAddresses = 64 }
        var viewer = RelayClient()
        _ = try viewer.allocated(&relay)
        var received = 0
        for index in UInt32(0)..<10_000 {
            let path = TURNClientPath.udp(SocketAddress(.v4(0xC000_0000 + index), 9))
            let request = STUNMessage.request(.allocate, transactionID: relay.transactionID()).encoded()
            received += relay.answer(to: request, from: path)?.count ?? 0
        }
        #expect(relay.server.ledger.count == 64)
        #expect(received <= 10_000 * 20 + 65 * 2_048)
        var second = RelayClient(port: 40_001)
        #expect(try second.allocate(&relay) != nil)
        relay.advance(by: .seconds(61))
        #expect(relay.server.ledger.count == 1)
    }

    @Test("a proven address may have many viewers come back at once")
    func tunnel() throws {
        var relay = RelayUnderTest()
        var first = RelayClient()
        _ = try first.allocated(&relay)
        for index in UInt16(0)..<500 {
            var client = RelayClient(port: 10_000 + index, name: "viewer-\(index)")
            _ = try client.request(.allocate, RelayClient.udp, &relay)
        }
        #expect(relay.server.counters.challenged == 501)
        #expect(relay.server.counters.droppedAmplification == 0)
    }
}
