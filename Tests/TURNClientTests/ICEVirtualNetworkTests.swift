import Core
import TestSupport
import Testing

@Suite("Virtual network")
struct ICEVirtualNetworkTests {
    private let here = SocketAddress("5.0.0.1:1")!
    private let there = SocketAddress("6.0.0.1:2")!

    private func arrivals(seed: UInt64, _ conditions: VirtualNetwork.Conditions) -> [VirtualNetwork.Arrival] {
        var network = VirtualNetwork(seed: seed, conditions: conditions)
        for number in 0..<10_000 {
            network.send(
                [UInt8(number & 255)], from: here, to: there, now: .zero + .microseconds(Int64(number) * 100))
        }
        return network.arrivals(until: .distantFuture)
    }

    @Test("A seed has one course, and another seed another")
    func determinism() {
        #expect(arrivals(seed: 1, .bad).map(\.time) == arrivals(seed: 1, .bad).map(\.time))
        #expect(arrivals(seed: 1, .bad).map(\.time) != arrivals(seed: 2, .bad).map(\.time))
    }

    @Test("It loses, duplicates, delays and reorders as much as it is told to")
    func conditions() {
        #expect(arrivals(seed: 1, .perfect).count == 10_000)
        let lossy = arrivals(seed: 1, .init(loss: 0.2)).count
        #expect((7_800...8_200).contains(lossy))
        let doubled = arrivals(seed: 1, .init(duplication: 0.2)).count
        #expect((11_800...12_200).contains(doubled))
        let jittered = arrivals(seed: 1, .init(jitter: .milliseconds(20)))
        #expect(zip(jittered, jittered.dropFirst()).allSatisfy { $0.time <= $1.time })
        let overtaken = zip(jittered, jittered.dropFirst()).count { $1.bytes[0] != $0.bytes[0] &+ 1 }
        #expect(overtaken > 5_000)
    }

    @Test("A NAT lets in what its kind lets in", arguments: VirtualNAT.Behaviour.allCases)
    func filtering(behaviour: VirtualNAT.Behaviour) {
        let (inside, outside) = (SocketAddress("10.0.0.1:9")!, IPAddress("7.0.0.1")!)
        var network = VirtualNetwork(seed: 1)
        network.addNAT(behaviour, at: outside, hosts: [inside.ip])
        network.send([1], from: inside, to: there, now: .zero)
        let mapped = network.arrivals(until: .distantFuture).first?.source
        #expect(mapped?.ip == outside)
        guard let mapped else { return }
        func gets(_ source: SocketAddress) -> Bool {
            network.send([2], from: source, to: mapped, now: .zero)
            return !network.arrivals(until: .distantFuture).isEmpty
        }
        #expect(gets(there))
        #expect(gets(SocketAddress(there.ip, 3)) == [.fullCone, .addressRestricted].contains(behaviour))
        #expect(gets(here) == (behaviour == .fullCone))
        network.send([3], from: inside, to: here, now: .zero)
        let second = network.arrivals(until: .distantFuture).first?.source
        #expect((second == mapped) == (behaviour != .symmetric))
        network.rebootNAT(at: outside)
        #expect(!gets(there))
    }
}
