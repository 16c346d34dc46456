package import Core

/// A diagnosis as it goes on: it listens to one attempt of a link, asks for the robot's state and picture once it is in, and
/// knows when nothing more is to come. Does no I/O.
///
/// After each input drain ``pollEvent()`` and ``pollOrder()``, and act on ``deadline``.
package struct DiagnosisProgress: Sendable {
    package struct Limits: Hashable, Sendable {
        /// For everything.
        package var total: Duration = .seconds(90)
        /// From the validation to the first state, which robots send each second.
        package var state: Duration = .seconds(10)
        package init() {}
    }

    package private(set) var report = DiagnosisReport()
    package private(set) var isOver = false
    private let usesCamera: Bool
    private let limits: Limits
    private let began: Instant
    private var stateBegan: Instant?
    /// The line of evidence of each phase that was told last.
    private var lastLines: [RobotPhase: String] = [:]
    private var events: [DiagnosisEvent] = []
    private var orders: [RobotOrder] = []

    /// - Parameter usesCamera: also waits for the first picture.
    package init(usesCamera: Bool, limits: Limits = Limits(), now: Instant) {
        self.usesCamera = usesCamera
        self.limits = limits
        began = now
        if !usesCamera { report[.phase(.media)].outcome = .skipped }
    }

    package mutating func pollEvent() -> DiagnosisEvent? { events.isEmpty ? nil : events.removeFirst() }
    package mutating func pollOrder() -> RobotOrder? { orders.isEmpty ? nil : orders.removeFirst() }

    /// When ``handleTimeout(now:)`` is due; nil once it is over.
    package var deadline: Instant? {
        guard !isOver else { return nil }
        let end = began + limits.total
        return stateBegan.map { min(end, $0 + limits.state) } ?? end
    }

    package mutating func handle(_ event: RobotLinkEvent, now: Instant) {
        guard !isOver else { return }
        switch event {
        case .report(let connection): compare(connection)
        case .ready:
            stateBegan = now
            report[.state].outcome = .running
            events.append(.began(.state))
            orders.append(.subscribe(topic: RobotTopic.lowState))
            if usesCamera { orders.append(.camera(isOn: true)) }
        case .topic(RobotTopic.lowState, let value): stateArrived(value, now: now)
        case .lost(let reason):
            let failure = PhaseFailure(
                code: "lost", reason: "the connection was lost again: \(reason)",
                causes: ["a weak Wi-Fi link", "the robot was switched off, or gave its only place to another client"],
                remedy: "bring the robot nearer to its access point, close the phone app, and try again")
            fail(unfinished, failure, now: now)
            end(now: now)
        case .topic, .binary, .response, .requestFailed, .faults, .network, .camera, .microphone: return
        }
        endWhereAllIsKnown(now: now)
    }

    package mutating func handleTimeout(now: Instant) {
        guard let deadline, now >= deadline else { return }
        if now >= began + limits.total {
            let failure = PhaseFailure(
                code: "timeout", reason: "the diagnosis took longer than \(Int(limits.total.seconds)) s",
                causes: ["the phase takes longer than the time that was given"], remedy: "give more with --timeout")
            fail(unfinished, failure, now: now)
            end(now: now)
        } else {
            stateBegan = nil
            let failure = PhaseFailure(
                code: "no_state", reason: "the robot sent no state within \(Int(limits.state.seconds)) s",
                causes: [
                    "the services behind the robot's WebRTC service are not up yet",
                    "firmware that gives out its state under another name",
                ], remedy: "wait until the robot stands, else restart it")
            fail(.state, failure, now: now)
            endWhereAllIsKnown(now: now)
        }
    }

    /// It is called off: what runs has no result.
    package mutating func cancel(now: Instant) {
        end(now: now)
    }

    // MARK: The connection's phases

    private mutating func compare(_ connection: ConnectionReport) {
        report.states =
            "channel \(connection.channelState), connection \(connection.connectionState), "
            + "ICE \(connection.iceState), gathering \(connection.gatheringState)"
        for phase in connection.phases where phase.phase != .media || usesCamera {
            let step = DiagnosisStep.phase(phase.phase)
            let known = report[step].outcome
            if known == .pending, phase.outcome != .pending, phase.outcome != .skipped { events.append(.began(step)) }
            // What was seen of a phase before its turn is told with it.
            if phase.outcome != .pending { tellEvidence(phase, step) }
            report[step].duration = phase.duration
            let duration = phase.duration ?? .zero
            switch phase.outcome {
            case .pending: break
            case .running: report[step].outcome = .running
            case .skipped: report[step].outcome = .skipped
            case .succeeded:
                report[step].outcome = .succeeded
                if known != .succeeded { events.append(.succeeded(step, after: duration)) }
            case .failed(let failure):
                report[step].outcome = .failed(failure)
                if known != .failed(failure) { events.append(.failed(step, failure, after: duration)) }
            }
        }
    }

    /// The link keeps a bounded number of lines, so what is new is what stands behind the last one told.
    private mutating func tellEvidence(_ phase: PhaseReport, _ step: DiagnosisStep) {
        let told = lastLines[phase.phase].flatMap { phase.evidence.lastIndex(of: $0) }
        let new = phase.evidence[(told.map { $0 + 1 } ?? 0)...]
        for line in new {
            events.append(.evidence(step, line))
            report[step].evidence.append(line)
        }
        if let last = new.last { lastLines[phase.phase] = last }
    }

    // MARK: Behind the connection

    private mutating func stateArrived(_ value: JSONValue, now: Instant) {
        guard let began = stateBegan else { return }
        stateBegan = nil
        var line = "\(RobotTopic.lowState) arrived"
        if let battery = BatteryStatus(lowState: value)?.percent { line += ", battery \(battery) %" }
        report[.state].evidence.append(line)
        report[.state].outcome = .succeeded
        report[.state].duration = now - began
        events.append(.evidence(.state, line))
        events.append(.succeeded(.state, after: now - began))
    }

    /// The step that is to blame where the whole ends early.
    private var unfinished: DiagnosisStep {
        let running = report.steps.first { $0.outcome == .running }
        return running?.step ?? report.steps.first { $0.outcome == .pending }?.step ?? .state
    }

    private mutating func fail(_ step: DiagnosisStep, _ failure: PhaseFailure, now: Instant) {
        report[step].outcome = .failed(failure)
        events.append(.failed(step, failure, after: report[step].duration ?? now - began))
    }

    private mutating func endWhereAllIsKnown(now: Instant) {
        let isFailedOnTheWay = report.steps.contains { report in
            guard case .failed = report.outcome else { return false }
            return report.step != .state && report.step != .phase(.media)
        }
        let isEverythingKnown = report.steps.allSatisfy { $0.outcome != .pending && $0.outcome != .running }
        if isFailedOnTheWay || isEverythingKnown { end(now: now) }
    }

    private mutating func end(now: Instant) {
        guard !isOver else { return }
        isOver = true
        report.duration = now - began
    }
}
