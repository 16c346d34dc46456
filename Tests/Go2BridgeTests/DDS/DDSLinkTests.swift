import Core
import TestSupport
import Testing

@testable import Go2Bridge

/// Each test has a domain of its own, on loopback.
@Suite("The link over DDS", .serialized, .timeLimit(.minutes(1)))
struct DDSLinkTests {
    private struct Ground {
        let participant: DDSParticipant
        let robot: Robot

        /// Robot and driver are patient, since a test may be held up at any place.
        init(domain: Int, interface: String = "lo", silenceLimit: Duration = .seconds(300)) {
            participant = DDSParticipant(DDSSettings(domain: domain, interface: interface))
            var configuration = DDSLinkConfiguration(name: "dog")
            configuration.silenceLimit = silenceLimit
            var robotConfiguration = RobotConfiguration(name: "dog", connection: "cyclonedds")
            robotConfiguration.driving.leaseTime = .seconds(300)
            let metrics = MetricsRegistry()
            robot = Robot(
                configuration: robotConfiguration,
                link: DDSLink(configuration: configuration, participant: participant, metrics: metrics),
                metrics: RobotMetrics(metrics, robot: "dog"))
            participant.start()
            robot.start()
        }

        /// Of states that follow one another fast only the newest is sure to be seen.
        func waitFor(_ condition: (RobotStatus) -> Bool) async {
            for await status in robot.statusChanges() where condition(status) { return }
        }

        func stop() async {
            await robot.stop()
            await participant.stop()
        }
    }

    @Test("a wired robot is found, its state read, and its answers returned by their numbers")
    func works() async throws {
        let ground = Ground(domain: 101)
        let wired = WiredRobot(ground.participant) { apiID, _ in apiID == 1004 ? (0, "up") : (3203, "") }
        await ground.waitFor(\.isReady)
        let report = ground.robot.status.report
        let outcomes = report.phases.map(\.outcome)
        #expect(outcomes.first == .succeeded && outcomes.dropFirst().allSatisfy { $0 == .skipped })
        #expect(report.phases.last?.evidence == [DDSLinkDriver.noMedia])
        let response = try await ground.robot.request(topic: RobotTopic.sport, apiID: 1004)
        #expect(response.code == 0 && response.data == "up" && response.apiID == 1004)
        #expect(try await ground.robot.request(topic: RobotTopic.sport, apiID: 1009).code == 3203)
        await ground.waitFor { $0.battery?.percent == 55 && $0.sport?.bodyHeight != nil }
        // No two clients of one bus have the same numbers.
        #expect(wired.requestIDs.allSatisfy { $0 > 1 << 32 })
        await ground.stop()
    }

    @Test("a robot that falls silent is lost, and found again")
    func silence() async throws {
        let limit: Duration = .milliseconds(500)
        let ground = Ground(domain: 102, silenceLimit: limit)
        let wired = WiredRobot(ground.participant)
        await ground.waitFor(\.isReady)
        wired.fallSilent()
        let reason = DDSDiagnosis.silent(limit).reason
        await ground.waitFor { !$0.isReady && $0.lostReason == reason && $0.report.attempt >= 2 }
        // After three seconds it is said what may be amiss.
        #expect(["silent", "no_samples"].contains(ground.robot.status.report.failure?.code))
        await #expect(throws: RobotRequestError.notConnected) {
            try await ground.robot.request(topic: RobotTopic.sport, apiID: 1004)
        }
        wired.fallSilent(false)
        await ground.waitFor { $0.isReady && $0.report.failure == nil }
        await ground.stop()
    }

    @Test("a request that the robot never answers, or a service that is not there, times out")
    func unanswered() async throws {
        let ground = Ground(domain: 103)
        let wired = WiredRobot(ground.participant) { _, _ in nil }
        await ground.waitFor(\.isReady)
        for topic in [RobotTopic.sport, RobotTopic.vui] {
            await #expect(throws: RobotRequestError.timedOut(seconds: 0.3)) {
                try await ground.robot.request(topic: topic, apiID: 1006, timeout: .milliseconds(300))
            }
        }
        #expect(wired.requests == [1006])
        await ground.stop()
    }

    @Test("a driver who falls silent leaves the robot stopped")
    func deadMan() async throws {
        let ground = Ground(domain: 104)
        let wired = WiredRobot(ground.participant)
        await ground.waitFor(\.isReady)
        let lease = try ground.robot.driving.acquire(DriverID("test"))
        try ground.robot.driving.move(Velocity(x: 0.2, y: 0, yaw: 0), by: lease)
        await ground.waitFor { $0.drive.lastStop == .stale && !$0.drive.isStopping }
        #expect(wired.requests.first == 1008 && wired.requests.contains(1003))
        await ground.stop()
    }

    @Test("an empty domain is told from one without an interface")
    func nobody() async {
        let alone = Ground(domain: 105)
        await alone.waitFor { $0.report.failure?.code == "no_participant" }
        await alone.stop()
        let nowhere = Ground(domain: 106, interface: "none0")
        await nowhere.waitFor { $0.report.failure?.code == "interface" }
        await nowhere.stop()
    }

    @Test("ROS 2 nodes drive by the seat, ask, and see the robot's joints and status")
    func ros2() async throws {
        let ground = Ground(domain: 107)
        let wired = WiredRobot(ground.participant)
        let bridge = ROS2Bridge(
            robot: ground.robot, participant: ground.participant, namespace: "robot0", metrics: MetricsRegistry())
        bridge.start()
        await ground.waitFor(\.isReady)
        wired.send(
            .object(["topic": .string(RobotTopic.sport), "api_id": .integer(1004), "priority": .integer(1)]),
            .webRTCRequest, on: "rt/robot0/webrtc_req")
        let twist: JSONValue = .object(["linear": .object(["x": .number(0.3)])])
        wired.send(twist, .twist, on: "rt/robot0/cmd_vel_out")
        // Once the stop is answered no earlier velocity is on its way any more.
        await ground.waitFor {
            $0.drive.holder == DriverID("ros2:dog") && $0.drive.lastStop == .stale && !$0.drive.isStopping
        }
        let velocities = wired.requests.count { $0 == 1008 }
        wired.send(twist, .twist, on: "rt/robot0/cmd_vel_out")
        #expect(await wired.seen.wait { $0.count { $0.apiID == 1008 } > velocities })
        wired.send(.object([:]), .twist, on: "rt/robot0/cmd_vel_out")
        await ground.waitFor { $0.drive.holder == nil && $0.drive.lastStop == .ordered && !$0.drive.isStopping }
        #expect(wired.requests.contains(1004) && velocities > 0 && wired.requests.contains(1003))
        await bridge.stop()
        await ground.stop()
    }
}
