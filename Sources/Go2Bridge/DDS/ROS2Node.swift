internal import Core
internal import Synchronization

/// The readers and writers of one robot's ROS 2 topics. Only on the participant's thread.
final class ROS2Node: DDSClient {
    /// Requests that wait for the robot's answers, at most.
    static let maximumRequests = 16
    private static let statusInterval: Duration = .seconds(1)

    /// What tasks leave behind.
    private struct Answers: Sendable {
        var waiting = 0
        var last = JSONValue.null
    }

    private let robot: Robot
    private let messages: ROS2Messages
    private let metrics: ROS2Metrics
    private let driver: DriverID
    private let answers: Answer
    private var lease: DriveLease?
    private var writers: [String: Int32] = [:]
    private var sportState: JSONValue?
    private var lastStatus = ""
    private var nextStatus = Instant.zero
    private var nextLook = Instant.zero

    /// A box, since tasks outlive a turn of the thread.
    private final class Answer: Sendable {
        let state = Mutex(Answers())
    }

    init(robot: Robot, messages: ROS2Messages, metrics: ROS2Metrics) {
        self.robot = robot
        self.messages = messages
        self.metrics = metrics
        driver = DriverID("ros2:\(robot.name)")
        answers = Answer()
    }

    func end() {
        robot.driving.release(driver)
        lease = nil
    }

    // MARK: - DDSClient

    func opened(_ session: DDSSession) {
        for (name, type) in [
            ("joint_states", DDSType.jointState), ("imu", .imu), ("odom", .odometry), ("go2_driver_status", .string),
        ] {
            writers[name] = session.write(messages.topic(name), type, isReliable: true, depth: 10, for: self)
        }
        _ = session.read(messages.topic("webrtc_req"), .webRTCRequest, isReliable: true, depth: 10, for: self)
        // Of velocities only the newest matters.
        _ = session.read(messages.topic("cmd_vel_out"), .twist, isReliable: false, depth: 1, for: self)
    }

    /// The robot's own link, or the server's log, tells.
    func failed(_ error: DDSError) {}

    func received(_ bytes: [UInt8], topic: String, session: DDSSession) {
        do throws(CDRError) {
            if topic == messages.topic("cmd_vel_out") {
                let twist = try DDSType.twist.shape.json(of: bytes)
                drive(ROS2Messages.velocity(twist: twist, limits: robot.configuration.driving))
            } else {
                request(try DDSType.webRTCRequest.shape.json(of: bytes))
            }
        } catch {
            metrics.refused.increment()
        }
    }

    /// The status goes out with every change, and once a second.
    func turned(now: Instant, session: DDSSession?) {
        guard now >= nextLook, let session, let writer = writers["go2_driver_status"] else { return }
        nextLook = now + DDSParticipant.turn
        let text = ROS2Messages.status(robot.status, lastRequest: answers.state.withLock(\.last))
        guard text != lastStatus || now >= nextStatus else { return }
        lastStatus = text
        nextStatus = now + Self.statusInterval
        send(.object(["data": .string(text)]), by: writer, session)
    }

    // MARK: - Out

    func publish(_ update: TopicUpdate, session: DDSSession?) {
        guard let session else { return }
        let time = SystemClock.wallTime()
        switch update.topic {
        case RobotTopic.lowState:
            send(messages.jointState(lowState: update.value, at: time), by: writers["joint_states"], session)
        case RobotTopic.sportState:
            sportState = update.value
            send(messages.imu(sportState: update.value, at: time), by: writers["imu"], session)
        case RobotTopic.robotPose:
            let odometry = messages.odometry(pose: update.value, sportState: sportState, at: time)
            send(odometry, by: writers["odom"], session)
        default: break
        }
    }

    private func send(_ value: JSONValue?, by writer: Int32?, _ session: DDSSession) {
        guard let value, let writer else { return }
        if session.send(value, by: writer) { metrics.published.increment() }
    }

    // MARK: - In

    /// A zero stops and lets go of the seat, so that others may drive; silence stops by the seat's own dead man's switch.
    private func drive(_ velocity: Velocity) {
        metrics.velocities.increment()
        do throws(DriveRefusal) {
            guard velocity.x.isFinite, velocity.y.isFinite, velocity.yaw.isFinite else {
                metrics.velocitiesRefused.increment()
                // It takes nobody's seat, and stops who drives in this way.
                guard let held = lease else { return }
                return try robot.driving.stop(by: held)
            }
            if velocity == .zero {
                guard let held = lease else { return }
                lease = nil
                try robot.driving.stop(by: held)
                robot.driving.release(held)
            } else {
                let held = try robot.driving.acquire(driver)
                lease = held
                try robot.driving.move(velocity, by: held)
            }
        } catch {
            metrics.velocitiesRefused.increment()
        }
    }

    private func request(_ message: JSONValue) {
        metrics.requests.increment()
        let topic = RobotTopic.named(message["topic"]?.stringValue ?? "")
        let apiID = Int32(clamping: message["api_id"]?.integerValue ?? 0)
        let parameter = message["parameter"]?.stringValue ?? ""
        let priority = Int32(clamping: message["priority"]?.integerValue ?? 0)
        // A velocity has a driver, however it comes.
        if RobotRequest(id: 0, topic: topic, apiID: apiID).isMotion {
            let speeds = JSONValue(parsing: Array(parameter.utf8))
            // `Move` has the turn in `z`, the service that avoids obstacles in `yaw`.
            let turn = speeds?["yaw"] ?? speeds?["z"]
            return drive(
                ROS2Messages.velocity(
                    x: speeds?["x"]?.finiteNumber, y: speeds?["y"]?.finiteNumber, yaw: turn?.finiteNumber,
                    limits: robot.configuration.driving))
        }
        let isStop = RobotRequest(id: 0, topic: topic, apiID: apiID).isStop
        let isTaken = answers.state.withLock { answers in
            // A stop always goes.
            guard isStop || answers.waiting < Self.maximumRequests else { return false }
            answers.waiting += 1
            return true
        }
        guard isTaken else { return metrics.dropped.increment() }
        Task { [robot, driver, answers] in
            var outcome: [String: JSONValue] = [
                "topic": .string(String(topic.prefix(RobotTopic.maximumLength))), "api_id": .integer(Int64(apiID)),
            ]
            do throws(RobotRequestError) {
                let response = try await robot.request(
                    topic: topic, apiID: apiID, parameter: parameter, priority: priority, driver: driver)
                outcome["code"] = .integer(Int64(response.code))
                outcome["data"] = .string(String(response.data.prefix(4_096)))
            } catch {
                outcome["error"] = .string(error.outcome)
            }
            let said = JSONValue.object(outcome)
            answers.state.withLock { answers in
                answers.waiting -= 1
                answers.last = said
            }
        }
    }
}
