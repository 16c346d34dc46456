import Core
import Synchronization
import Testing

@testable import Go2Bridge

/// A diagnosis with a clock moved by hand.
struct DiagnosisProgressTests {
    private static let busy = PhaseFailure(code: "busy", reason: "taken", causes: ["the app"], remedy: "close it")
    private let start = Instant.zero

    private func connection(
        _ outcomes: [RobotPhase: PhaseReport.Outcome], evidence: [RobotPhase: [String]] = [:]
    ) -> RobotLinkEvent {
        let phases = RobotPhase.allCases.map { phase in
            PhaseReport(
                phase: phase, outcome: outcomes[phase] ?? .pending, duration: .milliseconds(5),
                evidence: evidence[phase] ?? [])
        }
        return .report(ConnectionReport(state: .connecting, attempt: 1, phases: phases))
    }

    private func through(_ last: RobotPhase) -> [RobotPhase: PhaseReport.Outcome] {
        var outcomes: [RobotPhase: PhaseReport.Outcome] = [.discovery: .skipped]
        for phase in RobotPhase.allCases.dropFirst() {
            outcomes[phase] = .succeeded
            if phase == last { break }
        }
        return outcomes
    }

    private func drain(_ progress: inout DiagnosisProgress) -> [DiagnosisEvent] {
        var events: [DiagnosisEvent] = []
        while let event = progress.pollEvent() { events.append(event) }
        return events
    }

    @Test("each phase is told once when it begins, with its evidence as it grows, and when it ends")
    func steps() {
        var progress = DiagnosisProgress(usesCamera: true, now: start)
        progress.handle(
            connection([.discovery: .skipped, .signaling: .running], evidence: [.signaling: ["a"]]), now: start)
        progress.handle(
            connection(
                [.discovery: .skipped, .signaling: .running], evidence: [.signaling: ["a", "b"], .ice: ["early"]]),
            now: start)
        progress.handle(
            connection(
                [.discovery: .skipped, .signaling: .succeeded, .ice: .running],
                evidence: [.signaling: ["a", "b"], .ice: ["early", "c"]]), now: start)
        #expect(
            drain(&progress) == [
                .began(.phase(.signaling)), .evidence(.phase(.signaling), "a"), .evidence(.phase(.signaling), "b"),
                .succeeded(.phase(.signaling), after: .milliseconds(5)), .began(.phase(.ice)),
                .evidence(.phase(.ice), "early"), .evidence(.phase(.ice), "c"),
            ])
        #expect(progress.report[.phase(.discovery)].outcome == .skipped)
        #expect(!progress.isOver)
    }

    @Test("a robot that is in is asked for its state and picture, and all is well when both have come")
    func connected() throws {
        var progress = DiagnosisProgress(usesCamera: true, now: start)
        progress.handle(connection(through(.validation)), now: start)
        progress.handle(.ready, now: start)
        var orders: [String] = []
        while let order = progress.pollOrder() {
            switch order {
            case .subscribe(let topic): orders.append(topic)
            case .camera(let isOn): orders.append("camera \(isOn)")
            default: orders.append("another")
            }
        }
        #expect(orders == ["rt/lf/lowstate", "camera true"])
        progress.handle(.topic("rt/lf/lowstate", ["bms_state": ["soc": 55]]), now: start + .milliseconds(700))
        #expect(!progress.isOver)
        progress.handle(connection(through(.media)), now: start + .milliseconds(900))
        #expect(progress.isOver)
        #expect(progress.report.isWell)
        #expect(progress.report.duration == .milliseconds(900))
        #expect(progress.report[.state].evidence == ["rt/lf/lowstate arrived, battery 55 %"])
        #expect(progress.report.json["result"] == "connected")
        #expect(progress.deadline == nil)
    }

    @Test("without the camera the state alone is waited for")
    func withoutCamera() {
        var progress = DiagnosisProgress(usesCamera: false, now: start)
        progress.handle(connection(through(.validation)), now: start)
        progress.handle(.ready, now: start)
        progress.handle(.topic("rt/lf/lowstate", [:]), now: start)
        #expect(progress.isOver)
        #expect(progress.report.isWell)
    }

    @Test("a phase that fails on the way ends it, and is named with its cause")
    func failed() {
        var progress = DiagnosisProgress(usesCamera: true, now: start)
        progress.handle(connection([.signaling: .failed(Self.busy)]), now: start)
        #expect(progress.isOver)
        #expect(!progress.report.isWell)
        #expect(progress.report.failure?.step == .phase(.signaling))
        #expect(progress.report.failure?.failure == Self.busy)
        #expect(
            drain(&progress) == [
                .began(.phase(.signaling)), .failed(.phase(.signaling), Self.busy, after: .milliseconds(5)),
            ])
        #expect(progress.report.json["failure"]?["code"] == "busy")
        #expect(progress.report.json["step"] == "signaling")
    }

    @Test("a robot that says nothing is given up after 10 s, and its picture is still waited for")
    func noState() {
        var progress = DiagnosisProgress(usesCamera: true, now: start)
        progress.handle(connection(through(.validation)), now: start)
        progress.handle(.ready, now: start)
        #expect(progress.deadline == start + .seconds(10))
        progress.handleTimeout(now: start + .seconds(9))
        #expect(progress.report.failure == nil)
        progress.handleTimeout(now: start + .seconds(10))
        #expect(progress.report.failure?.failure.code == "no_state")
        #expect(!progress.isOver)
        progress.handle(connection(through(.media)), now: start + .seconds(11))
        #expect(progress.isOver)
        #expect(!progress.report.isWell)
    }

    @Test("a connection that is lost, and a time that is up, name the step that ran")
    func early() {
        var lost = DiagnosisProgress(usesCamera: true, now: start)
        lost.handle(connection(through(.validation)), now: start)
        lost.handle(.ready, now: start)
        lost.handle(.lost(reason: "silent"), now: start)
        #expect(lost.isOver)
        #expect(lost.report.failure?.step == .state)
        #expect(lost.report.failure?.failure.code == "lost")
        var late = DiagnosisProgress(usesCamera: true, now: start)
        late.handle(connection([.signaling: .succeeded, .ice: .running]), now: start)
        late.handleTimeout(now: start + .seconds(90))
        #expect(late.isOver)
        #expect(late.report.failure?.step == .phase(.ice))
        #expect(late.report.failure?.failure.code == "timeout")
    }
}

/// The whole walk over a link that a test plays.
struct RobotDiagnosisTests {
    /// Tells a failure, and counts goodbyes.
    private final class FailingLink: RobotLink {
        let stops = Mutex(0)
        let failure: PhaseFailure?

        init(_ failure: PhaseFailure?) {
            self.failure = failure
        }

        func start(_ events: @escaping @Sendable (RobotLinkEvent) -> Void) {
            guard let failure else { return }
            let phases = [PhaseReport(phase: .sctp, outcome: .failed(failure))]
            events(.report(ConnectionReport(state: .waiting, attempt: 1, phases: phases)))
        }
        func stop() async { stops.withLock { $0 += 1 } }
        func perform(_ order: RobotOrder) {}
    }

    @Test("it tells the failure, and says goodbye")
    func fails() async {
        let failure = PhaseFailure(code: "init_unanswered", reason: "silence", causes: [], remedy: "restart")
        let link = FailingLink(failure)
        let told = Mutex<[DiagnosisEvent]>([])
        let report = await RobotDiagnosis(link: link, usesCamera: true).run { event in
            told.withLock { $0.append(event) }
        }
        #expect(report.failure?.failure == failure)
        #expect(told.withLock { $0 }.count == 2)
        #expect(link.stops.withLock { $0 } == 1)
    }

    @Test("called off, it says goodbye as well")
    func cancelled() async {
        let link = FailingLink(nil)
        let task = Task { await RobotDiagnosis(link: link, usesCamera: true).run { _ in } }
        task.cancel()
        let report = await task.value
        #expect(!report.isWell)
        #expect(report.failure == nil)
        #expect(link.stops.withLock { $0 } == 1)
    }
}
