import Core
import TestSupport
import Testing

@testable import Go2Bridge

/// A robot's state, its clock, and what it wants.
private struct CoreBench {
    var core: RobotCore
    var clock = ManualClock()

    init(_ change: (inout RobotConfiguration) -> Void = { _ in }) {
        var configuration = RobotConfiguration(name: "rex")
        configuration.permanentTopics = [RobotTopic.lowState]
        change(&configuration)
        core = RobotCore(configuration: configuration, random: .seeded(1))
    }

    mutating func say(_ event: RobotLinkEvent) {
        core.handle(event, now: clock.now)
    }

    mutating func orders() -> [String] {
        var orders: [String] = []
        while let order = core.pollOrder() { orders.append(order.short) }
        return orders
    }

    mutating func news() -> [RobotCore.News] {
        var news: [RobotCore.News] = []
        while let one = core.pollNews() { news.append(one) }
        return news
    }

    mutating func advance(by duration: Duration) {
        let end = clock.now + duration
        while let due = core.deadline, due <= end {
            if due > clock.now { clock.advance(by: due - clock.now) }
            core.handleTimeout(now: clock.now)
        }
        clock.advance(by: end - clock.now)
    }
}

@Suite("A robot's state")
struct RobotCoreTests {
    @Test("A robot that is found is told what it is wanted for, each time it is found")
    func found() throws {
        var bench = CoreBench()
        bench.core.setWatched(video: true, sound: true)
        try bench.core.subscribe(["rt/x"], now: bench.clock.now)
        #expect(bench.orders().isEmpty)
        for _ in 0..<2 {
            bench.say(.ready)
            #expect(bench.orders() == ["subscribe rt/lf/lowstate", "subscribe rt/x", "vid on", "aud off"])
            bench.say(.lost(reason: "gone"))
            #expect(bench.orders().isEmpty)
        }
    }

    @Test("A topic is asked for by the first subscriber and let go of by the last")
    func counted() throws {
        var bench = CoreBench()
        bench.say(.ready)
        _ = bench.orders()
        try bench.core.subscribe(["rt/x", RobotTopic.lowState], now: bench.clock.now)
        try bench.core.subscribe(["rt/x"], now: bench.clock.now)
        bench.core.unsubscribe(["rt/x", RobotTopic.lowState])
        #expect(bench.orders() == ["subscribe rt/x"])
        bench.core.unsubscribe(["rt/x"])
        bench.core.unsubscribe(["rt/x", "rt/never"])
        #expect(bench.orders() == ["unsubscribe rt/x"])
    }

    @Test("Too many topics, and names that are none, are refused as a whole")
    func tooMany() throws {
        var bench = CoreBench { $0.maximumTopics = 3 }
        bench.say(.ready)
        _ = bench.orders()
        #expect(throws: RobotRequestError.tooMany(limit: 3)) {
            try bench.core.subscribe(["rt/a", "rt/b", "rt/c"], now: bench.clock.now)
        }
        #expect(throws: RobotRequestError.self) { try bench.core.subscribe(["rt/a", "x"], now: bench.clock.now) }
        #expect(bench.orders().isEmpty)
        try bench.core.subscribe(["rt/a", "rt/b"], now: bench.clock.now)
        #expect(bench.orders().count == 2)
    }

    @Test("The camera is on while somebody watches, the microphone only where it is allowed")
    func watched() {
        var bench = CoreBench { $0.allowsSound = true }
        bench.say(.ready)
        _ = bench.orders()
        bench.core.setWatched(video: true, sound: false)
        bench.core.setWatched(video: true, sound: true)
        bench.core.setWatched(video: false, sound: false)
        #expect(bench.orders() == ["vid on", "aud on", "vid off", "aud off"])
        var silent = CoreBench()
        silent.say(.ready)
        _ = silent.orders()
        silent.core.setWatched(video: false, sound: true)
        #expect(silent.orders().isEmpty)
    }

    @Test("The LiDAR is on while somebody listens, and its switch is thrown again until frames come")
    func lidar() throws {
        var bench = CoreBench()
        bench.say(.ready)
        _ = bench.orders()
        try bench.core.addVoxelListener(now: bench.clock.now)
        try bench.core.addVoxelListener(now: bench.clock.now)
        let on = #"publish rt/utlidar/switch "ON""#
        #expect(bench.orders() == ["subscribe \(RobotTopic.voxelMap)", "saving off", on])
        bench.advance(by: .seconds(2))
        #expect(bench.orders() == [on, on])
        let header: JSONValue = ["type": "msg", "topic": .string(RobotTopic.voxelMap), "data": ["stamp": 1]]
        bench.say(.binary(header: header, payload: [1]))
        bench.advance(by: .seconds(10))
        #expect(bench.orders().isEmpty)
        let frames = bench.news().count { if case .voxels = $0 { true } else { false } }
        #expect(frames == 1)
        bench.core.removeVoxelListener(now: bench.clock.now)
        #expect(bench.orders().isEmpty)
        bench.core.removeVoxelListener(now: bench.clock.now)
        #expect(
            bench.orders() == ["unsubscribe \(RobotTopic.voxelMap)", "saving on", #"publish rt/utlidar/switch "OFF""#])
        bench.say(.binary(header: header, payload: [1]))
        let unwanted = bench.news().contains { if case .voxels = $0 { true } else { false } }
        #expect(!unwanted)
    }

    @Test("A switch that brings no frames is thrown five times, and lidar may be off")
    func lidarGivesUp() throws {
        var bench = CoreBench()
        bench.say(.ready)
        try bench.core.addVoxelListener(now: bench.clock.now)
        bench.advance(by: .seconds(60))
        #expect(bench.orders().count { $0.contains("ON") } == 5)
        var off = CoreBench { $0.allowsLiDAR = false }
        #expect(throws: RobotRequestError.self) { try off.core.addVoxelListener(now: off.clock.now) }
    }

    @Test("Ages, rates and the longest gaps of a topic are measured")
    func pace() {
        var bench = CoreBench()
        bench.say(.ready)
        for gap in Array(repeating: 50, count: 98) + [400, 50] {
            bench.say(.topic(RobotTopic.lowState, 1))
            bench.clock.advance(by: .milliseconds(gap))
        }
        bench.say(.topic(RobotTopic.lowState, 2))
        bench.clock.advance(by: .milliseconds(20))
        let value = bench.core.topics.value(of: RobotTopic.lowState, now: bench.clock.now)
        #expect(value?.value == 2)
        #expect(value?.age == .milliseconds(20))
        #expect(value?.summary.count == 101)
        #expect(abs((value?.summary.rate ?? 0) - 100 / 5.35) < 0.01)
        #expect(value?.summary.gap99 == .milliseconds(50))
        bench.say(.topic(RobotTopic.lowState, 3))
        bench.clock.advance(by: .milliseconds(300))
        bench.say(.topic(RobotTopic.lowState, 4))
        #expect(bench.core.topics.summary(of: RobotTopic.lowState, now: bench.clock.now)?.gap99 == .milliseconds(300))
    }

    @Test("A topic that should come and does not is stale, until it comes or the robot is gone")
    func stale() {
        var bench = CoreBench()
        bench.say(.ready)
        bench.advance(by: .seconds(4))
        #expect(bench.core.status(now: bench.clock.now).staleTopics.isEmpty)
        bench.advance(by: .seconds(2))
        #expect(bench.core.status(now: bench.clock.now).staleTopics == [RobotTopic.lowState])
        bench.say(.topic(RobotTopic.lowState, 1))
        bench.advance(by: .seconds(1))
        #expect(bench.core.status(now: bench.clock.now).staleTopics.isEmpty)
        bench.advance(by: .seconds(10))
        #expect(bench.core.status(now: bench.clock.now).staleTopics == [RobotTopic.lowState])
        bench.say(.lost(reason: "gone"))
        #expect(bench.core.status(now: bench.clock.now).staleTopics.isEmpty)
    }

    @Test("A robot that invents topics fills no memory, and wanted ones have room")
    func inventedTopics() throws {
        var bench = CoreBench()
        bench.say(.ready)
        for number in 0..<1_000 {
            bench.say(.topic("rt/t\(number)", 1))
            bench.clock.advance(by: .milliseconds(1))
        }
        bench.say(.topic(RobotTopic.lowState, 7))
        #expect(bench.core.topics.summaries(now: bench.clock.now).count == TopicTable.maximumTopics)
        #expect(bench.core.topics.latest(RobotTopic.lowState) == 7)
    }

    @Test("Battery, stance, faults and network are told in words")
    func status() throws {
        var bench = CoreBench()
        bench.say(.ready)
        let lowState = #"{"bms_state":{"soc":55,"current":-2481},"power_v":28.331045}"#
        bench.say(.topic(RobotTopic.lowState, try #require(JSONValue(parsing: Array(lowState.utf8)))))
        bench.say(.topic(RobotTopic.sportState, ["body_height": .number(0.326), "error_code": 1_002, "mode": "1"]))
        bench.say(.faults([RobotFault(time: 1, source: 300, code: 16), RobotFault(time: 1, source: 309, code: 4)]))
        bench.say(.network(status: "NetworkStatus.ON_WIFI_CONNECTED"))
        let status = bench.core.status(now: bench.clock.now)
        #expect(status.battery?.percent == 55 && status.battery?.volts == 28.331045)
        #expect(status.battery?.milliamperes == -2_481)
        #expect(status.sport?.bodyHeight == 0.326 && status.sport?.errorCode == 1_002 && status.sport?.mode == 1)
        #expect(status.faults.map(\.text) == ["motors: winding overheated", "motor 9: fault 4"])
        #expect(status.network == "NetworkStatus.ON_WIFI_CONNECTED")
        #expect(status.degradation == nil)
        var asking = ConnectionReport(state: .connected, phases: [PhaseReport(phase: .validation, outcome: .running)])
        asking.failure = PhaseDiagnosis.revalidation
        bench.say(.report(asking))
        let forgotten = bench.core.status(now: bench.clock.now).degradation
        #expect(forgotten?.reason == "validation: the robot asks for validation again")
        bench.say(.report(ConnectionReport(state: .connected)))
        #expect(bench.core.status(now: bench.clock.now).degradation == nil)
        bench.say(.lost(reason: "no sign for 15 s"))
        let lost = bench.core.status(now: bench.clock.now)
        #expect(lost.faults.isEmpty)
        #expect(lost.degradation?.part == "robot:rex")
        #expect(lost.degradation?.reason == "no sign for 15 s")
    }

    @Test("A binary message that is no LiDAR frame is a topic whose data is Base64")
    func binaryTopic() {
        var bench = CoreBench()
        bench.say(.ready)
        bench.say(.binary(header: ["type": "msg", "topic": "rt/cloud", "data": ["n": 1]], payload: [1, 2, 3]))
        #expect(bench.core.topics.latest("rt/cloud") == ["n": 1, "data": "AQID"])
        _ = bench.news()
        for odd: JSONValue in [.null, [], ["topic": 3], ["topic": "rt/x", "data": 5], ["topic": "nope"]] {
            bench.say(.binary(header: odd, payload: [1]))
        }
        let refused = bench.news().count { if case .refusedTopic = $0 { true } else { false } }
        #expect(refused == 5)
    }

    @Test("What moves the robot is its driver's alone, a stop is anybody's")
    func permissions() throws {
        var bench = CoreBench()
        func check(_ topic: String, _ apiID: Int32, _ driver: String? = nil, parameter: String = "") -> String {
            do throws(RobotRequestError) {
                try bench.core.check(
                    RobotRequest(id: 0, topic: topic, apiID: apiID, parameter: parameter),
                    driver: driver.map(DriverID.init))
                return "allowed"
            } catch {
                return error.outcome
            }
        }
        #expect(check(RobotTopic.sport, 1_004) == "not_connected")
        bench.say(.ready)
        #expect(check(RobotTopic.sport, 1_004) == "allowed")
        let lease = try bench.core.seat.acquire(DriverID("anna"), now: bench.clock.now)
        #expect(check(RobotTopic.sport, 1_004) == "driven_by_another")
        #expect(check(RobotTopic.sport, 1_004, "bert") == "driven_by_another")
        #expect(check(RobotTopic.sport, 1_004, "anna") == "allowed")
        #expect(check(RobotTopic.sport, 1_003, "bert") == "allowed")
        #expect(check(RobotTopic.sport, 1_001) == "allowed")
        #expect(check(RobotTopic.vui, 1_004, "bert") == "allowed")
        #expect(check(RobotTopic.sport, 1_008, lease.driver.text) == "unsafe")
        #expect(check(RobotTopic.obstacleAvoidance, 1_003, "anna") == "unsafe")
        #expect(check(RobotTopic.sport, 1_030, "anna") == "acrobatics")
        #expect(check(RobotTopic.bashRunner, 1_001, parameter: #"{"script":"reboot.sh"}"#) == "unsafe")
        #expect(
            check(RobotTopic.bashRunner, 1_001, parameter: #"{"script":"get_whole_packet_version.sh"}"#) == "allowed")
        #expect(check("rt/lowcmd", 1) == "invalid")
        #expect(check(RobotTopic.sport, 0) == "invalid")
        #expect(check(RobotTopic.sport, 1_009, parameter: "{") == "invalid")
        #expect(
            check(RobotTopic.sport, 1_009, parameter: "\"" + String(repeating: "x", count: 70_000) + "\"") == "invalid")
    }

    @Test("Publications that would move the robot past the driver's seat are refused")
    func publications() throws {
        var bench = CoreBench()
        bench.say(.ready)
        _ = try bench.core.seat.acquire(DriverID("anna"), now: bench.clock.now)
        for (topic, outcome) in [
            ("rt/lowcmd", "unsafe"), ("rt/wirelesscontroller", "unsafe"),
            ("rt/uslam/client_command", "driven_by_another"), (RobotTopic.sport, "invalid"), ("x", "invalid"),
        ] {
            do throws(RobotRequestError) {
                try bench.core.checkPublication(topic, 1, driver: nil)
                Issue.record("\(topic) was taken")
            } catch {
                #expect(error.outcome == outcome, "\(topic)")
            }
        }
        try bench.core.checkPublication("rt/qt_add_node", 1, driver: nil)
        try bench.core.checkPublication("rt/uslam/client_command", "mapping/start", driver: DriverID("anna"))
    }
}
