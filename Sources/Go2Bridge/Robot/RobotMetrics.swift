package import Core

/// What is counted of one robot.
package struct RobotMetrics: Sendable {
    let isConnected: Gauge
    let isDriven: Gauge
    let topics: Counter
    let refusedTopics: Counter
    let orders: Counter
    let voxelFrames: Counter
    let refusedVoxelFrames: Counter
    let voxelTime: Histogram
    let velocities: Counter
    private let registry: MetricsRegistry
    private let robot: String

    package init(_ registry: MetricsRegistry, robot: String) {
        self.registry = registry
        self.robot = robot
        isConnected = registry.gauge(
            "avatar_robot_connected", help: "1 while the robot takes orders.", labels: ["robot": robot])
        isDriven = registry.gauge("avatar_robot_driven", help: "1 while somebody drives.", labels: ["robot": robot])
        topics = registry.counter(
            "avatar_robot_topic_messages_total", help: "Messages of topics, by their fate.",
            labels: ["robot": robot, "outcome": "taken"])
        refusedTopics = registry.counter(
            "avatar_robot_topic_messages_total", help: "Messages of topics, by their fate.",
            labels: ["robot": robot, "outcome": "refused"])
        orders = registry.counter(
            "avatar_robot_orders_total", help: "Orders to the robot's link.", labels: ["robot": robot])
        voxelFrames = registry.counter(
            "avatar_robot_lidar_frames_total", help: "LiDAR frames, by their fate.",
            labels: ["robot": robot, "outcome": "decoded"])
        refusedVoxelFrames = registry.counter(
            "avatar_robot_lidar_frames_total", help: "LiDAR frames, by their fate.",
            labels: ["robot": robot, "outcome": "refused"])
        voxelTime = registry.histogram(
            "avatar_robot_lidar_decoding_seconds", help: "Time that decoding a LiDAR frame took.",
            bounds: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05], labels: ["robot": robot])
        velocities = registry.counter(
            "avatar_robot_velocities_total", help: "Velocities sent to the robot.", labels: ["robot": robot])
    }

    func request(_ outcome: String) {
        registry.counter(
            "avatar_robot_requests_total", help: "Requests to the robot's services, by their outcome.",
            labels: ["robot": robot, "outcome": outcome]
        ).increment()
    }

    func stop(_ reason: StopReason) {
        registry.counter(
            "avatar_robot_stops_total", help: "Stops sent to the robot, by their reason.",
            labels: ["robot": robot, "reason": reason.rawValue]
        ).increment()
    }
}
