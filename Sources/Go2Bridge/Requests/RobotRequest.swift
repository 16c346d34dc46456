/// A call of one of the robot's services.
package struct RobotRequest: Sendable, Equatable {
    /// The caller's number, 1 to 2^31 - 1; the link makes sure that the robot sees it once.
    package var id: Int32
    /// `rt/api/SERVICE/request`.
    package var topic: String
    package var apiID: Int32
    /// JSON as text, or empty.
    package var parameter: String
    package var priority: Int32
    /// Zero: nobody waits for an answer, and none is told of.
    package var timeout: Duration

    package init(
        id: Int32, topic: String, apiID: Int32, parameter: String = "", priority: Int32 = 0,
        timeout: Duration = .seconds(5)
    ) {
        self.id = id
        self.topic = topic
        self.apiID = apiID
        self.parameter = parameter
        self.priority = priority
        self.timeout = timeout
    }
}

/// The robot's own answer.
package struct RobotResponse: Sendable, Equatable {
    package var id: Int32
    package var apiID: Int32
    /// 0 where it was done.
    package var code: Int32
    /// JSON as text, or empty; of chunked answers all chunks together.
    package var data: String

    package init(id: Int32, apiID: Int32, code: Int32, data: String) {
        self.id = id
        self.apiID = apiID
        self.code = code
        self.data = data
    }
}

/// Why a request has no answer.
package enum RobotRequestError: Error, Hashable, Sendable {
    /// No robot is connected.
    case notConnected
    case timedOut(seconds: Double)
    /// Too many requests wait, or too many a second.
    case tooMany(limit: Int)
    case invalid(reason: String)
    /// The connection was lost before the answer.
    case lost
    /// The operator's configuration forbids it.
    case forbidden(reason: String)
    /// Acrobatics are off for this robot.
    case acrobatics(reason: String)
    /// It would reach past the robot's safety, or past the driver's seat.
    case unsafe(reason: String)
    /// It would move the robot while somebody else drives.
    case drivenByAnother
}
