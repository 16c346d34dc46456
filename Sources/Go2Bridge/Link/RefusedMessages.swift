internal import Core

/// Counts what a link did not take from its robot, or for it, by reason; the same for every kind of link.
struct RefusedMessages: Sendable {
    private let counters: [RobotMessageFault: Counter]
    private var told: [RobotMessageFault: UInt64] = [:]

    init(_ registry: MetricsRegistry, robot: String) {
        counters = Dictionary(
            uniqueKeysWithValues: RobotMessageFault.allCases.map { fault in
                (
                    fault,
                    registry.counter(
                        "avatar_robot_messages_refused_total",
                        help: "Messages of a robot, and orders to it, that were refused or dropped.",
                        labels: ["robot": robot, "reason": fault.rawValue])
                )
            })
    }

    /// - Parameter faults: counted since the link began.
    mutating func follow(_ faults: [RobotMessageFault: UInt64]) {
        guard faults != told else { return }
        for (fault, count) in faults { counters[fault]?.increment(by: count &- (told[fault] ?? 0)) }
        told = faults
    }
}
