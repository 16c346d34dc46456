import Core
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("Connection phases")
struct ConnectionPhasesTests {
    private var clock = ManualClock()
    private var phases = ConnectionPhases()

    private mutating func events() -> [ConnectionPhases.Event] {
        var events: [ConnectionPhases.Event] = []
        while let event = phases.pollEvent() { if event != .changed { events.append(event) } }
        return events
    }

    private mutating func pass(_ duration: Duration) {
        clock.advance(by: duration)
        phases.handle(.timeout, now: clock.now)
    }

    /// Begins an attempt and goes through the phases up to `phase`, 10 ms each.
    private mutating func begin(upTo phase: RobotPhase = .signaling) {
        phases.handle(.attemptStarted(isDiscovering: false), now: clock.now)
        for passed in [RobotPhase.signaling, .ice, .dtls, .sctp, .validation] where passed != phase {
            if phases.current == phase { break }
            clock.advance(by: .milliseconds(10))
            phases.handle(.completed(passed), now: clock.now)
        }
    }

    private func report() -> ConnectionReport { phases.report(now: clock.now) }

    private func phase(_ phase: RobotPhase) -> PhaseReport? { report().phases.first { $0.phase == phase } }

    @Test("A robot is ready once it let us in, and every phase has its time")
    mutating func ready() {
        begin(upTo: .validation)
        clock.advance(by: .milliseconds(30))
        phases.handle(.completed(.validation), now: clock.now)
        #expect(events() == [.ready(after: .milliseconds(70))])
        #expect(report().state == .connected)
        #expect(phase(.discovery)?.outcome == .skipped)
        #expect(phase(.sctp)?.duration == .milliseconds(10))
        #expect(phase(.validation)?.duration == .milliseconds(30))
        #expect(phase(.media)?.outcome == .pending)
        #expect(phases.deadline == nil)
    }

    @Test("A robot that asks for validation again says so in the report until it has accepted the answer, or is lost")
    mutating func revalidation() {
        begin(upTo: .media)
        phases.handle(.validationNeeded, now: clock.now)
        clock.advance(by: .seconds(1))
        phases.handle(.validationNeeded, now: clock.now)
        #expect(report().isRevalidating && report().state == .connected)
        #expect(report().failure?.code == "validation_needed")
        #expect(phase(.validation)?.duration == .seconds(1))
        _ = events()
        phases.handle(.completed(.validation), now: clock.now)
        #expect(!report().isRevalidating && report().failure == nil)
        // It was connected all the while.
        #expect(events().isEmpty)
        phases.handle(.validationNeeded, now: clock.now)
        phases.handle(.lost(.validationLost(.seconds(10))), now: clock.now)
        #expect(phase(.validation)?.outcome == .failed(LinkLoss.validationLost(.seconds(10)).failure))
        #expect(report().failure?.code == "validation_lost")
        #expect(report().state == .waiting)
    }

    @Test("A phase that ends later phases' way is through, whatever was seen of it")
    mutating func skippedEvidence() {
        begin(upTo: .ice)
        phases.handle(.completed(.sctp), now: clock.now)
        #expect(phase(.ice)?.outcome == .succeeded)
        #expect(phase(.dtls)?.outcome == .succeeded)
        #expect(phases.current == .validation)
    }

    @Test(
        "Each phase has a limit of its own, and names itself when it is over",
        arguments: [
            (RobotPhase.signaling, "timeout"), (.ice, "no_candidates"), (.dtls, "silent"), (.sctp, "init_unanswered"),
            (.validation, "no_challenge"),
        ])
    mutating func limits(stuck: RobotPhase, code: String) throws {
        begin(upTo: stuck)
        _ = events()
        let limit = phases.limits[stuck]
        #expect(phases.deadline == clock.now + limit)
        pass(limit - .milliseconds(1))
        #expect(events().isEmpty)
        pass(.milliseconds(1))
        guard case .phaseFailed(stuck, let failure)? = events().first else {
            Issue.record("the phase did not fail")
            return
        }
        #expect(failure.code == code)
        #expect(!failure.causes.isEmpty && !failure.remedy.isEmpty)
        #expect(report().state == .waiting)
        #expect(report().failure == failure)
        #expect(phase(stuck)?.outcome == .failed(failure))
    }

    @Test("The watch says after 30 s where it hangs, with the states of the connection")
    mutating func watch() throws {
        var limits = ConnectionPhases.Limits()
        limits.sctp = .seconds(60)
        phases = ConnectionPhases(limits: limits)
        begin(upTo: .sctp)
        phases.facts.connectionState = "connected"
        phases.facts.iceState = "completed"
        phases.facts.gatheringState = "complete"
        phases.facts.initsSent = 9
        _ = events()
        pass(.milliseconds(29_900))
        #expect(events().isEmpty)
        pass(.milliseconds(100))
        guard case .stuck(.sctp, let failure)? = events().first else {
            Issue.record("the watch said nothing, or another phase")
            return
        }
        #expect(failure.code == "init_unanswered")
        #expect(
            failure.reason.hasPrefix(
                "not connected after 30 s (attempt 1), stuck in phase sctp: channel closed, connection connected, "
                    + "ICE completed, gathering complete; "))
        #expect(failure.reason.contains("INIT was sent 9 times"))
        #expect(report().failure == failure)
        #expect(report().state == .connecting)
    }

    @Test("The watch goes on over attempts, and tells of the phase that was reached, not of the newest attempt's first")
    mutating func watchOverAttempts() {
        begin(upTo: .dtls)
        phases.facts.iceState = "completed"
        pass(phases.limits.dtls)
        _ = events()
        phases.handle(.retryScheduled(at: clock.now + .seconds(17)), now: clock.now)
        pass(.seconds(17))
        phases.handle(.attemptStarted(isDiscovering: false), now: clock.now)
        _ = events()
        pass(.seconds(1))
        guard case .stuck(.dtls, let failure)? = events().first else {
            Issue.record("the watch said nothing, or another phase")
            return
        }
        #expect(failure.code == "silent")
        #expect(failure.reason.contains("attempt 2"))
        #expect(failure.reason.contains("ICE completed"))
        // Again when twice as much has passed.
        phases.handle(.failed(.signaling, failure), now: clock.now)
        _ = events()
        pass(.seconds(59))
        #expect(events().isEmpty)
        pass(.seconds(2))
        #expect(events().count == 1)
    }

    @Test("A watch's report does not quote the one before")
    mutating func watchTwice() {
        begin(upTo: .ice)
        pass(phases.limits.ice)
        for _ in 0..<4 { pass(.seconds(60)) }
        let reason = report().failure?.reason ?? ""
        #expect(reason.ranges(of: "not connected after").count == 1)
    }

    @Test("Ready ends the watch and clears the failure")
    mutating func readyEndsWatch() {
        begin(upTo: .ice)
        pass(phases.limits.ice)
        #expect(report().failure != nil)
        begin(upTo: .media)
        #expect(report().state == .connected)
        #expect(report().failure == nil)
        _ = events()
        pass(.seconds(1000))
        #expect(events().isEmpty)
    }

    @Test("A loss is told at once, and the watch begins anew")
    mutating func loss() {
        begin(upTo: .media)
        phases.handle(.lost(.silent(.seconds(10))), now: clock.now)
        #expect(report().state == .waiting)
        #expect(report().failure?.code == "silent")
        _ = events()
        pass(.seconds(30))
        guard case .stuck(_, let failure)? = events().first else {
            Issue.record("the watch said nothing")
            return
        }
        #expect(failure.reason.contains("nothing came on the data channel for 10 s"))
    }

    @Test("A camera that sends nothing fails the phase media, not the connection")
    mutating func noPicture() {
        begin(upTo: .media)
        phases.handle(.cameraSwitched(isOn: true), now: clock.now)
        _ = events()
        pass(phases.limits.media)
        guard case .phaseFailed(.media, let failure)? = events().first else {
            Issue.record("the phase did not fail")
            return
        }
        #expect(failure.code == "no_packets")
        #expect(report().state == .connected)
        phases.handle(.completed(.media), now: clock.now)
        #expect(phase(.media)?.outcome == .succeeded)
        #expect(report().failure == nil)
    }

    @Test("A camera that is switched off is not waited for")
    mutating func cameraOff() {
        begin(upTo: .media)
        phases.handle(.cameraSwitched(isOn: true), now: clock.now)
        phases.handle(.cameraSwitched(isOn: false), now: clock.now)
        #expect(phases.deadline == nil)
        #expect(phase(.media)?.outcome == .pending)
    }

    @Test("Evidence keeps its first and last lines, and no line grows beyond its limit")
    mutating func evidenceIsBounded() {
        begin()
        for number in 0..<1000 { phases.handle(.evidence(.signaling, "line \(number)"), now: clock.now) }
        phases.handle(.evidence(.signaling, String(repeating: "€", count: 100_000)), now: clock.now)
        let lines = phase(.signaling)?.evidence ?? []
        #expect(lines.count == 32)
        #expect(lines.first == "line 0")
        #expect(lines.contains("line 999"))
        #expect(lines.allSatisfy { $0.utf8.count <= 260 })
    }

    @Test("After the stop nothing changes any more")
    mutating func stopped() {
        begin(upTo: .dtls)
        phases.handle(.stopped, now: clock.now)
        _ = events()
        pass(.seconds(100))
        phases.handle(.attemptStarted(isDiscovering: false), now: clock.now)
        #expect(events().isEmpty)
        #expect(report().state == .stopped)
    }
}
