internal import Core
internal import Go2Bridge

/// The DDS domains of the configuration's robots, one participant each, and the robots' ROS 2 sides.
struct RobotDomains: Sendable {
    private var participants: [Int: DDSParticipant] = [:]
    private var bridges: [ROS2Bridge] = []

    /// Where a robot's DDS is spoken: a wired one's on its own cable, else where ROS 2 is wanted.
    static func place(_ settings: Configuration.Robot) -> DDSSettings {
        DDSSettings(
            domain: settings.ros2.domain,
            interface: settings.connection == .cyclonedds ? settings.interface : settings.ros2.interface)
    }

    /// The participant of the robot's domain; made and started where it is the first in it.
    mutating func participant(_ settings: Configuration.Robot) -> DDSParticipant {
        let place = Self.place(settings)
        if let known = participants[place.domain] { return known }
        let participant = DDSParticipant(place)
        participants[place.domain] = participant
        participant.start()
        return participant
    }

    mutating func link(_ name: String, _ settings: Configuration.Robot, metrics: MetricsRegistry) -> DDSLink {
        var configuration = DDSLinkConfiguration(name: name)
        configuration.watch = .seconds(settings.watchSeconds)
        return DDSLink(configuration: configuration, participant: participant(settings), metrics: metrics)
    }

    mutating func addROS2(_ robot: Robot, _ settings: Configuration.Robot, metrics: MetricsRegistry) {
        guard settings.ros2.enabled else { return }
        let bridge = ROS2Bridge(
            robot: robot, participant: participant(settings), namespace: settings.ros2.namespace, metrics: metrics)
        bridge.start()
        bridges.append(bridge)
    }

    /// Nobody drives from ROS 2 any more; before the robots say goodbye.
    func stopBridges() async {
        for bridge in bridges { await bridge.stop() }
    }

    /// After the robots.
    func stop() async {
        for participant in participants.values { await participant.stop() }
    }
}

extension ConfigurationReader {
    /// A process speaks in a domain through one interface, and topics carry no robot's name.
    mutating func checkDomains() {
        var interfaces: [Int: (interface: String, robot: String)] = [:]
        var wired: [Int: String] = [:]
        var namespaces: [String: String] = [:]
        for (name, robot) in configuration.robots.sorted(by: { $0.key < $1.key }) {
            let section = "robots.\(name)"
            if robot.connection == .cyclonedds {
                if robot.interface.isEmpty {
                    contradict(
                        "\(section).interface", otherwise: "\(section).connection", section, found: "nothing",
                        expected: "the network interface that the robot's cable is in, such as eth1")
                }
                if let other = wired.updateValue(name, forKey: robot.ros2.domain) {
                    contradict(
                        "\(section).ros2.domain", otherwise: "\(section).connection", section,
                        found: "the domain of robots.\(other), which is wired too",
                        expected: "each wired robot in a domain of its own, since their topics have the same names")
                }
            }
            guard robot.connection == .cyclonedds || robot.ros2.enabled else { continue }
            let place = RobotDomains.place(robot)
            if let first = interfaces[place.domain], first.interface != place.interface {
                contradict(
                    "\(section).ros2.domain", otherwise: "\(section).ros2.interface", section,
                    found: "domain \(place.domain) on \(place.interface), and for robots.\(first.robot) on "
                        + first.interface, expected: "one interface for each domain")
            } else {
                interfaces[place.domain] = (place.interface, name)
            }
            guard robot.ros2.enabled else { continue }
            if let other = namespaces.updateValue(name, forKey: "\(place.domain)/\(robot.ros2.namespace)") {
                contradict(
                    "\(section).ros2.namespace", otherwise: "\(section).ros2.domain", section,
                    found: "the namespace of robots.\(other) in the same domain",
                    expected: "a namespace for each robot, such as robot0 and robot1")
            }
        }
    }
}
