package import Core
package import Go2Bridge

/// What a robot's client is told on its WebSocket, its data channels and its event streams.
package enum RobotServerMessage: Equatable, Sendable {
    /// The whole of it, as that client may see it.
    case state(robot: JSONValue)
    case subscribed([String])
    case topic(String, value: JSONValue, age: Duration)
    case response(RobotAnswer, requestID: JSONValue?)
    case drive(DriveState)
    case refused(RobotRefusal, requestID: JSONValue?)

    /// Who drives, as one client sees it.
    package struct DriveState: Equatable, Sendable {
        package enum Holder: String, Sendable {
            case you, other, none
        }
        package var holder: Holder
        /// What is left of the client's own lease; zero where it has none.
        package var left: Duration
        /// What happened, in one word.
        package var reason: String
        package var limits: DriveLimits
    }

    package var type: String {
        switch self {
        case .state: "robot_state"
        case .subscribed: "robot_subscribed"
        case .topic: "robot_topic"
        case .response: "robot_response"
        case .drive: "drive_state"
        case .refused: "error"
        }
    }

    /// Every member but `type` and `timestamp`.
    var members: [String: JSONValue] {
        switch self {
        case .state(let robot): ["robot": robot]
        case .subscribed(let topics): ["topics": .array(topics.sorted().map(JSONValue.string))]
        case .topic(let name, let value, let age):
            ["topic": .string(name), "value": value, "age_ms": .integer(age.nanoseconds / 1_000_000)]
        case .response(let answer, let requestID):
            answer.members.merging(["request_id": requestID ?? .null]) { _, id in id }
        case .drive(let state): state.members
        case .refused(let refusal, let requestID):
            refusal.state.merging([
                "content": .string(refusal.detail), "error_code": .string(refusal.code.rawValue),
                "request_id": requestID ?? .null,
            ]) { _, own in own }
        }
    }
}

extension RobotServerMessage.DriveState {
    var members: [String: JSONValue] {
        [
            "holder": .string(holder.rawValue), "lease_ms": .integer(left.nanoseconds / 1_000_000),
            "reason": .string(reason), "limits": limits.json,
        ]
    }
}

extension Velocity {
    var members: [String: JSONValue] { ["x": .number(x), "y": .number(y), "yaw": .number(yaw)] }
}

/// The robot's own answer to a request, with the code in words.
package struct RobotAnswer: Equatable, Sendable {
    package var id: Int32
    package var topic: String
    package var apiID: Int32
    /// 0 where it was done.
    package var code: Int32
    package var message: String
    /// As the robot sent it: JSON as text, any other text, or nothing.
    package var data: String

    package init(id: Int32, topic: String, apiID: Int32, code: Int32, message: String, data: String) {
        self.id = id
        self.topic = topic
        self.apiID = apiID
        self.code = code
        self.message = message
        self.data = data
    }

    var members: [String: JSONValue] {
        [
            "id": .integer(Int64(id)), "topic": .string(topic), "api_id": .integer(Int64(apiID)),
            "code": .integer(Int64(code)), "message": .string(message),
            "data": data.isEmpty ? .null : JSONValue(parsing: Array(data.utf8)) ?? .string(data),
        ]
    }

    package var json: JSONValue { .object(members) }
}
