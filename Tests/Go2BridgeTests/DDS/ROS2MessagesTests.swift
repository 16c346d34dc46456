import Core
import Testing

@testable import Go2Bridge

@Suite("ROS 2's messages")
struct ROS2MessagesTests {
    private let time = WallTime(nanosecondsSince1970: 1_700_000_000_250_000_000)

    @Test("legs stand in ROS's order, not in the robot's")
    func joints() throws {
        let motors = (0..<20).map { JSONValue.object(["q": .number(Double($0))]) }
        let state = try #require(
            ROS2Messages(namespace: "").jointState(lowState: .object(["motor_state": .array(motors)]), at: time))
        #expect(
            state["position"]
                == .array([3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8].map { JSONValue.number($0) }))
        guard case .array(let names) = state["name"] else { throw Missing() }
        #expect(names.first == .string("FL_hip_joint") && names.last == .string("RR_calf_joint"))
        #expect(state["velocity"] == .array([]))
        #expect(
            state["header"]?["stamp"] == .object(["sec": .integer(1_700_000_000), "nanosec": .integer(250_000_000)]))
    }

    @Test("a number that is none leaves the message out")
    func notANumber() {
        let messages = ROS2Messages(namespace: "")
        let motors = (0..<12).map { _ in JSONValue.object(["q": .null]) }
        #expect(messages.jointState(lowState: .object(["motor_state": .array(motors)]), at: time) == nil)
        #expect(
            messages.imu(sportState: .object(["imu_state": .object(["quaternion": .array([.null])])]), at: time) == nil)
        #expect(messages.odometry(pose: .object([:]), sportState: nil, at: time) == nil)
    }

    @Test("several robots' topics and frames carry their namespaces")
    func namespaces() throws {
        let messages = ROS2Messages(namespace: "/robot1")
        #expect(messages.topic("odom") == "rt/robot1/odom")
        #expect(ROS2Messages(namespace: "").topic("webrtc_req") == "rt/webrtc_req")
        let pose: JSONValue = .object([
            "pose": .object([
                "position": .object(["x": .number(1), "y": .number(2), "z": .number(0.3)]),
                "orientation": .object(["x": .number(0), "y": .number(0), "z": .number(0), "w": .number(1)]),
            ])
        ])
        let odometry = try #require(messages.odometry(pose: pose, sportState: nil, at: time))
        #expect(odometry["child_frame_id"] == .string("robot1/base_link"))
        #expect(odometry["header"]?["frame_id"] == .string("robot1/odom"))
        #expect(odometry["pose"]?["pose"]?["position"]?["x"] == .number(1))
    }

    @Test("the robot's quaternion begins with w, ROS's does not")
    func quaternion() throws {
        let state: JSONValue = .object([
            "imu_state": .object([
                "quaternion": .array([0.1, 0.2, 0.3, 0.4].map { .number($0) }),
                "gyroscope": .array([1, 2, 3].map { .number($0) }),
                "accelerometer": .array([4, 5, 6].map { .number($0) }),
            ])
        ])
        let imu = try #require(ROS2Messages(namespace: "").imu(sportState: state, at: time))
        #expect(imu["orientation"]?["w"] == .number(0.1) && imu["orientation"]?["z"] == .number(0.4))
        #expect(imu["linear_acceleration"]?["z"] == .number(6))
    }

    @Test("speeds are kept within the configuration's, and what is none stays none")
    func velocities() {
        let twist: JSONValue = .object([
            "linear": .object(["x": .number(5), "y": .number(-5)]), "angular": .object(["z": .number(0.5)]),
        ])
        #expect(ROS2Messages.velocity(twist: twist, limits: DriveLimits()) == Velocity(x: 0.8, y: -0.4, yaw: 0.5))
        #expect(ROS2Messages.velocity(twist: .object([:]), limits: DriveLimits()).x.isNaN)
    }

    private struct Missing: Error {}
}
