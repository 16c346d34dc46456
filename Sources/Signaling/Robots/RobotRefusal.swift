package import Core

/// Why a robot's client is refused; the same words over HTTP, WebSocket and data channels.
package struct RobotRefusal: Error, Equatable, Sendable {
    package enum Code: String, CaseIterable, Sendable {
        case tokenRequired = "token_required"
        case tokenWrong = "token_wrong"
        case scope
        /// The operator's configuration is against it.
        case forbidden
        /// The configuration allows no acrobatics.
        case acrobatics
        /// Past the robot's safety or its driver's seat: never let through.
        case unsafe
        case noSuchRobot = "no_such_robot"
        case noSuchCommand = "no_such_command"
        case topicSilent = "topic_silent"
        case drivenByAnother = "driven_by_another"
        case leaseLost = "lease_lost"
        case invalid
        case outOfRange = "out_of_range"
        case tooMany = "too_many"
        case notConnected = "not_connected"
        case lost
        case timedOut = "timed_out"

        /// The HTTP status.
        package var status: Int {
            switch self {
            case .tokenRequired, .tokenWrong: 401
            case .scope, .forbidden, .acrobatics, .unsafe: 403
            case .noSuchRobot, .noSuchCommand, .topicSilent: 404
            case .drivenByAnother, .leaseLost: 409
            case .invalid, .outOfRange: 422
            case .tooMany: 429
            case .notConnected, .lost: 503
            case .timedOut: 504
            }
        }
    }
    package var code: Code
    package var detail: String
    /// Members of the answer beside `detail` and `error_code`: how the connection stands.
    package var state: [String: JSONValue] = [:]
    /// What `Retry-After` says, where it is known.
    package var retryAfterSeconds: Int?

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    static func noSuchRobot(_ name: String) -> RobotRefusal {
        RobotRefusal(.noSuchRobot, "There is no robot \(name.prefix(64))")
    }

    static func invalid(_ detail: String) -> RobotRefusal { RobotRefusal(.invalid, detail) }

    /// The body of the HTTP answer.
    package var json: JSONValue {
        var members = state
        members["detail"] = .string(detail)
        members["error_code"] = .string(code.rawValue)
        return .object(members)
    }
}
