import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE nomination")
struct ICENominationTests {
    /// The controlled side has two paths to the controlling one: direct (socket 0) and relayed (socket 1).
    private func twoPaths(seed: UInt64 = 1, conditions: VirtualNetwork.Conditions = .perfect) -> ICETestPair {
        var pair = ICETestPair(seed: seed, conditions: conditions)
        pair.addHosts()
        pair.addSocket(.right, 1, at: SocketAddress("9.0.0.1:10111")!, type: .relayed)
        return pair
    }

    private func nominate(_ pair: inout ICETestPair, _ remote: SocketAddress) {
        let key = CandidatePair.Key(local: LocalCandidateID(0), remote: remote)
        pair.left.agent.sendCheck(on: key, .nomination, pair.now)
        pair.drain()
    }

    private let direct = SocketAddress(ICETestPair.rightHost, 2000)
    private let relayed = SocketAddress("9.0.0.1:10111")!

    @Test("Both sides end on the same pair, on two hundred bad networks with two paths")
    func agreement() {
        for seed in 0..<200 {
            var pair = twoPaths(seed: UInt64(seed), conditions: .bad)
            pair.signalAll()
            #expect(pair.run(for: .seconds(60)) { $0.bothCompleted }, "seed \(seed)")
            pair.run(for: .seconds(2))
            let chosen = pair.right.agent.selectedPair
            #expect(chosen.flatMap { pair.right.sockets[$0.local] } == pair.left.agent.selectedPair?.remote)
        }
    }

    @Test("On a good network the direct path is chosen before the relayed one")
    func prefersDirect() {
        var pair = twoPaths()
        pair.signalAll()
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
        #expect(pair.left.agent.selectedPair?.remote == direct)
        #expect(pair.right.agent.selectedPair?.localType == .host)
    }

    @Test("The controlling peer may change its mind: the newer nomination is followed")
    func changesItsMind() {
        var pair = twoPaths()
        pair.signalAll()
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
        // The direct path breaks; a browser then nominates the relayed one.
        pair.run(for: .seconds(3))
        pair.left.agent.checkList.update(.init(local: LocalCandidateID(0), remote: relayed)) { $0.state = .succeeded }
        if pair.left.agent.checkList[.init(local: LocalCandidateID(0), remote: relayed)] == nil {
            _ = pair.left.agent.checkList.insert(
                .init(local: LocalCandidateID(0), remote: relayed),
                local: pair.left.agent.localCandidates[0].candidate,
                remote: Candidate(type: .relayed, address: relayed))
        }
        nominate(&pair, relayed)
        #expect(pair.run(for: .seconds(2)) { $0.right.agent.selectedPair?.local == LocalCandidateID(1) })
        #expect(pair.right.agent.selectedPair?.isNominated == true)
        #expect(pair.right.agent.state == .completed)
    }

    @Test("Nominations of both pairs at once end on the better one")
    func aggressive() {
        var pair = twoPaths()
        pair.left.agent.setRemoteCredentials(
            usernameFragment: pair.right.agent.localUsernameFragment, password: pair.right.agent.localPassword,
            now: pair.now)
        pair.giveCredentials(to: .right)
        // A controlling peer of the old kind sets USE-CANDIDATE in every check.
        for remote in [direct, relayed] {
            let key = CandidatePair.Key(local: LocalCandidateID(0), remote: remote)
            _ = pair.left.agent.checkList.insert(
                key, local: pair.left.agent.localCandidates[0].candidate,
                remote: Candidate(type: remote == direct ? .host : .relayed, address: remote))
            nominate(&pair, remote)
        }
        pair.run(for: .milliseconds(500))
        #expect(pair.right.agent.selectedPair?.local == LocalCandidateID(0))
        #expect(pair.right.agent.selectedPair?.isNominated == true)
    }

    @Test("A relay allocation that is lost takes its pair with it, and the other path takes over")
    func removesLocal() {
        var pair = twoPaths()
        pair.signalAll()
        #expect(pair.run(for: .seconds(2)) { $0.bothCompleted })
        pair.right.agent.removeLocalCandidate(LocalCandidateID(0), now: pair.now)
        pair.right.sockets[LocalCandidateID(0)] = nil
        pair.drain()
        #expect(pair.right.agent.selectedPair?.local != LocalCandidateID(0))
        #expect(pair.right.agent.checkList.pairs.allSatisfy { $0.key.local == LocalCandidateID(1) })
    }

    @Test("The event tells each change of the pair, and none that is no change")
    func events() {
        var pair = twoPaths()
        pair.signalAll()
        pair.run(for: .seconds(60))
        let selections = pair.right.events.compactMap {
            if case .selectedPair(let selected) = $0 { selected } else { nil }
        }
        #expect(selections.last == selections.last { $0.isNominated })
        for (earlier, later) in zip(selections, selections.dropFirst()) {
            #expect(
                earlier.local != later.local || earlier.remote != later.remote
                    || earlier.isNominated != later.isNominated)
        }
        #expect(selections.count <= 3)
    }
}
