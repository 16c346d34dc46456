import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE over bad networks")
struct ICEConnectivityTests {
    @Test("Three hundred bad networks: all connect, most within a second")
    func badNetworks() {
        var times: [Duration] = []
        for seed in 0..<300 {
            var pair = ICETestPair(seed: UInt64(seed), conditions: .bad)
            pair.addHosts()
            pair.signalAll()
            #expect(pair.run(for: .seconds(40)) { $0.bothCompleted }, "seed \(seed)")
            #expect(pair.left.agent.selectedPair?.remote == SocketAddress(ICETestPair.rightHost, 2000))
            #expect(pair.right.agent.selectedPair?.remote == SocketAddress(ICETestPair.leftHost, 1000))
            times.append(pair.elapsed)
        }
        times.sort()
        #expect(times[times.count / 2] < .seconds(1))
        #expect(times[times.count * 9 / 10] < .seconds(3))
    }

    @Test("A third of the datagrams lost: a hundred pairs of a hundred connect all the same")
    func thirdLost() {
        for seed in 0..<100 {
            var pair = ICETestPair(seed: UInt64(seed), conditions: .init(loss: 0.33, jitter: .milliseconds(50)))
            pair.addHosts()
            pair.signalAll()
            #expect(pair.run(for: .seconds(60)) { $0.bothCompleted }, "seed \(seed)")
        }
    }

    @Test("Credentials and candidates may come in any order, with any delay")
    func trickle() {
        for seed in 0..<200 {
            let random = RandomSource.seeded(UInt64(seed))
            var pair = ICETestPair(seed: UInt64(seed), conditions: .bad)
            var steps: [(inout ICETestPair) -> Void] = [
                { $0.giveCredentials(to: .left) }, { $0.giveCredentials(to: .right) },
                { $0.giveCandidates(to: .left) }, { $0.giveCandidates(to: .right) },
            ]
            pair.addHosts()
            while !steps.isEmpty {
                steps.remove(at: Int(random.uint32()) % steps.count)(&pair)
                pair.run(for: .milliseconds(Int64(random.uint32() % 1500)))
            }
            #expect(pair.run(for: .seconds(40)) { $0.bothCompleted }, "seed \(seed)")
        }
    }

    @Test("Checks that arrive before the answer are answered, and used once it is known")
    func earlyChecks() {
        var pair = ICETestPair()
        pair.addHosts()
        pair.giveCredentials(to: .left)
        pair.giveCandidates(to: .left)
        pair.run(for: .seconds(2))
        #expect(pair.right.outcomes.contains(.authenticatedRequest))
        #expect(pair.left.agent.state == .completed)
        #expect(pair.right.agent.selectedPair == nil)

        let before = pair.now
        pair.giveCredentials(to: .right)
        #expect(pair.run(for: .seconds(5)) { $0.right.agent.state == .completed })
        #expect(pair.now - before <= .milliseconds(20))
    }

    @Test("A browser that hides its address is known by its checks", arguments: VirtualNAT.Behaviour.allCases)
    func peerReflexive(behaviour: VirtualNAT.Behaviour) {
        let inside = IPAddress("10.0.0.5")!
        let outside = IPAddress("7.0.0.1")!
        var pair = ICETestPair()
        pair.network.addNAT(behaviour, at: outside, hosts: [inside])
        pair.addSocket(.left, at: SocketAddress(inside, 5000))
        pair.addSocket(.right, at: SocketAddress(ICETestPair.rightHost, 2000))
        pair.giveCredentials(to: .left)
        pair.giveCredentials(to: .right)
        pair.giveCandidates(to: .left)
        #expect(pair.run(for: .seconds(5)) { $0.bothCompleted })
        #expect(pair.elapsed <= .milliseconds(80))
        #expect(pair.right.agent.selectedPair?.remote.ip == outside)
        #expect(pair.right.agent.selectedPair?.remoteType == .peerReflexive)
    }

    /// What a STUN server would tell the socket.
    private func mapped(_ socket: SocketAddress, _ pair: inout ICETestPair) -> SocketAddress {
        pair.network.send([0], from: socket, to: SocketAddress("9.9.9.9:3478")!, now: pair.now)
        pair.now = pair.network.nextArrival ?? pair.now
        return pair.network.arrivals(until: pair.now).first?.source ?? socket
    }

    @Test(
        "Two peers behind NATs meet where NATs allow it, and over a relay where they do not",
        arguments: VirtualNAT.Behaviour.allCases, VirtualNAT.Behaviour.allCases)
    func twoNATs(left: VirtualNAT.Behaviour, right: VirtualNAT.Behaviour) {
        let blocks: [VirtualNAT.Behaviour] = [.portRestricted, .symmetric]
        let mustRelay =
            (left == .symmetric && blocks.contains(right)) || (right == .symmetric && blocks.contains(left))
        for withRelay in [false, true] {
            var pair = ICETestPair()
            let sockets = [SocketAddress("10.0.0.5:5000")!, SocketAddress("10.0.0.6:6000")!]
            pair.network.addNAT(left, at: IPAddress("7.0.0.1")!, hosts: [sockets[0].ip])
            pair.network.addNAT(right, at: IPAddress("8.0.0.1")!, hosts: [sockets[1].ip])
            for (side, socket) in zip(ICETestPair.Side.allCases, sockets) {
                pair.addSocket(side, at: socket)
                let reflexive = Candidate(type: .serverReflexive, address: mapped(socket, &pair))
                pair.giveCandidate(reflexive, to: side.other)
            }
            if withRelay {
                // The allocation's far end: a public address that the left side's socket 1 stands for.
                pair.addSocket(.left, 1, at: SocketAddress("9.0.0.1:10111")!, type: .relayed)
            }
            pair.signalAll()
            let connected = pair.run(for: .seconds(35)) { $0.bothCompleted }
            #expect(connected == (withRelay || !mustRelay), "\(left) and \(right), relay: \(withRelay)")
        }
    }

    @Test("Ordinary checks leave at the pace that is set, and so many at once")
    func pace() {
        var pair = ICETestPair()
        pair.addSocket(.left, at: SocketAddress(ICETestPair.leftHost, 1000))
        pair.giveCredentials(to: .left)
        for port in 1...30 {
            // Each of a foundation of its own, at an address where nobody is.
            let address = SocketAddress(IPAddress.v4(0x0B00_0000 + UInt32(port)), 1000)
            pair.giveCandidate(Candidate(type: .host, address: address), to: .left)
        }
        pair.run(for: .milliseconds(199))
        #expect(pair.network.counters.sent == 10)
        pair.run(for: .seconds(39))
        // 30 pairs; 24 in flight at once.
        #expect(pair.left.agent.checks.inFlight <= 24)
    }
}
