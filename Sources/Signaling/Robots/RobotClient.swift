internal import Core
internal import Go2Bridge
internal import MediaPipeline
internal import PeerConnection
internal import Synchronization

/// One party that watches, reads or drives a robot: a WebSocket with the channels of its viewers, a viewer that came over WHEP, or
/// a client over HTTP.
///
/// To the robot's driver's seat it is one driver, whichever of its doors an order comes through.
package final class RobotClient: Sendable {
    /// One of the client's ways in: its WebSocket, or a data channel.
    struct Door: Hashable, Sendable {
        let number: UInt64
    }

    private struct State {
        /// The lease, and the door through which it was acquired: it ends with that.
        var seat: (lease: DriveLease, door: Door)?
        var lastDoor: UInt64 = 0
        /// Speaks through the robot's loudspeaker at present.
        var speaker: DriverID?
        var voices = 0
    }

    let robot: Robot
    let scope: RobotScope
    let driver: DriverID
    private let access: RobotAccess
    private let hasToken: Bool
    private let state = Mutex(State())

    /// - Parameter driver: names the client in the driver's seat; no other has the same.
    init(robot: Robot, scope: RobotScope, driver: DriverID, access: RobotAccess, hasToken: Bool) {
        self.robot = robot
        self.scope = scope
        self.driver = driver
        self.access = access
        self.hasToken = hasToken
    }

    /// Throws where the client may not go so far.
    func require(_ needed: RobotScope) throws(RobotRefusal) {
        guard scope >= needed else { throw access.refusal(needed, of: robot.name, hasToken: hasToken) }
    }

    // MARK: Asking

    /// The robot's own answer. Questions need less than orders.
    func ask(_ call: RobotCall) async throws(RobotRefusal) -> RobotAnswer {
        let topic = RobotTopic.named(call.topic)
        let isQuestion = RobotRequest.classify(topic: topic, apiID: call.apiID) == .reading
        try require(isQuestion ? .read : .drive)
        do throws(RobotRequestError) {
            let response = try await robot.request(
                topic: topic, apiID: call.apiID, parameter: call.parameter, priority: call.priority,
                timeout: call.timeout, driver: driver)
            return RobotAnswer(response, topic: topic)
        } catch {
            throw RobotRefusal(error, robot.status)
        }
    }

    /// A verb by its name; `move` is no verb, since it needs a lease.
    func command(
        _ name: String, _ arguments: [String: JSONValue], timeout: Duration
    ) async throws(RobotRefusal) -> RobotAnswer {
        guard let command = RobotCommand.named(name) else {
            // Names are not told to those who may not use them.
            try require(.drive)
            throw RobotRefusal(.noSuchCommand, "There is no command \(name.prefix(64)): see commands of the robot")
        }
        try require(command.requestClass == .reading ? .read : .drive)
        do throws(RobotRequestError) {
            let response = try await robot.command(
                name, arguments: .object(arguments), timeout: timeout, driver: driver)
            return RobotAnswer(response, topic: command.topic)
        } catch {
            throw RobotRefusal(error, robot.status)
        }
    }

    func publish(_ topic: String, _ data: JSONValue) throws(RobotRefusal) {
        try require(.drive)
        do throws(RobotRequestError) {
            try robot.publish(topic: RobotTopic.named(topic), data: data, driver: driver)
        } catch {
            throw RobotRefusal(error, robot.status)
        }
    }

    // MARK: Driving

    func newDoor() -> Door {
        state.withLock { state in
            state.lastDoor += 1
            return Door(number: state.lastDoor)
        }
    }

    @discardableResult
    func acquire(through door: Door) throws(RobotRefusal) -> DriveLease {
        try require(.drive)
        do throws(DriveRefusal) {
            let lease = try robot.driving.acquire(driver)
            state.withLock { $0.seat = (lease, door) }
            return lease
        } catch {
            throw RobotRefusal(error, robot.status)
        }
    }

    /// Goes on with a lease that this client was given earlier.
    func take(_ lease: DriveLease, through door: Door) {
        state.withLock { $0.seat = (lease, door) }
    }

    var hasLease: Bool { state.withLock { $0.seat != nil } }

    func renew() throws(RobotRefusal) {
        let lease = try heldLease()
        do throws(DriveRefusal) { try robot.driving.renew(lease) } catch { throw RobotRefusal(error, robot.status) }
    }

    func move(_ velocity: Velocity, for duration: Duration? = nil) throws(RobotRefusal) {
        let lease = try heldLease()
        do throws(DriveRefusal) {
            try robot.driving.move(velocity, for: duration, by: lease)
        } catch {
            throw RobotRefusal(error, robot.status)
        }
    }

    /// Stops the robot, whoever drives.
    func stop() throws(RobotRefusal) {
        try require(.drive)
        robot.driving.stop(for: driver)
    }

    func release() throws(RobotRefusal) {
        try require(.drive)
        guard let seat = state.withLock({ $0.seat.take() }) else { return }
        robot.driving.release(seat.lease)
    }

    /// A door is closed: a lease that was acquired through it ends, and the robot stops.
    func close(_ door: Door) {
        let lease = state.withLock { state -> DriveLease? in
            guard let seat = state.seat, seat.door == door else { return nil }
            state.seat = nil
            return seat.lease
        }
        if let lease { robot.driving.release(lease) }
    }

    private func heldLease() throws(RobotRefusal) -> DriveLease {
        try require(.drive)
        guard let lease = state.withLock({ $0.seat?.lease }) else {
            throw RobotRefusal(DriveRefusal.noLease, robot.status)
        }
        return lease
    }

    /// How the driving stands as this client sees it.
    func driveState(_ reason: String) -> RobotServerMessage.DriveState {
        let status = robot.status
        let holder = status.holder(for: driver)
        return RobotServerMessage.DriveState(
            holder: holder, left: holder == .you ? status.drive.expiresIn ?? .zero : .zero, reason: reason,
            limits: status.driveLimits)
    }

    // MARK: Voice and LiDAR

    /// Takes the viewer's sound for the robot's loudspeaker; nil where that is not allowed, or somebody else speaks.
    func voice() -> (any MicrophoneSink)? {
        guard scope >= .drive else { return nil }
        let (before, speaker) = state.withLock { state in
            state.voices += 1
            let speaker = DriverID("\(driver.text)#\(state.voices)")
            defer { state.speaker = speaker }
            return (state.speaker, speaker)
        }
        // A further offer's voice takes the place of its own predecessor, whose end may come later than this.
        if let before { robot.endTalk(before) }
        return try? robot.talk(speaker)
    }

    /// Sends LiDAR frames until `incoming` ends; what is said on that channel is of no interest.
    func showLiDAR(through door: ChannelDoor, until incoming: AsyncStream<DataChannelMessage>) async {
        let clouds: AsyncStream<VoxelCloud>
        do {
            try require(.read)
            clouds = try robot.voxels()
        } catch {
            return door.close()
        }
        let frames = Task {
            for await cloud in clouds { door.send(frame: cloud.encoded) }
        }
        for await _ in incoming {}
        frames.cancel()
    }
}
