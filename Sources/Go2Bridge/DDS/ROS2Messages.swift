internal import Core

/// A robot's topics as ROS 2 nodes know them, with the names and the order of joints of go2_ros2_sdk.
struct ROS2Messages: Sendable {
    /// Without slashes at its ends; empty for one robot alone.
    let namespace: String

    init(namespace: String) {
        self.namespace = namespace.split(separator: "/").joined(separator: "/")
    }

    /// ROS 2 puts `rt/` in front of topics.
    func topic(_ name: String) -> String {
        namespace.isEmpty ? "rt/\(name)" : "rt/\(namespace)/\(name)"
    }

    private func frame(_ name: String) -> JSONValue {
        .string(namespace.isEmpty ? name : "\(namespace)/\(name)")
    }

    private func header(_ name: String, _ time: WallTime) -> JSONValue {
        .object(["stamp": Self.stamp(time), "frame_id": frame(name)])
    }

    static func stamp(_ time: WallTime) -> JSONValue {
        .object([
            "sec": .integer(time.secondsSince1970), "nanosec": .integer(time.nanosecondsSince1970 % 1_000_000_000),
        ])
    }

    /// Legs as ROS names them, each with the place of its hip among the robot's motors, which stand FR, FL, RR, RL.
    static let legs: [(name: String, motor: Int)] = [("FL", 3), ("FR", 0), ("RL", 9), ("RR", 6)]

    /// `sensor_msgs/JointState` of the low state; nil where its motors are missing.
    func jointState(lowState value: JSONValue, at time: WallTime) -> JSONValue? {
        guard case .array(let motors) = value["motor_state"], motors.count >= 12 else { return nil }
        var names: [JSONValue] = []
        var positions: [JSONValue] = []
        var velocities: [JSONValue] = []
        var efforts: [JSONValue] = []
        for leg in Self.legs {
            for (offset, joint) in ["hip", "thigh", "calf"].enumerated() {
                let motor = motors[leg.motor + offset]
                guard let position = motor["q"]?.finiteNumber else { return nil }
                names.append(.string("\(leg.name)_\(joint)_joint"))
                positions.append(.number(position))
                // Over WebRTC robots tell the angle alone.
                if let velocity = motor["dq"]?.finiteNumber { velocities.append(.number(velocity)) }
                if let effort = motor["tau_est"]?.finiteNumber { efforts.append(.number(effort)) }
            }
        }
        return .object([
            "header": header("base_link", time), "name": .array(names), "position": .array(positions),
            "velocity": .array(velocities.count == 12 ? velocities : []),
            "effort": .array(efforts.count == 12 ? efforts : []),
        ])
    }

    /// `sensor_msgs/Imu` of the sport state; nil where a number of it is none.
    func imu(sportState value: JSONValue, at time: WallTime) -> JSONValue? {
        let imu = value["imu_state"]
        guard let turn = Self.numbers(imu?["quaternion"], 4), let gyroscope = Self.numbers(imu?["gyroscope"], 3),
            let accelerometer = Self.numbers(imu?["accelerometer"], 3)
        else { return nil }
        return .object([
            "header": header("imu", time),
            // The robot's order is w, x, y, z.
            "orientation": .object([
                "w": .number(turn[0]), "x": .number(turn[1]), "y": .number(turn[2]), "z": .number(turn[3]),
            ]), "angular_velocity": Self.vector(gyroscope), "linear_acceleration": Self.vector(accelerometer),
        ])
    }

    /// `nav_msgs/Odometry` of the robot's pose; nil where a number of it is none.
    /// - Parameter sportState: for the speeds.
    func odometry(pose value: JSONValue, sportState: JSONValue?, at time: WallTime) -> JSONValue? {
        let pose = value["pose"]
        for (part, axes) in [("position", ["x", "y", "z"]), ("orientation", ["x", "y", "z", "w"])] {
            for axis in axes where pose?[part]?[axis]?.finiteNumber == nil { return nil }
        }
        var twist = Self.vector([0, 0, 0])
        var turn = Self.vector([0, 0, 0])
        if let velocity = Self.numbers(sportState?["velocity"], 3) { twist = Self.vector(velocity) }
        if let yaw = sportState?["yaw_speed"]?.finiteNumber { turn = Self.vector([0, 0, yaw]) }
        return .object([
            "header": header("odom", time), "child_frame_id": frame("base_link"),
            "pose": .object(["pose": pose ?? .null]),
            "twist": .object(["twist": .object(["linear": twist, "angular": turn])]),
        ])
    }

    /// The status as JSON text, for `go2_driver_status`.
    static func status(_ status: RobotStatus, lastRequest: JSONValue) -> String {
        let running = status.report.phases.first { phase in
            switch phase.outcome {
            case .running, .failed: true
            case .pending, .succeeded, .skipped: false
            }
        }
        func text(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
        return JSONValue.object([
            "robot": .string(status.name), "connection": .string(status.connection),
            "state": .string(status.report.state.rawValue), "ready": .boolean(status.isReady),
            "phase": text(status.isReady ? nil : running?.phase.rawValue),
            "code": text(status.report.failure?.code),
            "reason": text(status.report.failure?.reason ?? (status.isReady ? nil : status.lostReason)),
            "remedy": text(status.report.failure?.remedy),
            "battery_percent": status.battery?.percent.map { .integer(Int64($0)) } ?? .null,
            "driver": text(status.drive.holder?.text), "is_moving": .boolean(status.drive.isMoving),
            "stale_topics": .array(status.staleTopics.map(JSONValue.string)),
            "faults": .array(status.faults.map { .string($0.text) }), "last_request": lastRequest,
        ]).text
    }

    /// `geometry_msgs/Twist` as a velocity within what the configuration allows; not-a-number where it has none.
    static func velocity(twist value: JSONValue, limits: DriveLimits) -> Velocity {
        velocity(
            x: value["linear"]?["x"]?.finiteNumber, y: value["linear"]?["y"]?.finiteNumber,
            yaw: value["angular"]?["z"]?.finiteNumber, limits: limits)
    }

    static func velocity(x: Double?, y: Double?, yaw: Double?, limits: DriveLimits) -> Velocity {
        func within(_ speed: Double?, _ most: Double) -> Double {
            guard let speed else { return .nan }
            return min(max(speed, -most), most)
        }
        return Velocity(
            x: within(x, limits.maximumX), y: within(y, limits.maximumY), yaw: within(yaw, limits.maximumYaw))
    }

    private static func numbers(_ value: JSONValue?, _ count: Int) -> [Double]? {
        guard case .array(let elements) = value, elements.count == count else { return nil }
        let numbers = elements.compactMap(\.finiteNumber)
        return numbers.count == count ? numbers : nil
    }

    private static func vector(_ numbers: [Double]) -> JSONValue {
        .object(["x": .number(numbers[0]), "y": .number(numbers[1]), "z": .number(numbers[2])])
    }
}
