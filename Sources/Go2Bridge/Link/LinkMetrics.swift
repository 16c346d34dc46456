internal import Core

/// What one robot's link counts.
struct LinkMetrics: Sendable {
    let attempts: Counter
    let losses: Counter
    let connectTime: Histogram
    let isConnected: Gauge
    let silence: Gauge
    let messagesReceived: Counter
    let messagesDropped: Counter
    let refusedMessages: RefusedMessages
    private let failures: [RobotPhase: Counter]

    init(_ registry: MetricsRegistry, robot: String) {
        attempts = registry.counter(
            "avatar_robot_connect_attempts_total", help: "Attempts to connect to a robot.", labels: ["robot": robot])
        losses = registry.counter(
            "avatar_robot_losses_total", help: "Connections to a robot that were lost.", labels: ["robot": robot])
        connectTime = registry.histogram(
            "avatar_robot_connect_seconds", help: "From the beginning of an attempt until the robot takes orders.",
            bounds: [0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30], labels: ["robot": robot])
        isConnected = registry.gauge(
            "avatar_robot_connected", help: "1 while the robot takes orders.", labels: ["robot": robot])
        silence = registry.gauge(
            "avatar_robot_silence_seconds", help: "Since the robot's last message; 0 while it is not connected.",
            labels: ["robot": robot])
        messagesReceived = registry.counter(
            "avatar_robot_messages_total", help: "Messages of a robot's data channel.", labels: ["robot": robot])
        messagesDropped = registry.counter(
            "avatar_robot_messages_unsent_total",
            help: "Messages to a robot that its channel did not take: it was closed, or they were too long.",
            labels: ["robot": robot])
        refusedMessages = RefusedMessages(registry, robot: robot)
        var failures: [RobotPhase: Counter] = [:]
        for phase in RobotPhase.allCases {
            failures[phase] = registry.counter(
                "avatar_robot_phase_failures_total", help: "Attempts that failed, by phase.",
                labels: ["robot": robot, "phase": phase.rawValue])
        }
        self.failures = failures
    }

    func failed(_ phase: RobotPhase) {
        failures[phase]?.increment()
    }
}
