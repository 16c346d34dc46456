internal import Core
internal import Go2Bridge

/// A diagnosis as lines for people.
struct DiagnosisText {
    private let began: Instant

    init(began: Instant) {
        self.began = began
    }

    /// One line, or several, with the time since the beginning.
    func lines(of event: DiagnosisEvent, now: Instant) -> [String] {
        let time = Self.time(now - began)
        switch event {
        case .began(let step): return ["\(time) \(Self.padded(step.name)) …"]
        case .evidence(let step, let line): return ["\(time) \(Self.padded(step.name))   \(Self.printable(line))"]
        case .succeeded(let step, let duration):
            return ["\(time) \(Self.padded(step.name)) ok, \(Self.milliseconds(duration))"]
        case .failed(let step, let failure, let duration):
            return ["\(time) \(Self.padded(step.name)) FAILED after \(Self.milliseconds(duration)) (\(failure.code))"]
        }
    }

    /// What stands at the end.
    static func conclusion(_ report: DiagnosisReport) -> [String] {
        if report.isWell { return ["", "The robot is connected; it took \(milliseconds(report.duration)) in all."] }
        guard let (step, failure) = report.failure else {
            return ["", "The diagnosis was called off; the robot's place is free again."]
        }
        var lines = ["", "The step that fails: \(step.name) (\(failure.code))", "Why: \(printable(failure.reason))"]
        if !report.states.isEmpty { lines.append("States: \(report.states)") }
        if !failure.causes.isEmpty { lines.append("Likely causes, the likeliest first:") }
        lines += failure.causes.enumerated().map { "  \($0.offset + 1). \($0.element)" }
        lines.append("What mends it: \(failure.remedy)")
        return lines
    }

    private static func time(_ duration: Duration) -> String {
        let milliseconds = max(0, Int(duration.milliseconds))
        let (seconds, rest) = (String(milliseconds / 1000), String(milliseconds % 1000))
        let fraction = String(repeating: "0", count: 3 - rest.count) + rest
        return "[" + String(repeating: " ", count: max(0, 3 - seconds.count)) + "\(seconds).\(fraction) s]"
    }

    private static func milliseconds(_ duration: Duration) -> String {
        duration < .seconds(10) ? "\(Int(duration.milliseconds)) ms" : "\(Int(duration.seconds)) s"
    }

    private static func padded(_ name: String) -> String {
        name + String(repeating: " ", count: max(0, 10 - name.utf8.count))
    }

    /// What a robot says must not write anything else into a terminal.
    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.isPrintable ? $0 : "?" }))
    }
}

extension Unicode.Scalar.Properties {
    fileprivate var isPrintable: Bool {
        switch generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}
