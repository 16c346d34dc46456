import Core
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("Reconnection policy")
struct ReconnectionPolicyTests {
    private var clock = ManualClock()

    private func policy(jitter: Double = 0) -> ReconnectionPolicy {
        var configuration = ReconnectionPolicy.Configuration()
        configuration.jitter = jitter
        return ReconnectionPolicy(configuration: configuration, random: .seeded(7))
    }

    @Test("Pauses double from one second to thirty")
    func pausesDouble() {
        var policy = policy()
        let delays = (0..<8).map { _ in
            policy.ended(code: "timeout", leavesSlot: false, now: clock.now).delay.seconds
        }
        #expect(delays == [1, 2, 4, 8, 16, 30, 30, 30])
    }

    @Test("Jitter lengthens a pause by a fifth at most, and never the same way each time")
    func jitterLengthens() {
        var policy = policy(jitter: 0.2)
        let delays = (0..<40).map { _ in
            policy.ended(code: "busy", leavesSlot: false, now: clock.now).delay.seconds
        }
        #expect(delays.allSatisfy { (15.0...18.0).contains($0) })
        #expect(Set(delays).count > 20)
    }

    @Test("After 429 at least 15 seconds pass")
    func tooSoon() {
        var policy = policy()
        #expect(policy.ended(code: "too_soon", leavesSlot: false, now: clock.now).delay == .seconds(15))
        for _ in 0..<5 { _ = policy.ended(code: "timeout", leavesSlot: false, now: clock.now) }
        #expect(policy.ended(code: "too_soon", leavesSlot: false, now: clock.now).delay == .seconds(30))
    }

    @Test("A robot that is held by another client is asked every 15 seconds")
    func busy() {
        var policy = policy()
        for _ in 0..<6 {
            let retry = policy.ended(code: "busy", leavesSlot: false, now: clock.now)
            #expect(retry == ReconnectionPolicy.Retry(delay: .seconds(15), heldSince: nil))
        }
    }

    @Test("What time does not mend is asked for rarely", arguments: ["key_required", "key_rejected", "not_a_robot"])
    func rarely(code: String) {
        var policy = policy()
        #expect(policy.ended(code: code, leavesSlot: false, now: clock.now).delay == .seconds(30))
    }

    @Test("A connection that lasted makes the next failure a first one")
    mutating func stableConnection() {
        var policy = policy()
        for _ in 0..<5 { _ = policy.ended(code: "timeout", leavesSlot: false, now: clock.now) }
        policy.connected(now: clock.now)
        clock.advance(by: .seconds(10))
        #expect(policy.ended(code: nil, leavesSlot: false, now: clock.now).delay == .seconds(1))
    }

    @Test("A connection that breaks at once does not make calling faster")
    mutating func brokenAtOnce() {
        var policy = policy()
        for _ in 0..<3 { _ = policy.ended(code: "timeout", leavesSlot: false, now: clock.now) }
        policy.connected(now: clock.now)
        clock.advance(by: .seconds(2))
        #expect(policy.ended(code: nil, leavesSlot: false, now: clock.now).delay == .seconds(8))
    }

    @Test("A refusal within 45 seconds of a loss is put down to our own former connection")
    mutating func ownSlot() {
        var policy = policy()
        policy.connected(now: clock.now)
        clock.advance(by: .seconds(60))
        _ = policy.ended(code: nil, leavesSlot: true, now: clock.now)
        clock.advance(by: .seconds(20))
        #expect(policy.ended(code: "busy", leavesSlot: false, now: clock.now).heldSince == .seconds(20))
        clock.advance(by: .seconds(26))
        #expect(policy.ended(code: "busy", leavesSlot: false, now: clock.now).heldSince == nil)
    }
}
