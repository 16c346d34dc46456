internal import Core
internal import Go2Bridge

/// Which robots there are, and who may do what with them.
extension SignalingService {
    nonisolated var robotAccess: RobotAccess {
        RobotAccess(
            exposures: configuration.robots.filter { robots[$0.key] != nil }, tokens: configuration.access,
            managementToken: configuration.managementToken)
    }

    /// The client that a token stands for.
    /// - Parameter lease: goes on with that lease of the driver's seat.
    nonisolated func robotClient(
        _ name: String, token: String?, needs scope: RobotScope = .watch, lease: String? = nil
    ) throws(RobotRefusal) -> RobotClient {
        let access = robotAccess
        let granted = try access.require(scope, of: name, token: token)
        guard let robot = robots[name] else { throw .noSuchRobot(name) }
        let hasToken = token?.isEmpty == false
        guard let lease else {
            return RobotClient(
                robot: robot, scope: granted, driver: DriverID(random.token(bits: 96)), access: access,
                hasToken: hasToken)
        }
        guard granted >= .drive, let known = robot.driving.lease(id: lease) else {
            throw RobotRefusal(DriveRefusal.noLease, robot.status)
        }
        let client = RobotClient(
            robot: robot, scope: granted, driver: known.driver, access: access, hasToken: hasToken)
        client.take(known, through: client.newDoor())
        return client
    }

    /// A robot as that client sees it.
    func robotJSON(_ client: RobotClient) -> JSONValue {
        robotJSON(client, client.robot.status)
    }

    /// A robot as that client sees it, with where its WebSocket is.
    func robotJSON(_ client: RobotClient, _ status: RobotStatus) -> JSONValue {
        status.json(
            for: client.scope, driver: client.driver, viewers: viewerCount(on: .robot(status.name)),
            signalingURL: "\(configuration.publicWebSocketURL)/ws/robot_\(status.name)")
    }

    /// `robots` of `/health`: what anybody may know.
    var robotsHealth: JSONValue {
        .array(
            robots.values.sorted { $0.name < $1.name }.map { robot in
                let status = robot.status
                return [
                    "id": .string(robot.name), "state": .string(status.report.state.rawValue),
                    "phase": JSONValue(status.isReady ? nil : status.currentPhase?.rawValue),
                    "viewers": JSONValue(viewerCount(on: .robot(robot.name))),
                    "driver": .boolean(status.drive.holder != nil),
                ]
            })
    }
}
