package import Core

/// A step of a diagnosis: a phase of the connection, or the robot's first word of its state behind them.
package enum DiagnosisStep: Hashable, Sendable, CaseIterable {
    case phase(RobotPhase)
    case state

    package static let allCases: [DiagnosisStep] =
        RobotPhase.allCases.filter { $0 != .media }.map { .phase($0) } + [.state, .phase(.media)]

    package var name: String {
        switch self {
        case .phase(let phase): phase.rawValue
        case .state: "state"
        }
    }
}

/// What is told while a diagnosis runs, as it happens.
package enum DiagnosisEvent: Hashable, Sendable {
    case began(DiagnosisStep)
    case evidence(DiagnosisStep, String)
    case succeeded(DiagnosisStep, after: Duration)
    case failed(DiagnosisStep, PhaseFailure, after: Duration)
}

/// What one step came to.
package struct DiagnosisStepReport: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        /// It was not its turn.
        case pending
        case running
        case succeeded
        case failed(PhaseFailure)
        /// Nobody asked for it.
        case skipped
    }
    package var step: DiagnosisStep
    package var outcome: Outcome = .pending
    package var duration: Duration?
    package var evidence: [String] = []

    package init(_ step: DiagnosisStep) {
        self.step = step
    }
}

/// What a diagnosis came to.
package struct DiagnosisReport: Hashable, Sendable {
    package var steps: [DiagnosisStepReport]
    /// The browser's words for the connection at its end: `channel open, connection connected …`
    package var states = ""
    package var duration: Duration = .zero

    package init(steps: [DiagnosisStepReport] = DiagnosisStep.allCases.map { DiagnosisStepReport($0) }) {
        self.steps = steps
    }

    package subscript(step: DiagnosisStep) -> DiagnosisStepReport {
        get { steps.first { $0.step == step } ?? DiagnosisStepReport(step) }
        set {
            guard let index = steps.firstIndex(where: { $0.step == step }) else { return }
            steps[index] = newValue
        }
    }

    /// The first step that failed, and why; nil where none did.
    package var failure: (step: DiagnosisStep, failure: PhaseFailure)? {
        for report in steps {
            if case .failed(let failure) = report.outcome { return (report.step, failure) }
        }
        return nil
    }

    package var isWell: Bool {
        steps.allSatisfy { $0.outcome == .succeeded || $0.outcome == .skipped }
    }

    /// For programs, and for the bundle.
    package var json: JSONValue {
        var report: [String: JSONValue] = [
            "result": isWell ? "connected" : "failed", "states": .string(states),
            "duration_ms": .number(duration.milliseconds.rounded()), "steps": .array(steps.map(\.json)),
        ]
        if let (step, failure) = failure {
            report["step"] = .string(step.name)
            report["failure"] = failure.json
        }
        return .object(report)
    }
}

extension DiagnosisStepReport {
    var json: JSONValue {
        var json: [String: JSONValue] = [
            "step": .string(step.name), "evidence": .array(evidence.map(JSONValue.string)),
        ]
        switch outcome {
        case .pending: json["outcome"] = "pending"
        case .running: json["outcome"] = "running"
        case .succeeded: json["outcome"] = "succeeded"
        case .skipped: json["outcome"] = "skipped"
        case .failed(let failure):
            json["outcome"] = "failed"
            json["failure"] = failure.json
        }
        if let duration { json["duration_ms"] = .number(duration.milliseconds.rounded()) }
        return .object(json)
    }
}

extension PhaseFailure {
    package var json: JSONValue {
        [
            "code": .string(code), "reason": .string(reason), "causes": .array(causes.map(JSONValue.string)),
            "remedy": .string(remedy),
        ]
    }
}
