internal import Core

/// Topics that a client may publish to on its own.
private enum PublicationClass {
    case harmless
    /// Makes the robot walk by itself, as far as its map goes.
    case motion
    /// Moves the robot past the dead man's switch, or its joints past its own safety.
    case refused

    static func of(_ topic: String) -> PublicationClass {
        switch topic {
        case RobotTopic.lowCommand, RobotTopic.wirelessController, "rt/programming_actuator/command",
            "rt/arm_Command":
            .refused
        case "rt/uslam/client_command", "rt/qt_command": .motion
        default: .harmless
        }
    }
}

extension RobotCore {
    /// Whether a client may send a request; the order of the questions is the order of the answers' use to it.
    func check(_ request: RobotRequest, driver: DriverID?) throws(RobotRequestError) {
        guard RobotTopic.isValid(request.topic), request.topic.hasSuffix("/request") else {
            throw .invalid(reason: "the topic of a request is rt/api/SERVICE/request")
        }
        guard request.apiID > 0 else { throw .invalid(reason: "api_id is a number above 0") }
        guard request.parameter.utf8.count <= configuration.maximumParameterBytes else {
            throw .invalid(reason: "the parameter is longer than \(configuration.maximumParameterBytes) bytes")
        }
        guard request.parameter.isEmpty || JSONValue(parsing: Array(request.parameter.utf8)) != nil else {
            throw .invalid(reason: "the parameter is JSON as text, or empty")
        }
        if request.isMotion {
            throw .unsafe(reason: "velocities go through the driver's seat: drive_move, or POST move")
        }
        switch request.requestClass {
        case .reading, .setting, .stop: break
        case .motion:
            if seat.isTaken(from: driver) { throw .drivenByAnother }
        case .acrobatics:
            guard configuration.allowsAcrobatics else {
                throw .acrobatics(reason: "acrobatics are off for this robot: robots.\(configuration.name).acrobatics")
            }
            if seat.isTaken(from: driver) { throw .drivenByAnother }
        case .unsafe: throw .unsafe(reason: "this service is not reached by way of this server")
        }
        guard isReady else { throw .notConnected }
    }

    func checkPublication(_ topic: String, _ data: JSONValue, driver: DriverID?) throws(RobotRequestError) {
        guard RobotTopic.isValid(topic), !topic.hasSuffix("/request"), !topic.hasSuffix("/response") else {
            throw .invalid(reason: "\(topic.prefix(RobotTopic.maximumLength)) is no topic to publish to")
        }
        guard data.text.utf8.count <= configuration.maximumParameterBytes else {
            throw .invalid(reason: "the message is longer than \(configuration.maximumParameterBytes) bytes")
        }
        switch PublicationClass.of(topic) {
        case .harmless: break
        case .motion:
            if seat.isTaken(from: driver) { throw .drivenByAnother }
        case .refused: throw .unsafe(reason: "this topic would move the robot past its driver's seat")
        }
        guard isReady else { throw .notConnected }
    }
}
