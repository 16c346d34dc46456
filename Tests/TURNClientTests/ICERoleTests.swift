import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("ICE roles")
struct ICERoleTests {
    @Test(
        "Two of one role settle it between them, on good and bad networks",
        arguments: [ICERole.controlling, .controlled])
    func conflict(role: ICERole) {
        for seed in 0..<200 {
            var pair = ICETestPair(
                seed: UInt64(seed), conditions: seed < 20 ? .perfect : .bad, left: role, right: role)
            pair.addHosts()
            pair.signalAll()
            #expect(pair.run(for: .seconds(60)) { $0.bothCompleted }, "seed \(seed)")
            #expect(pair.left.agent.role != pair.right.agent.role, "seed \(seed)")
            let resolutions = (pair.left.events + pair.right.events).filter {
                if case .roleConflictResolved = $0 { true } else { false }
            }
            #expect(!resolutions.isEmpty)
            if seed < 20 { #expect(pair.elapsed < .milliseconds(120), "seed \(seed)") }
        }
    }

    @Test("The greater tie-breaker keeps its role", arguments: [ICERole.controlling, .controlled])
    func tieBreaker(role: ICERole) {
        for seed in 0..<20 {
            var pair = ICETestPair(seed: UInt64(seed), left: role, right: role)
            pair.left.agent.tieBreaker = 1
            pair.right.agent.tieBreaker = .max
            pair.addHosts()
            pair.signalAll()
            #expect(pair.run(for: .seconds(5)) { $0.bothCompleted })
            // RFC 8445 §7.3.1.1: the greater one is, or becomes, controlling.
            #expect(pair.right.agent.role == .controlling)
            #expect(pair.left.agent.role == .controlled)
        }
    }

    @Test("Equal tie-breakers do not go in circles")
    func equalTieBreakers() {
        for seed in 0..<50 {
            var pair = ICETestPair(seed: UInt64(seed), conditions: .bad, left: .controlling, right: .controlling)
            pair.left.agent.tieBreaker = 7
            pair.right.agent.tieBreaker = 7
            pair.addHosts()
            pair.signalAll()
            #expect(pair.run(for: .seconds(60)) { $0.bothCompleted }, "seed \(seed)")
        }
    }
}
