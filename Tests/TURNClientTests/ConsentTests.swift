import Core
import TestSupport
import Testing

@testable import TURNClient

@Suite("Consent freshness")
struct ConsentTests {
    private func connected(seed: UInt64 = 1, conditions: VirtualNetwork.Conditions = .perfect) -> ICETestPair {
        var pair = ICETestPair(seed: seed, conditions: conditions)
        pair.addHosts()
        pair.signalAll()
        #expect(pair.run(for: .seconds(40)) { $0.bothCompleted })
        return pair
    }

    @Test("A viewer that vanishes is disconnected after 8 s and costs nothing after 30 s")
    func vanished() {
        var pair = connected()
        let vanishedAt = pair.now
        pair.network.silence(ICETestPair.leftHost)
        #expect(pair.run(for: .seconds(60)) { $0.right.agent.state == .disconnected })
        #expect(pair.now - vanishedAt <= .seconds(8))
        #expect(pair.right.agent.selectedPair != nil)
        #expect(pair.run(for: .seconds(60)) { $0.right.events.contains(.consentExpired) })
        #expect(pair.now - vanishedAt <= .seconds(30))
        #expect(pair.now - vanishedAt > .seconds(24))
        #expect(pair.right.agent.selectedPair == nil)
        #expect(pair.right.agent.state == .failed)
        #expect(pair.right.agent.deadline == nil)
        let sent = pair.network.counters.sent
        pair.left.agent.close()
        pair.run(for: .seconds(600))
        #expect(pair.network.counters.sent == sent)
    }

    @Test("A viewer that is back in time goes on as it was")
    func backInTime() {
        var pair = connected()
        pair.network.silence(ICETestPair.leftHost)
        pair.run(for: .seconds(20))
        #expect(pair.right.agent.state == .disconnected)
        pair.network.unsilence(ICETestPair.leftHost)
        #expect(pair.run(for: .seconds(7)) { $0.bothCompleted })
        pair.run(for: .seconds(120))
        #expect(pair.bothCompleted)
        #expect(!pair.right.events.contains(.consentExpired))
    }

    @Test("An hour on a bad network: the consent lasts, at a check each four to six seconds")
    func lasts() {
        var pair = connected(conditions: .init(loss: 0.1, jitter: .milliseconds(80)))
        let before = pair.network.counters
        pair.run(for: .seconds(3600))
        #expect(pair.left.agent.selectedPair != nil && pair.right.agent.selectedPair != nil)
        #expect(!pair.left.events.contains(.consentExpired) && !pair.right.events.contains(.consentExpired))
        // Both sides' requests and their responses (nine of ten requests arrive).
        let requests = Double(pair.network.counters.sent - before.sent) / 1.9
        #expect((1200.0...1800.0).contains(requests))
        #expect(pair.left.agent.checks.count <= 4)
    }

    @Test("To be heard is no consent: only responses renew it")
    func requestsAreNoConsent() {
        // The right side is heard, but never answered: what it gets is no consent (RFC 7675 §5.1).
        var pair = connected()
        let start = pair.now
        while pair.now - start < .seconds(40), pair.right.agent.selectedPair != nil {
            pair.network.silence(ICETestPair.leftHost)
            pair.run(for: .milliseconds(200))
            guard pair.right.agent.selectedPair != nil else { break }
            let request = STUNMessage.request(
                .binding, transactionID: STUNTransactionID(random: .system),
                attributes: [
                    .username("\(pair.right.agent.localUsernameFragment):\(pair.left.agent.localUsernameFragment)"),
                    .iceControlling(1), .priority(1),
                ]
            ).encoded(key: Array(pair.right.agent.localPassword.utf8), fingerprint: true)
            let outcome = pair.right.agent.handleSTUN(
                request.span, from: SocketAddress(ICETestPair.leftHost, 1000), on: LocalCandidateID(0), now: pair.now)
            #expect(outcome == .authenticatedRequest)
            while pair.right.agent.pollTransmit() != nil {}
        }
        pair.drain()
        #expect(pair.right.events.contains(.consentExpired))
        #expect(!pair.right.states.contains(.disconnected))
    }

    @Test("The round-trip time of the selected pair is followed")
    func roundTripTime() {
        var pair = connected()
        #expect(pair.right.agent.selectedPair?.roundTripTime == .milliseconds(20))
        pair.network.conditions.delay = .milliseconds(100)
        pair.run(for: .seconds(300))
        let measured = pair.right.agent.selectedPair?.roundTripTime ?? .zero
        #expect(measured > .milliseconds(190) && measured <= .milliseconds(200))
    }

    @Test("A thousand viewers do not ask in step")
    func spread() {
        let agent = ICEAgent(configuration: .init(role: .controlled), random: .seeded(5))
        let pauses = (0..<1000).map { _ in agent.consentPause() }
        #expect(pauses.allSatisfy { (.seconds(4)...(.seconds(6))).contains($0) })
        #expect(pauses.min()! < .milliseconds(4100) && pauses.max()! > .milliseconds(5900))
    }
}
