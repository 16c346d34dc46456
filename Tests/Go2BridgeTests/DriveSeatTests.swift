import Core
import TestSupport
import Testing

@testable import Go2Bridge

/// A seat, its clock, and what it sent.
private struct SeatBench {
    var seat: DriveSeat
    var clock = ManualClock()

    init(avoidsObstacles: Bool = false) {
        seat = DriveSeat(avoidsObstacles: avoidsObstacles, random: .seeded(3))
        seat.linkReady(now: clock.now)
    }

    mutating func acquire(_ name: String = "anna") throws -> DriveLease {
        try seat.acquire(DriverID(name), now: clock.now)
    }

    mutating func move(_ x: Double, _ lease: DriveLease, for duration: Duration? = nil) throws {
        try seat.move(Velocity(x: x, y: 0, yaw: 0), for: duration, by: lease, now: clock.now)
    }

    mutating func advance(by duration: Duration) {
        let end = clock.now + duration
        while let due = seat.deadline, due <= end {
            if due > clock.now { clock.advance(by: due - clock.now) }
            seat.handleTimeout(now: clock.now)
        }
        clock.advance(by: end - clock.now)
    }

    mutating func sent() -> [Int32] {
        var sent: [Int32] = []
        while let request = seat.pollRequest() { sent.append(request.apiID) }
        return sent
    }

    mutating func reasons() -> [StopReason] {
        var reasons: [StopReason] = []
        while let reason = seat.pollStop() { reasons.append(reason) }
        return reasons
    }

    mutating func answerStop(code: Int32 = 0) {
        seat.answered(RobotRequest(id: 1, topic: RobotTopic.sport, apiID: 1003), code: code, now: clock.now)
    }
}

@Suite("Driver's seat")
struct DriveSeatTests {
    private let move: Int32 = 1_008
    private let stop: Int32 = 1_003

    @Test("One drives, others hear for how long the seat is taken")
    func exclusive() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        bench.advance(by: .milliseconds(500))
        #expect(throws: DriveRefusal.taken(expiresIn: .milliseconds(1_500))) { try bench.acquire("bert") }
        #expect(try bench.acquire("anna") == lease)
        bench.seat.release(lease, now: bench.clock.now)
        let other = try bench.acquire("bert")
        #expect(other.id != lease.id)
        #expect(throws: DriveRefusal.noLease) { try bench.move(0.1, lease) }
        // A lease that is over releases nothing.
        bench.seat.release(lease, now: bench.clock.now)
        #expect(bench.seat.isHeld(by: DriverID("bert")))
    }

    @Test("A timer that comes after both a velocity and its lease are over tells what ended first")
    func lateTimer() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.1, lease)
        bench.clock.advance(by: .seconds(5))
        bench.seat.handleTimeout(now: bench.clock.now)
        #expect(bench.reasons() == [.stale])
        #expect(bench.sent() == [move, stop])
        #expect(!bench.seat.isHeld(by: DriverID("anna")))
    }

    @Test("A lease lasts two seconds, each command and heartbeat renews it")
    func lapses() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        bench.advance(by: .milliseconds(1_900))
        try bench.seat.renew(lease, now: bench.clock.now)
        bench.advance(by: .milliseconds(1_900))
        try bench.move(0.2, lease)
        bench.advance(by: .milliseconds(1_999))
        #expect(bench.seat.isHeld(by: lease.driver))
        bench.advance(by: .milliseconds(1))
        #expect(!bench.seat.isTaken(from: nil))
        #expect(throws: DriveRefusal.noLease) { try bench.seat.renew(lease, now: bench.clock.now) }
    }

    @Test("A velocity goes to the robot in its own words")
    func words() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.seat.move(Velocity(x: 0.5, y: -0.25, yaw: 1), by: lease, now: bench.clock.now)
        let polled = bench.seat.pollRequest()
        let request = try #require(polled)
        #expect(request.topic == RobotTopic.sport)
        #expect(request.apiID == 1_008)
        #expect(
            JSONValue(parsing: Array(request.parameter.utf8)) == [
                "x": .number(0.5), "y": .number(-0.25), "z": .number(1),
            ])
    }

    @Test("Commands stale for 500 ms stop the robot, and the driver keeps the seat")
    func stale() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        bench.advance(by: .milliseconds(499))
        #expect(!bench.sent().contains(stop))
        bench.advance(by: .milliseconds(1))
        #expect(bench.sent() == [stop])
        #expect(bench.reasons() == [.stale])
        #expect(bench.seat.isHeld(by: lease.driver))
        // A heartbeat of the page is no command.
        bench.answerStop()
        try bench.move(0.2, lease)
        for _ in 0..<4 {
            bench.advance(by: .milliseconds(125))
            try bench.seat.renew(lease, now: bench.clock.now)
        }
        #expect(bench.reasons() == [.stale])
    }

    @Test("A stop is repeated until the robot answers")
    func retries() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        try bench.seat.stop(by: lease, now: bench.clock.now)
        bench.advance(by: .seconds(1))
        #expect(bench.sent() == [move, stop, stop, stop, stop, stop])
        #expect(bench.seat.state(now: bench.clock.now).isStopping)
        bench.answerStop()
        bench.advance(by: .seconds(1))
        #expect(bench.sent().isEmpty)
        #expect(!bench.seat.state(now: bench.clock.now).isStopping)
    }

    @Test("A stop that the robot refuses is not repeated for ever")
    func refusedStop() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        try bench.seat.stop(by: lease, now: bench.clock.now)
        for _ in 0..<20 {
            bench.answerStop(code: -1)
            bench.advance(by: .milliseconds(250))
        }
        #expect(bench.sent().count { $0 == stop } == bench.seat.limits.maximumStopRefusals)
    }

    @Test("No speed at all is a stop")
    func zero() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        try bench.move(0, lease)
        #expect(bench.sent() == [move, stop])
        bench.answerStop()
        // A pad at rest says so twenty times a second; the robot hears of it once.
        for _ in 0..<40 {
            bench.advance(by: .milliseconds(50))
            try bench.move(0, lease)
        }
        #expect(bench.sent().isEmpty)
        #expect(bench.reasons() == [.ordered])
    }

    @Test("Letting go, a closed page and a lapsed lease stop a moving robot, and leave a standing one alone")
    func letsGo() throws {
        var bench = SeatBench()
        var lease = try bench.acquire()
        try bench.move(0.2, lease)
        bench.seat.release(lease, now: bench.clock.now)
        lease = try bench.acquire()
        try bench.move(0.2, lease)
        bench.seat.release(DriverID("anna"), now: bench.clock.now)
        bench.answerStop()
        lease = try bench.acquire()
        try bench.move(0.2, lease, for: .seconds(4))
        bench.advance(by: .seconds(5))
        #expect(bench.reasons() == [.released, .released, .stale])
        bench.answerStop()
        _ = bench.sent()
        lease = try bench.acquire()
        bench.seat.release(lease, now: bench.clock.now)
        bench.advance(by: .seconds(5))
        #expect(bench.sent().isEmpty)
    }

    @Test("A velocity that names its time holds that long and is repeated, but no longer than allowed")
    func duration() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease, for: .seconds(1))
        bench.advance(by: .milliseconds(999))
        #expect(bench.sent() == [move, move, move, move, move])
        bench.advance(by: .milliseconds(1))
        #expect(bench.sent() == [stop])
        bench.answerStop()
        try bench.move(0.2, lease, for: .seconds(3_600))
        bench.advance(by: .milliseconds(4_999))
        #expect(!bench.sent().contains(stop))
        bench.advance(by: .milliseconds(1))
        #expect(bench.sent().contains(stop))
    }

    @Test("The robot hears at most twenty velocities a second, the newest of them")
    func rate() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        var sent: [RobotRequest] = []
        for step in 0..<1_000 {
            try bench.move(0.0001 * Double(step + 1), lease)
            bench.advance(by: .milliseconds(1))
            while let request = bench.seat.pollRequest() { sent.append(request) }
        }
        #expect((20...21).contains(sent.count))
        #expect(sent.last?.parameter == #"{"x":0.1,"y":0.0,"z":0.0}"#)
    }

    @Test("Numbers that are none or too large are refused, and stop a moving robot")
    func limits() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        for (x, y, yaw, name) in [
            (Double.nan, 0.0, 0.0, "x"), (0, .infinity, 0, "y"), (0, 0, -.infinity, "yaw"), (0.81, 0, 0, "x"),
            (0, -0.41, 0, "y"), (0, 0, 1.21, "yaw"),
        ] {
            try bench.move(0.2, lease)
            do throws(DriveRefusal) {
                try bench.seat.move(Velocity(x: x, y: y, yaw: yaw), by: lease, now: bench.clock.now)
                Issue.record("\(name) was taken")
            } catch {
                guard case .outOfRange(name, _) = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
            #expect(bench.sent().last == stop)
            bench.advance(by: .milliseconds(50))
        }
        #expect(bench.reasons() == Array(repeating: .invalidCommand, count: 6))
    }

    @Test("A lost robot empties the seat, and is stopped when it is back if it moved")
    func lostLink() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        _ = bench.sent()
        bench.seat.linkLost(now: bench.clock.now)
        #expect(bench.seat.deadline == nil)
        #expect(throws: DriveRefusal.noLease) { try bench.move(0.2, lease) }
        #expect(throws: DriveRefusal.notConnected) { try bench.acquire() }
        bench.clock.advance(by: .seconds(30))
        bench.seat.linkReady(now: bench.clock.now)
        #expect(bench.sent() == [stop])
        #expect(bench.reasons() == [.reconnected])
        bench.answerStop()
        bench.seat.linkLost(now: bench.clock.now)
        bench.seat.linkReady(now: bench.clock.now)
        #expect(bench.sent().isEmpty)
    }

    @Test("Anybody's stop stops; a driver's own leaves the seat, another's empties it")
    func emergency() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        bench.seat.halt(by: DriverID("anna"), now: bench.clock.now)
        #expect(bench.seat.isHeld(by: lease.driver))
        try bench.move(0.2, lease)
        bench.seat.halt(by: DriverID("bert"), now: bench.clock.now)
        #expect(!bench.seat.isTaken(from: nil))
        bench.answerStop()
        _ = bench.sent()
        bench.seat.halt(by: nil, now: bench.clock.now)
        #expect(bench.sent() == [stop])
        #expect(bench.reasons() == [.ordered, .emergency, .emergency])
        // While the robot is away the stop is owed.
        bench.seat.linkLost(now: bench.clock.now)
        bench.seat.halt(by: nil, now: bench.clock.now)
        #expect(bench.seat.deadline == nil)
        bench.seat.linkReady(now: bench.clock.now)
        #expect(bench.sent() == [stop])
    }

    @Test("Around obstacles velocities take the other service, which is told so and told when it ends")
    func avoidance() throws {
        var bench = SeatBench(avoidsObstacles: true)
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        bench.seat.release(lease, now: bench.clock.now)
        var sent: [RobotRequest] = []
        while let request = bench.seat.pollRequest() { sent.append(request) }
        try #require(sent.count == 6)
        let enabling = sent.removeFirst()
        #expect(enabling.apiID == 1_001 && enabling.parameter == #"{"enable":true}"#)
        #expect(sent.map(\.apiID) == [1_004, 1_003, 1_003, stop, 1_004])
        #expect(sent.map(\.topic).filter { $0 == RobotTopic.sport }.count == 1)
        #expect(sent[3].topic == RobotTopic.sport)
        #expect(
            JSONValue(parsing: Array(sent[1].parameter.utf8))
                == ["x": .number(0.2), "y": .number(0), "yaw": .number(0), "mode": 0])
        #expect(sent[0].parameter == #"{"is_remote_commands_from_api":true}"#)
        #expect(sent[4].parameter == #"{"is_remote_commands_from_api":false}"#)
        #expect(sent[1].timeout == .zero)
    }

    @Test("A velocity that the robot refuses is seen in the state")
    func refusedVelocity() throws {
        var bench = SeatBench()
        let lease = try bench.acquire()
        try bench.move(0.2, lease)
        let polled = bench.seat.pollRequest()
        let request = try #require(polled)
        bench.seat.answered(request, code: 1_013, now: bench.clock.now)
        #expect(bench.seat.state(now: bench.clock.now).refusedCode == 1_013)
        bench.seat.answered(request, code: 0, now: bench.clock.now)
        #expect(bench.seat.state(now: bench.clock.now).refusedCode == nil)
    }
}
