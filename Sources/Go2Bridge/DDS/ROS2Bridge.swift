package import Core
internal import Synchronization

/// One robot as ROS 2 nodes see it, whichever way it is reached.
///
/// Out: `joint_states`, `imu`, `odom`, `go2_driver_status`. In: `webrtc_req` and `cmd_vel_out`, which drives by the robot's
/// seat like everybody else, so that silence of 500 ms or a zero stops the robot. Whoever is in the domain may do this:
/// DDS knows no tokens.
package final class ROS2Bridge: Sendable {
    private let robot: Robot
    private let participant: DDSParticipant
    private let messages: ROS2Messages
    private let metrics: ROS2Metrics
    private let number = DDSMembers.nextNumber()
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Parameters:
    ///   - participant: started by its owner, and stopped after the bridge.
    ///   - namespace: before the topics' names, `robot0`; empty for one robot alone.
    package init(robot: Robot, participant: DDSParticipant, namespace: String, metrics: MetricsRegistry) {
        self.robot = robot
        self.participant = participant
        messages = ROS2Messages(namespace: namespace)
        self.metrics = ROS2Metrics(metrics, robot: robot.name)
    }

    package func start() {
        participant.submit { [self] members in
            members.add(ROS2Node(robot: robot, messages: messages, metrics: metrics), id: number)
        }
        let states: Set<String> = [RobotTopic.lowState, RobotTopic.sportState, RobotTopic.robotPose]
        let publishing = Task { [robot, participant, number] in
            guard let updates = try? robot.subscribe(states) else { return }
            for await update in updates {
                participant.submit { members in
                    (members.client(number) as? ROS2Node)?.publish(update, session: members.session)
                }
            }
        }
        tasks.withLock { $0.append(publishing) }
    }

    package func stop() async {
        for task in tasks.withLock(\.self) { task.cancel() }
        await withCheckedContinuation { continuation in
            let isAccepted = participant.submit { [self] members in
                (members.client(number) as? ROS2Node)?.end()
                members.remove(number)
                continuation.resume()
            }
            if !isAccepted { continuation.resume() }
        }
    }
}

/// What one robot's ROS 2 topics count.
struct ROS2Metrics: Sendable {
    let published: Counter
    let refused: Counter
    let requests: Counter
    let dropped: Counter
    let velocities: Counter
    let velocitiesRefused: Counter

    init(_ registry: MetricsRegistry, robot: String) {
        published = registry.counter(
            "avatar_ros2_messages_published_total", help: "Messages to ROS 2.", labels: ["robot": robot])
        refused = registry.counter(
            "avatar_dds_samples_refused_total", help: "Samples that are not what their topic's type says.",
            labels: ["part": "\(robot):ros2"])
        requests = registry.counter(
            "avatar_ros2_requests_total", help: "Requests by way of webrtc_req.", labels: ["robot": robot])
        dropped = registry.counter(
            "avatar_ros2_requests_dropped_total", help: "Requests that came while too many waited.",
            labels: ["robot": robot])
        velocities = registry.counter(
            "avatar_ros2_velocities_total", help: "Velocities by way of cmd_vel_out.", labels: ["robot": robot])
        velocitiesRefused = registry.counter(
            "avatar_ros2_velocities_refused_total", help: "Velocities while another drove, or that made no sense.",
            labels: ["robot": robot])
    }
}
