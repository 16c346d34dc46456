import Core
import Foundation
import MediaPipeline
import PeerConnection
import Synchronization
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("Robot", .timeLimit(.minutes(5)))
struct RobotTests {
    private let link = ScriptedLink()
    private let metrics = MetricsRegistry()
    private let time = SharedClock()

    /// A clock that stands still unless a test moves it, so that nothing is due because the machine is busy.
    private var clock: RobotClock {
        RobotClock(now: { [time] in time.now }) { [time] in try await time.sleep(for: $0) }
    }

    /// A robot whose link answers every request with code 0, or as told.
    private func robot(
        isReady: Bool = true, clock: RobotClock = .system, _ change: (inout RobotConfiguration) -> Void = { _ in },
        answers: @escaping @Sendable (RobotRequest) -> RobotLinkEvent? = {
            .response(RobotResponse(id: $0.id, apiID: $0.apiID, code: 0, data: "done \($0.apiID)"))
        }
    ) -> Robot {
        var configuration = RobotConfiguration(name: "rex")
        configuration.permanentTopics = [RobotTopic.lowState]
        change(&configuration)
        let robot = Robot(
            configuration: configuration, link: link, metrics: RobotMetrics(metrics, robot: "rex"), clock: clock,
            random: .seeded(5))
        link.answer(answers)
        robot.start()
        if isReady { link.say(.ready) }
        return robot
    }

    @Test("A request brings back the robot's own answer")
    func request() async throws {
        let robot = robot()
        let response = try await robot.request(topic: RobotTopic.sport, apiID: 1_004)
        #expect(response.code == 0 && response.data == "done 1004")
        #expect(metrics.prometheusText().contains(#"avatar_robot_requests_total{robot="rex",outcome="done"} 1"#))
        await robot.stop()
    }

    @Test("Without a robot a request fails at once")
    func notConnected() async {
        let robot = robot(isReady: false)
        await #expect(throws: RobotRequestError.notConnected) {
            try await robot.request(topic: RobotTopic.sport, apiID: 1_004)
        }
        await robot.stop()
    }

    @Test("Requests under way fail when the robot is lost, and when the server ends")
    func lost() async {
        let robot = robot(answers: { _ in nil })
        let first = Task { try await robot.request(topic: RobotTopic.sport, apiID: 1_004) }
        await link.waitFor("request 1004")
        link.say(.lost(reason: "gone"))
        await #expect(throws: RobotRequestError.lost) { try await first.value }
        link.say(.ready)
        let second = Task { try await robot.request(topic: RobotTopic.sport, apiID: 1_005) }
        await link.waitFor("request 1005")
        await robot.stop()
        await #expect(throws: RobotRequestError.lost) { try await second.value }
        #expect(link.isStopped)
    }

    @Test("A request whose task is cancelled ends")
    func cancelled() async {
        let robot = robot(answers: { _ in nil })
        let task = Task { try await robot.request(topic: RobotTopic.sport, apiID: 1_004) }
        await link.waitFor("request 1004")
        task.cancel()
        await #expect(throws: RobotRequestError.lost) { try await task.value }
        await robot.stop()
    }

    @Test("A verb that this firmware does not know is tried with the other command set's number")
    func otherCommandSet() async throws {
        let robot = robot(answers: {
            .response(RobotResponse(id: $0.id, apiID: $0.apiID, code: $0.apiID == 1_045 ? 3_203 : 0, data: ""))
        })
        #expect(try await robot.command("free_walk", arguments: ["data": true]).code == 0)
        #expect(link.requests.map(\.apiID) == [1_045, 2_045])
        #expect(link.requests.allSatisfy { $0.parameter == #"{"data":true}"# })
        await #expect(throws: RobotRequestError.self) { try await robot.command("fly") }
        await robot.stop()
    }

    @Test("Listeners get new values of their topics alone, over a lost connection too")
    func topics() async throws {
        let robot = robot()
        let updates = try robot.subscribe(["rt/a", "rt/b"])
        link.say(.topic("rt/c", 0))
        link.say(.topic("rt/a", 1))
        link.say(.lost(reason: "gone"))
        link.say(.ready)
        link.say(.topic("rt/b", 2))
        var received: [String] = []
        for await update in updates {
            received.append("\(update.topic) \(update.value.text)")
            if received.count == 2 { break }
        }
        #expect(received == ["rt/a 1", "rt/b 2"])
        #expect(link.said.count { $0 == "subscribe rt/a" } == 2)
        #expect(robot.topic("rt/c")?.value == 0)
        #expect(robot.topics.map(\.topic) == ["rt/a", "rt/b", "rt/c", RobotTopic.lowState])
        await robot.stop()
    }

    @Test("A topic is let go of with its last listener")
    func endsSubscription() async throws {
        let robot = robot()
        let task = Task {
            for await _ in try robot.subscribe(["rt/a"]) {}
        }
        await link.waitFor("subscribe rt/a")
        task.cancel()
        await link.waitFor("unsubscribe rt/a")
        await robot.stop()
    }

    @Test("Of a listener who sleeps the newest values are kept")
    func slowListener() async throws {
        let robot = robot()
        let updates = try robot.subscribe(["rt/a"])
        for number in 0..<1_000 { link.say(.topic("rt/a", .integer(Int64(number)))) }
        await robot.stop()
        var values: [Int] = []
        for await update in updates { values.append(update.value.integerValue ?? -1) }
        #expect(values == Array(936..<1_000))
    }

    @Test("The value of a topic that nobody listens to is asked for")
    func asksForValue() async throws {
        let robot = robot()
        let value = Task { try await robot.value(of: "rt/a", patience: .seconds(60)) }
        await link.waitFor("subscribe rt/a")
        link.say(.topic("rt/a", "v"))
        #expect(try await value.value?.value == "v")
        await link.waitFor("unsubscribe rt/a")
        #expect(try await robot.value(of: "rt/silent", patience: .milliseconds(1)) == nil)
        await robot.stop()
    }

    @Test("LiDAR frames become points for all listeners, and broken ones are counted")
    func voxels() async throws {
        let robot = robot()
        let first = try robot.voxels()
        let second = try robot.voxels()
        let header: JSONValue = [
            "topic": .string(RobotTopic.voxelMap),
            "data": ["src_size": 2_048, "width": [128, 128, 1], "origin": [0, 0, 0], "resolution": 1, "stamp": 5],
        ]
        link.say(.binary(header: header, payload: [1, 2, 3]))
        // 2,048 zeros as an LZ4 block: a literal, a match one byte back, five literals.
        let zeros: [UInt8] = [0x1F, 0, 1, 0] + Array(repeating: 255, count: 7) + [238, 0x50, 0, 0, 0, 0, 0]
        link.say(.binary(header: header, payload: zeros))
        for stream in [first, second] {
            for await cloud in stream {
                #expect(cloud.header.stamp == 5)
                break
            }
        }
        let text = metrics.prometheusText()
        #expect(text.contains(#"avatar_robot_lidar_frames_total{robot="rex",outcome="refused"} 1"#))
        #expect(text.contains(#"avatar_robot_lidar_frames_total{robot="rex",outcome="decoded"} 1"#))
        await robot.stop()
    }

    @Test("Status changes reach a listener, the newest at least")
    func statusChanges() async {
        let robot = robot(isReady: false)
        var changes = robot.statusChanges().makeAsyncIterator()
        let before = await changes.next()
        #expect(before?.isReady == false)
        #expect(before?.degradation != nil)
        link.say(.ready)
        link.say(.network(status: "Undefined"))
        let after = await changes.next()
        #expect(after?.isReady == true && after?.network == "Undefined")
        #expect(metrics.prometheusText().contains(#"avatar_robot_connected{robot="rex"} 1"#))
        await robot.stop()
        #expect(await changes.next() == nil)
    }

    @Test("Listeners who are told and called off at the same moment hold nobody up")
    func leavesWhileTold() async {
        await #expect(processExitsWith: .success) {
            alarm(240)  // Who waits for ever would do so with the thread that watches the time.
            let tests = RobotTests()
            let robot = tests.robot()
            let isTold = Watched(false)
            let teller = Thread { [link = tests.link] in
                for number in 0..<20_000 {
                    link.say(.topic("rt/a", .integer(Int64(number))))
                    robot.setWatched(video: number.isMultiple(of: 2), sound: false)
                }
                isTold.update { $0 = true }
            }
            teller.start()
            while !isTold.current {
                let listening = Task {
                    await withDiscardingTaskGroup { group in
                        group.addTask { for await _ in robot.statusChanges() {} }
                        group.addTask {
                            if let updates = try? robot.subscribe(["rt/a"]) { for await _ in updates {} }
                        }
                        group.addTask { _ = try? await robot.request(topic: RobotTopic.sport, apiID: 1_004) }
                    }
                }
                for _ in 0..<Int.random(in: 1...20) { await Task.yield() }
                listening.cancel()
                await listening.value
            }
            #expect(robot.topic("rt/a")?.value == 19_999)
            await robot.stop()
        }
    }

    @Test("A driver that falls silent is stopped by the clock alone")
    func deadMan() async throws {
        let robot = robot(clock: clock)
        let lease = try robot.driving.acquire(DriverID("anna"))
        #expect(throws: DriveRefusal.self) { try robot.driving.acquire(DriverID("bert")) }
        try robot.driving.move(Velocity(x: 0.1, y: 0, yaw: 0), by: lease)
        #expect(robot.driving.state.isMoving)
        while !link.said.contains("request 1003") { try #require(await time.advanceToNextWake()) }
        #expect(!robot.driving.state.isMoving)
        #expect(robot.driving.state.lastStop == .stale)
        #expect(metrics.prometheusText().contains(#"avatar_robot_stops_total{robot="rex",reason="stale"} 1"#))
        await robot.stop()
    }

    @Test("A driver that falls silent is stopped by the robot's own messages where no timer runs")
    func deadManWithoutTimer() async throws {
        let now = Mutex(Instant(nanoseconds: 1))
        let clock = RobotClock(now: { now.withLock(\.self) }) { _ in try await Task.sleep(for: .seconds(3_600)) }
        let robot = robot(clock: clock)
        let lease = try robot.driving.acquire(DriverID("anna"))
        try robot.driving.move(Velocity(x: 0.1, y: 0, yaw: 0), by: lease)
        now.withLock { $0 += .milliseconds(499) }
        link.say(.topic(RobotTopic.sportState, 1))
        #expect(!link.said.contains("request 1003"))
        now.withLock { $0 += .milliseconds(1) }
        link.say(.topic(RobotTopic.sportState, 1))
        #expect(link.said.last == "request 1003")
        await robot.stop()
    }

    @Test("Obstacle avoidance that a client switches on takes the velocities its way")
    func obstacleAvoidance() async throws {
        let robot = robot(clock: clock)
        #expect(try await robot.command("set_obstacle_avoidance", arguments: ["enable": true]).code == 0)
        #expect(robot.driving.state.avoidsObstacles)
        let lease = try robot.driving.acquire(DriverID("anna"))
        try robot.driving.move(Velocity(x: 0.1, y: 0, yaw: 0), by: lease)
        #expect(link.requests.last?.topic == RobotTopic.obstacleAvoidance)
        #expect(link.requests.last?.apiID == 1_003)
        await robot.stop()
    }

    @Test("A closed page stops its ride at once, before anything else is sent")
    func closedPage() async throws {
        let robot = robot(clock: clock)
        let lease = try robot.driving.acquire(DriverID("anna"))
        try robot.driving.move(Velocity(x: 0.1, y: 0, yaw: 0), for: .seconds(5), by: lease)
        robot.driving.release(DriverID("anna"))
        #expect(link.requests.map(\.apiID) == [1_008, 1_003])
        #expect(robot.driving.state.holder == nil)
        await robot.stop()
    }

    @Test("A stop that is requested ends a ride and is answered")
    func stopRequest() async throws {
        let robot = robot(clock: clock)
        let lease = try robot.driving.acquire(DriverID("anna"))
        try robot.driving.move(Velocity(x: 0.1, y: 0, yaw: 0), for: .seconds(5), by: lease)
        #expect(try await robot.command("stop").code == 0)
        #expect(!robot.driving.state.isMoving)
        #expect(throws: DriveRefusal.noLease) { try robot.driving.renew(lease) }
        await robot.stop()
    }

    @Test("The server's end stops a moving robot before the goodbye")
    func shutdown() async throws {
        let robot = robot(clock: clock)
        let lease = try robot.driving.acquire(DriverID("anna"))
        try robot.driving.move(Velocity(x: 0.1, y: 0, yaw: 0), by: lease)
        await robot.stop()
        #expect(link.requests.last?.apiID == 1_003)
        #expect(link.isStopped)
    }

    @Test("Pictures and sound go past the state, to whoever takes them")
    func media() async {
        let robot = robot()
        let seen = Mutex<[String]>([])
        robot.attach { event in
            seen.withLock { seen in
                switch event {
                case .camera(let packet): seen.append("camera \(packet.sequenceNumber)")
                case .microphone(let packet): seen.append("microphone \(packet.sequenceNumber)")
                case .lost: seen.append("lost")
                }
            }
        }
        link.say(.camera(Self.packet(1, .video)))
        link.say(.microphone(Self.packet(2, .audio)))
        link.say(.lost(reason: ""))
        #expect(seen.withLock(\.self) == ["camera 1", "microphone 2", "lost"])
        await robot.stop()
    }

    @Test("One viewer speaks through the robot, where it is allowed")
    func talk() async throws {
        let silent = robot()
        #expect(throws: RobotRequestError.self) { try silent.talk(DriverID("anna")) }
        let robot = robot { $0.allowsTalk = true }
        let voice = try robot.talk(DriverID("anna"))
        #expect(throws: RobotRequestError.self) { try robot.talk(DriverID("bert")) }
        voice.receive(Self.packet(1, .audio), now: .zero)
        #expect(link.said.last == "sound")
        voice.ended()
        let other = try robot.talk(DriverID("bert"))
        link.say(.lost(reason: ""))
        let count = link.said.count
        other.receive(Self.packet(2, .audio), now: .zero)
        voice.receive(Self.packet(3, .audio), now: .zero)
        #expect(link.said.count == count)
        await robot.stop()
    }

    private static func packet(_ number: UInt16, _ kind: MediaKind) -> ReceivedPacket {
        ReceivedPacket(
            kind: kind, payloadType: 101, ssrc: SSRC(1), sequenceNumber: number, timestamp: 0, marker: true,
            isRetransmitted: false, payload: [1])
    }

    @Test("A fleet starts and stops its robots and names those that are away")
    func fleet() async {
        let robot = robot(isReady: false)
        let fleet = RobotFleet([robot])
        fleet.start()
        #expect(fleet.degraded.map(\.part) == ["robot:rex"])
        link.say(.ready)
        #expect(fleet.degraded.isEmpty)
        await fleet.stop()
        #expect(link.isStopped)
    }
}
