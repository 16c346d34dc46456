import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE restart")
struct ICERestartTests {
    private func connected(seed: UInt64, conditions: VirtualNetwork.Conditions) -> ICETestPair {
        var pair = ICETestPair(seed: seed, conditions: conditions)
        pair.addHosts()
        pair.signalAll()
        #expect(pair.run(for: .seconds(60)) { $0.bothCompleted })
        return pair
    }

    @Test("A restart takes over without a moment without a pair, on two hundred networks")
    func keepsThePair() {
        for seed in 0..<200 {
            var pair = connected(seed: UInt64(seed), conditions: seed < 10 ? .perfect : .bad)
            let old = (pair.left.agent.localUsernameFragment, pair.right.agent.localUsernameFragment)
            pair.left.agent.restart(now: pair.now)
            pair.drain()
            pair.run(for: .milliseconds(300)) { $0.left.agent.selectedPair == nil }
            // The offer reaches the answerer, and its answer comes back.
            pair.right.agent.restart(now: pair.now)
            #expect(pair.left.agent.localUsernameFragment != old.0)
            #expect(pair.right.agent.localUsernameFragment != old.1)
            pair.giveCredentials(to: .right)
            pair.giveCandidates(to: .right)
            pair.run(for: .milliseconds(300)) { $0.right.agent.selectedPair == nil }
            pair.giveCredentials(to: .left)
            pair.giveCandidates(to: .left)
            let lost = pair.run(for: .seconds(60)) {
                $0.bothCompleted || $0.left.agent.selectedPair == nil || $0.right.agent.selectedPair == nil
            }
            #expect(lost && pair.bothCompleted, "seed \(seed)")
            #expect(pair.left.agent.previousLocalCredentials == nil)
            #expect(pair.right.agent.previousLocalCredentials == nil)
            pair.run(for: .seconds(60))
            #expect(pair.left.agent.selectedPair != nil && pair.right.agent.selectedPair != nil)
        }
    }

    @Test("While the answer is out, the old pair's consent is kept")
    func longSignaling() {
        var pair = connected(seed: 1, conditions: .perfect)
        pair.left.agent.restart(now: pair.now)
        pair.drain()
        pair.run(for: .seconds(120))
        #expect(pair.left.agent.selectedPair != nil && pair.right.agent.selectedPair != nil)
        #expect(!pair.left.events.contains(.consentExpired) && !pair.right.events.contains(.consentExpired))
    }

    @Test("A viewer whose network changed is reached at its new address after a restart")
    func newNetwork() {
        var pair = connected(seed: 2, conditions: .perfect)
        pair.network.silence(ICETestPair.leftHost)
        pair.run(for: .seconds(10))
        #expect(pair.right.agent.state == .disconnected)
        pair.left.agent.removeLocalCandidate(LocalCandidateID(0), now: pair.now)
        pair.left.sockets = [:]
        pair.left.agent.restart(now: pair.now)
        pair.right.agent.restart(now: pair.now)
        pair.addSocket(.left, 1, at: SocketAddress("5.0.0.77:1000")!)
        pair.signalAll()
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
        #expect(pair.right.agent.selectedPair?.remote == SocketAddress("5.0.0.77:1000"))
    }

    @Test("A failed agent is alive again after a restart")
    func afterFailure() {
        var pair = connected(seed: 3, conditions: .perfect)
        pair.network.silence(ICETestPair.leftHost)
        pair.run(for: .seconds(60))
        #expect(pair.left.agent.state == .failed && pair.right.agent.state == .failed)
        pair.network.unsilence(ICETestPair.leftHost)
        pair.left.agent.restart(now: pair.now)
        pair.right.agent.restart(now: pair.now)
        pair.signalAll()
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
    }

    @Test("A NAT that rebooted gives the viewer a new port, and the browser's nomination moves the pair there")
    func natReboot() {
        let inside = IPAddress("10.0.0.5")!
        var pair = ICETestPair()
        pair.network.addNAT(.portRestricted, at: IPAddress("7.0.0.1")!, hosts: [inside])
        pair.addSocket(.left, at: SocketAddress(inside, 5000))
        pair.addSocket(.right, at: SocketAddress(ICETestPair.rightHost, 2000))
        pair.signalAll()
        #expect(pair.run(for: .seconds(5)) { $0.bothCompleted })
        let old = pair.right.agent.selectedPair?.remote
        pair.network.rebootNAT(at: IPAddress("7.0.0.1")!)
        pair.run(for: .seconds(1))
        // A browser repeats USE-CANDIDATE in its checks of the pair it uses; ours asks with consent checks alone.
        pair.left.agent.checkList.update(.init(local: LocalCandidateID(0), remote: pair.right.sockets.values.first!)) {
            $0.state = .succeeded
        }
        pair.left.agent.sendCheck(
            on: .init(local: LocalCandidateID(0), remote: pair.right.sockets.values.first!), .nomination, pair.now)
        pair.drain()
        #expect(pair.run(for: .seconds(2)) { $0.right.agent.selectedPair?.remote != old })
        #expect(pair.right.agent.selectedPair?.isNominated == true)
        pair.run(for: .seconds(60))
        #expect(pair.bothCompleted)
    }

    @Test("New credentials of the peer alone begin new checks, with its new password")
    func remoteRestartOnly() {
        var pair = connected(seed: 4, conditions: .perfect)
        pair.left.agent.restart(now: pair.now)
        pair.giveCredentials(to: .right)
        pair.giveCandidates(to: .right)
        #expect(pair.right.agent.selectedPair != nil)
        pair.giveCredentials(to: .left)
        pair.giveCandidates(to: .left)
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
    }

    @Test("A candidate of another generation is refused; one that comes before its credentials waits for them")
    func generations() {
        var pair = ICETestPair()
        pair.addHosts()
        var old = Candidate(type: .host, address: SocketAddress("11.0.0.1:1")!)
        old.usernameFragment = "oldold"
        #expect(pair.giveCandidate(old, to: .right) == .added)
        pair.giveCredentials(to: .right)
        #expect(pair.right.agent.remoteCandidates.isEmpty)
        #expect(pair.right.agent.checkList.pairs.isEmpty)
        #expect(pair.giveCandidate(old, to: .right) == .refused(.otherGeneration))
    }
}
