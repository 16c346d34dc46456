internal import Synchronization

/// A robot's driver's seat: ``DriveSeat`` with the robot's lock, clock and timer around it.
package struct Driving: Sendable {
    let robot: Robot

    /// Takes the seat for two seconds, or renews it for whoever sits in it.
    package func acquire(_ driver: DriverID) throws(DriveRefusal) -> DriveLease {
        try robot.act { (state, now) throws(DriveRefusal) in try state.core.seat.acquire(driver, now: now) }
    }

    /// The driver is there; a velocity grows stale all the same.
    package func renew(_ lease: DriveLease) throws(DriveRefusal) {
        try robot.act { (state, now) throws(DriveRefusal) in try state.core.seat.renew(lease, now: now) }
    }

    /// - Parameter duration: for how long the velocity holds without another; nil for 500 ms.
    package func move(
        _ velocity: Velocity, for duration: Duration? = nil, by lease: DriveLease
    ) throws(DriveRefusal) {
        try robot.act { (state, now) throws(DriveRefusal) in
            try state.core.seat.move(velocity, for: duration, by: lease, now: now)
        }
    }

    /// The driver stops and keeps the seat.
    package func stop(by lease: DriveLease) throws(DriveRefusal) {
        try robot.act { (state, now) throws(DriveRefusal) in try state.core.seat.stop(by: lease, now: now) }
    }

    package func release(_ lease: DriveLease) {
        robot.act { state, now in state.core.seat.release(lease, now: now) }
    }

    /// That party is gone: its page was closed, its connection lost.
    package func release(_ driver: DriverID) {
        robot.act { state, now in state.core.seat.release(driver, now: now) }
    }

    /// Stops the robot for whoever may drive; a driver other than `driver` loses the seat.
    package func stop(for driver: DriverID?) {
        robot.act { state, now in state.core.seat.halt(by: driver, now: now) }
    }

    package func setObstacleAvoidance(_ isOn: Bool) {
        robot.act { state, now in state.core.seat.setObstacleAvoidance(isOn, now: now) }
    }

    /// The lease that a client names, while it lasts.
    package func lease(id: String) -> DriveLease? {
        robot.state.withLock { $0.core.seat.lease(id: id) }
    }

    package var state: DriveState { robot.status.drive }
}
