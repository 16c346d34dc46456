/// Who drives: a viewer's connection, an HTTP client's token, whatever ends when that party ends.
package struct DriverID: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

/// The right to drive, for a while.
package struct DriveLease: Hashable, Sendable {
    /// Not to be guessed.
    package let id: String
    package let driver: DriverID
}

/// Metres and radians a second; forward, to the left, turning to the left.
package struct Velocity: Hashable, Sendable {
    package var x: Double
    package var y: Double
    package var yaw: Double

    package static let zero = Velocity(x: 0, y: 0, yaw: 0)

    package init(x: Double, y: Double, yaw: Double) {
        self.x = x
        self.y = y
        self.yaw = yaw
    }
}

/// How a robot may be driven. The speeds are far below what the robot is able to.
package struct DriveLimits: Sendable, Equatable {
    /// Metres a second, forward and back.
    package var maximumX = 0.8
    /// Metres a second, to the sides.
    package var maximumY = 0.4
    /// Radians a second.
    package var maximumYaw = 1.2
    /// A driver not heard of for so long is none any more.
    package var leaseTime: Duration = .seconds(2)
    /// A velocity holds for so long unless it says otherwise; then the robot is stopped.
    package var staleTime: Duration = .milliseconds(500)
    /// A velocity may ask to hold for so long at most.
    package var maximumMoveTime: Duration = .seconds(5)
    /// Between two velocities sent to the robot: 20 a second.
    package var moveInterval: Duration = .milliseconds(50)
    /// A velocity that still holds is repeated, since the robot itself stops without.
    package var repeatInterval: Duration = .milliseconds(200)
    /// An unanswered stop is sent again.
    package var stopRetryInterval: Duration = .milliseconds(250)
    /// A stop that the robot refuses with a code is repeated so often.
    package var maximumStopRefusals = 5

    package init() {}
}

/// Why somebody may not drive.
package enum DriveRefusal: Error, Hashable, Sendable {
    case notConnected
    /// Somebody else drives, at least for that time more.
    case taken(expiresIn: Duration)
    /// The lease has lapsed, was released, or never was.
    case noLease
    /// A number that is none, or is beyond what the configuration allows; a moving robot is stopped for it.
    case outOfRange(name: String, maximum: Double)
}

/// Why a robot was told to stop.
package enum StopReason: String, CaseIterable, Hashable, Sendable {
    /// Its driver said so, or asked for no speed at all.
    case ordered
    /// No command for 500 ms.
    case stale
    /// The driver's lease ran out.
    case leaseLapsed = "lease_lapsed"
    /// The driver let go, or the page was closed.
    case released
    /// Somebody who may drive, driver or not, pressed stop.
    case emergency
    /// A command that makes no sense.
    case invalidCommand = "invalid_command"
    /// The robot was lost while it moved and is back.
    case reconnected
    /// The server ends.
    case shutdown
}

/// How the driving stands, for `/health` and for pages.
package struct DriveState: Sendable, Equatable {
    package var holder: DriverID?
    /// Until the lease lapses without another sign of the driver.
    package var expiresIn: Duration?
    package var velocity: Velocity
    /// A stop was sent and the robot has not answered yet.
    package var isStopping: Bool
    /// The last stop's reason.
    package var lastStop: StopReason?
    /// Stops that were begun so far, which tells two for the same reason apart.
    package var stopCount: UInt64
    /// What the robot said to the last velocity, where it refused it.
    package var refusedCode: Int32?
    package var avoidsObstacles: Bool

    package var isMoving: Bool { velocity != .zero }
}
