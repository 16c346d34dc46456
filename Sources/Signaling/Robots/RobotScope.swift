/// How far a client may go with a robot; each scope holds the ones before it.
package enum RobotScope: String, CaseIterable, Comparable, Sendable {
    /// See that it is there, the phases of its connection, its picture and sound.
    case watch
    /// Also its state, its topics and its LiDAR.
    case read
    /// Also requests, commands, the driver's lease and talking.
    case drive

    package static func < (left: RobotScope, right: RobotScope) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .watch: 0
        case .read: 1
        case .drive: 2
        }
    }
}

/// A token of the configuration's `access`.
package struct AccessToken: Sendable, CustomStringConvertible {
    /// For logs.
    package var name: String
    /// What the client sends; never logged.
    package var token: String
    /// The robots it is for; nil for all.
    package var robots: Set<String>?
    package var scope: RobotScope

    package init(name: String, token: String, robots: Set<String>? = nil, scope: RobotScope) {
        self.name = name
        self.token = token
        self.robots = robots
        self.scope = scope
    }

    package var description: String { "access \(name): \(scope.rawValue)" }
}

/// What a robot shows to whom, of the configuration's `robots.NAME`.
package struct RobotExposure: Sendable, Equatable {
    /// The scope of clients without a token, `robots.NAME.public`; nil for `none`. Never ``RobotScope/drive``.
    package var publicScope: RobotScope? = .watch
    package var drivesWithoutToken = false

    package init() {}

    /// The scope of clients without a token.
    package var scopeWithoutToken: RobotScope? {
        drivesWithoutToken ? .drive : publicScope.map { min($0, .read) }
    }
}
