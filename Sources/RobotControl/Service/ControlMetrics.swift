internal import Core

/// Counts whom the robot control service turned away, and what it could not tell those whom it let in.
struct ControlMetrics: Sendable {
    enum Refusal: String, CaseIterable {
        case origin, token, seat
    }

    private let client: Gauge
    private let droppedPushes: Counter
    private let refusals: [Refusal: Counter]

    init(_ metrics: MetricsRegistry) {
        client = metrics.gauge(
            "avatar_streamer_robot_control_client_connected", help: "1 while a client holds the seat")
        droppedPushes = metrics.counter(
            "avatar_streamer_robot_control_pushes_dropped_by_clients_total",
            help: "Pushes and log lines left out for clients that were too slow")
        var refusals: [Refusal: Counter] = [:]
        for refusal in Refusal.allCases {
            refusals[refusal] = metrics.counter(
                "avatar_streamer_robot_control_refused_total", help: "Connections refused, by reason",
                labels: ["reason": refusal.rawValue])
        }
        self.refusals = refusals
    }

    func refused(_ refusal: Refusal) { refusals[refusal]?.increment() }
    func setClient(_ isConnected: Bool) { client.set(isConnected ? 1 : 0) }
    func dropped(_ count: Int) { droppedPushes.increment(by: UInt64(count)) }
}
