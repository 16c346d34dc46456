package import Core

/// The driver's seat of one robot: one driver at a time, and a dead man's switch.
///
/// The robot moves only while somebody keeps saying so:
/// - One driver holds a lease; each of its commands and heartbeats renews it. For anybody else the seat is taken.
/// - A velocity holds for 500 ms (``DriveLimits/staleTime``), or for the time that it names. Without another one the robot is
///   told `StopMove`; the driver keeps its seat.
/// - A lease that lapses or is let go of, a command that makes no sense, the end of the server: `StopMove`.
/// - `StopMove` is repeated until the robot answers. A robot that was lost while it moved is stopped as soon as it is back.
/// - Whoever may drive may always stop, driver or not.
///
/// Does no I/O. After each call drain ``pollRequest()`` to nil; call ``handleTimeout(now:)`` once ``deadline`` has passed.
package struct DriveSeat: Sendable {
    private struct Holder: Sendable {
        var lease: DriveLease
        var expires: Instant
    }

    private struct Motion: Sendable {
        var velocity: Velocity
        /// Then it is stale.
        var expires: Instant
        var nextSend: Instant
    }

    private struct Stop: Sendable {
        var nextSend: Instant
        var refusals = 0
    }

    package let limits: DriveLimits
    private let random: RandomSource
    private var holder: Holder?
    private var motion: Motion?
    private var stop: Stop?
    private var isConnected = false
    /// The robot was lost while it moved, or before it had answered a stop.
    private var owesStop = false
    private var lastSent: Instant?
    private var avoidsObstacles: Bool
    private var requests: [RobotRequest] = []
    private var stops: [StopReason] = []
    private var lastStop: StopReason?
    private var stopCount: UInt64 = 0
    private var refusedCode: Int32?

    package init(limits: DriveLimits = DriveLimits(), avoidsObstacles: Bool = false, random: RandomSource = .system) {
        self.limits = limits
        self.avoidsObstacles = avoidsObstacles
        self.random = random
    }

    // MARK: - The driver

    /// Takes the seat, or renews it for whoever sits in it.
    package mutating func acquire(_ driver: DriverID, now: Instant) throws(DriveRefusal) -> DriveLease {
        handleTimeout(now: now)
        guard isConnected else { throw .notConnected }
        if let current = holder {
            guard current.lease.driver == driver else { throw .taken(expiresIn: current.expires - now) }
            holder?.expires = now + limits.leaseTime
            return current.lease
        }
        let lease = DriveLease(id: random.token(bits: 128), driver: driver)
        holder = Holder(lease: lease, expires: now + limits.leaseTime)
        refusedCode = nil
        if avoidsObstacles { enqueue(Self.remoteCommands(isOn: true)) }
        return lease
    }

    /// The driver is there. It says nothing of a velocity: that grows stale all the same.
    package mutating func renew(_ lease: DriveLease, now: Instant) throws(DriveRefusal) {
        handleTimeout(now: now)
        guard holder?.lease == lease else { throw .noLease }
        extendLease(to: now + limits.leaseTime)
    }

    /// - Parameter duration: for how long the velocity holds without another; nil for ``DriveLimits/staleTime``.
    package mutating func move(
        _ velocity: Velocity, for duration: Duration? = nil, by lease: DriveLease, now: Instant
    ) throws(DriveRefusal) {
        handleTimeout(now: now)
        guard holder?.lease == lease else { throw .noLease }
        extendLease(to: now + limits.leaseTime)
        do {
            try check(velocity)
        } catch {
            if motion != nil { beginStop(.invalidCommand, now: now) }
            throw error
        }
        if velocity == .zero {
            // A pad at rest says so again and again.
            if motion != nil { beginStop(.ordered, now: now) }
            return
        }
        let time = min(max(duration ?? limits.staleTime, limits.moveInterval), limits.maximumMoveTime)
        // A driver who plans ahead keeps the seat as long, and may then go on.
        if duration != nil { extendLease(to: now + time + limits.leaseTime) }
        // An unanswered stop is not repeated into a ride that its driver began after it.
        stop = nil
        let earliest = lastSent.map { max(now, $0 + limits.moveInterval) } ?? now
        motion = Motion(velocity: velocity, expires: now + time, nextSend: earliest)
        sendMotion(now: now)
    }

    /// The driver stops and keeps the seat.
    package mutating func stop(by lease: DriveLease, now: Instant) throws(DriveRefusal) {
        handleTimeout(now: now)
        guard holder?.lease == lease else { throw .noLease }
        extendLease(to: now + limits.leaseTime)
        beginStop(.ordered, now: now)
    }

    /// Leaves the seat; a moving robot is stopped. Nothing happens for a lease that is over.
    package mutating func release(_ lease: DriveLease, now: Instant) {
        handleTimeout(now: now)
        guard holder?.lease == lease else { return }
        vacate(.released, now: now)
    }

    /// That party is gone: as ``release(_:now:)``, whatever its lease.
    package mutating func release(_ driver: DriverID, now: Instant) {
        guard holder?.lease.driver == driver else { return }
        vacate(.released, now: now)
    }

    /// Stops the robot for whoever asks, and empties the seat, so that a driver who does not know cannot go on at once.
    package mutating func emergencyStop(now: Instant) {
        vacate(.emergency, now: now)
        if stop == nil { beginStop(.emergency, now: now) }
    }

    /// The server ends: the seat is emptied, and a robot that moves is stopped.
    package mutating func shutDown(now: Instant) {
        vacate(.shutdown, now: now)
    }

    /// Stops the robot for `driver`, who keeps the seat where it is its own; anybody else's is emptied.
    package mutating func halt(by driver: DriverID?, now: Instant) {
        if let driver, isHeld(by: driver) { beginStop(.ordered, now: now) } else { emergencyStop(now: now) }
    }

    /// The lease that a client names, while it lasts.
    package func lease(id: String) -> DriveLease? { holder?.lease.id == id ? holder?.lease : nil }

    // MARK: - The robot

    package mutating func linkReady(now: Instant) {
        guard !isConnected else { return }
        isConnected = true
        if avoidsObstacles { enqueue(Self.avoidance(isOn: true)) }
        if owesStop {
            owesStop = false
            beginStop(.reconnected, now: now)
        }
    }

    /// The robot is gone, and with it the driver's seat.
    package mutating func linkLost(now: Instant) {
        isConnected = false
        owesStop = owesStop || motion != nil || stop != nil
        motion = nil
        stop = nil
        holder = nil
        requests.removeAll()
    }

    /// The robot answered one of ``pollRequest()``'s, told by its `apiID` and topic.
    package mutating func answered(_ request: RobotRequest, code: Int32, now: Instant) {
        if request.isStop {
            guard stop != nil else { return }
            if code == 0 {
                stop = nil
            } else {
                stop?.refusals += 1
                if let refusals = stop?.refusals, refusals >= limits.maximumStopRefusals { stop = nil }
            }
        } else if request.isMotion {
            refusedCode = code == 0 ? nil : code
        }
    }

    /// Whether velocities take the way around obstacles; the robot is told to watch for them.
    package mutating func setObstacleAvoidance(_ isOn: Bool, now: Instant) {
        enqueue(Self.avoidance(isOn: isOn))
        followObstacleAvoidance(isOn, now: now)
    }

    /// The robot was told by another way.
    package mutating func followObstacleAvoidance(_ isOn: Bool, now: Instant) {
        guard avoidsObstacles != isOn else { return }
        if motion != nil { beginStop(.ordered, now: now) }
        avoidsObstacles = isOn
        if holder != nil { enqueue(Self.remoteCommands(isOn: isOn)) }
    }

    // MARK: - Output

    package mutating func pollRequest() -> RobotRequest? {
        requests.isEmpty ? nil : requests.removeFirst()
    }

    /// Reasons of the stops that were begun, for counters and logs.
    package mutating func pollStop() -> StopReason? {
        stops.isEmpty ? nil : stops.removeFirst()
    }

    package var deadline: Instant? {
        [holder?.expires, motion?.expires, motion?.nextSend, stop?.nextSend].compactMap(\.self).min()
    }

    package mutating func handleTimeout(now: Instant) {
        // A timer that comes late finds both over: the reason is what ended first.
        let isStale = motion.map { $0.expires <= holder?.expires ?? $0.expires } ?? false
        if isStale, let motion, now >= motion.expires { beginStop(.stale, now: now) }
        if let holder, now >= holder.expires { vacate(.leaseLapsed, now: now) }
        sendMotion(now: now)
        if let due = stop?.nextSend, now >= due { sendStop(now: now) }
    }

    package func state(now: Instant) -> DriveState {
        DriveState(
            holder: holder?.lease.driver, expiresIn: holder.map { max(.zero, $0.expires - now) },
            velocity: motion?.velocity ?? .zero, isStopping: stop != nil, lastStop: lastStop, stopCount: stopCount,
            refusedCode: refusedCode,
            avoidsObstacles: avoidsObstacles)
    }

    package func isHeld(by driver: DriverID?) -> Bool { holder?.lease.driver == driver }

    /// Somebody other than `driver` sits in the seat.
    package func isTaken(from driver: DriverID?) -> Bool { holder != nil && !isHeld(by: driver) }

    // MARK: - Inside

    private func check(_ velocity: Velocity) throws(DriveRefusal) {
        let parts = [
            ("x", velocity.x, limits.maximumX), ("y", velocity.y, limits.maximumY),
            ("yaw", velocity.yaw, limits.maximumYaw),
        ]
        for (name, value, maximum) in parts where !(abs(value) <= maximum) {
            throw .outOfRange(name: name, maximum: maximum)
        }
    }

    private mutating func extendLease(to instant: Instant) {
        if let expires = holder?.expires, instant > expires { holder?.expires = instant }
    }

    private mutating func vacate(_ reason: StopReason, now: Instant) {
        let wasHeld = holder != nil
        holder = nil
        if motion != nil { beginStop(reason, now: now) }
        if wasHeld, avoidsObstacles { enqueue(Self.remoteCommands(isOn: false)) }
    }

    private mutating func beginStop(_ reason: StopReason, now: Instant) {
        if avoidsObstacles, motion != nil { enqueue(Self.move(.zero, avoidsObstacles: true, timeout: .zero)) }
        motion = nil
        lastStop = reason
        stopCount &+= 1
        stops.append(reason)
        guard isConnected else {
            owesStop = true
            return
        }
        stop = Stop(nextSend: now)
        sendStop(now: now)
    }

    private mutating func sendStop(now: Instant) {
        guard stop != nil else { return }
        stop?.nextSend = now + limits.stopRetryInterval
        enqueue(RobotRequest(id: 0, topic: RobotTopic.sport, apiID: 1003, priority: 1, timeout: .seconds(2)))
    }

    private mutating func sendMotion(now: Instant) {
        guard var current = motion, now >= current.nextSend else { return }
        // Velocities that are not answered must not fill the table of open requests.
        enqueue(Self.move(current.velocity, avoidsObstacles: avoidsObstacles, timeout: .seconds(1)))
        current.nextSend = now + limits.repeatInterval
        lastSent = now
        motion = current
    }

    private mutating func enqueue(_ request: RobotRequest) {
        if isConnected { requests.append(request) }
    }

    static func move(_ velocity: Velocity, avoidsObstacles: Bool, timeout: Duration) -> RobotRequest {
        let (x, y, yaw) = (JSONValue.number(velocity.x), JSONValue.number(velocity.y), JSONValue.number(velocity.yaw))
        if avoidsObstacles {
            let parameter: JSONValue = ["x": x, "y": y, "yaw": yaw, "mode": 0]
            // This call is never answered.
            return RobotRequest(
                id: 0, topic: RobotTopic.obstacleAvoidance, apiID: 1003, parameter: parameter.text, timeout: .zero)
        }
        let parameter: JSONValue = ["x": x, "y": y, "z": yaw]
        return RobotRequest(
            id: 0, topic: RobotTopic.sport, apiID: 1008, parameter: parameter.text, timeout: timeout)
    }

    private static func avoidance(isOn: Bool) -> RobotRequest {
        let parameter: JSONValue = ["enable": .boolean(isOn)]
        return RobotRequest(
            id: 0, topic: RobotTopic.obstacleAvoidance, apiID: 1001, parameter: parameter.text, timeout: .zero)
    }

    private static func remoteCommands(isOn: Bool) -> RobotRequest {
        let parameter: JSONValue = ["is_remote_commands_from_api": .boolean(isOn)]
        return RobotRequest(
            id: 0, topic: RobotTopic.obstacleAvoidance, apiID: 1004, parameter: parameter.text, timeout: .zero)
    }
}
