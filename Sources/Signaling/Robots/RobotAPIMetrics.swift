internal import Core

/// What clients of robots were refused.
struct RobotAPIMetrics: Sendable {
    private let refusals: [RobotRefusal.Code: Counter]

    init(_ metrics: MetricsRegistry) {
        refusals = Dictionary(
            uniqueKeysWithValues: RobotRefusal.Code.allCases.map { code in
                (
                    code,
                    metrics.counter(
                        "avatar_robot_refusals_total",
                        help: "What clients of robots were refused, over HTTP, WebSocket and data channels.",
                        labels: ["code": code.rawValue])
                )
            })
    }

    func count(_ code: RobotRefusal.Code) { refusals[code]?.increment() }
}
