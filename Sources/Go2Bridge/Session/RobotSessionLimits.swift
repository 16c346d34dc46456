package import Core

/// What a session takes from a robot, and what it sends to it at most.
package struct RobotSessionLimits: Sendable, Equatable {
    /// Bytes of a text message; longer ones are counted and dropped.
    package var maximumTextBytes = 1 << 20
    /// Bytes of a binary message.
    package var maximumBinaryBytes = 1 << 20
    /// Topics subscribed to at a time.
    package var maximumTopics = 64
    /// Requests whose answer is awaited.
    package var maximumRequests = 128
    /// Requests and publications a second, and at once. A stop is never held back.
    package var requestsPerSecond = 60.0
    package var requestBurst = 60.0
    /// Bytes of a request's parameter, or of a publication.
    package var maximumParameterBytes = 65_536
    /// Messages that wait to be sent.
    package var maximumQueuedMessages = 256
    /// Chunks of one answer, and their bytes together.
    package var maximumChunks = 4_096
    package var maximumAnswerBytes = 8 << 20
    /// A chunked answer takes that long at most, however often its chunks come.
    package var maximumAnswerTime: Duration = .seconds(60)
    /// Of the robot's standing faults.
    package var maximumFaults = 256
    /// The robot expects one every 2 s (the public clients' interval).
    package var heartbeatInterval: Duration = .seconds(2)
    /// A robot that asks for validation again in mid-session is given so long to accept it; then the connection is worth nothing.
    package var revalidationTime: Duration = .seconds(10)
    /// Answers to `Validation Needed.` and echoes of probes, a second.
    package var repliesPerSecond = 10.0

    package init() {}
}

/// What was refused or dropped, and why.
package enum RobotMessageFault: String, CaseIterable, Hashable, Sendable {
    /// Longer than the limit.
    case tooLarge = "too_large"
    /// No JSON, or a header that promises more bytes than came.
    case malformed
    /// JSON without what its type needs.
    case incomplete
    /// A type that is not known.
    case unknownType = "unknown_type"
    /// An answer that nobody waits for: late, twice, or of another.
    case unmatched
    /// The robot asks more often than it is answered.
    case tooOften = "too_often"
    /// Before the robot has let us in.
    case unvalidated
    /// Of ours: an order that does not fit the limits.
    case orderRefused = "order_refused"
}

/// What a session has counted since it began, connections together.
package struct RobotSessionStatistics: Sendable, Equatable {
    package var textMessagesReceived: UInt64 = 0
    package var binaryMessagesReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var messagesSent: UInt64 = 0
    package var requestsSent: UInt64 = 0
    package var heartbeatsSent: UInt64 = 0
    package var probesEchoed: UInt64 = 0
    package var validationsSent: UInt64 = 0
    package var faults: [RobotMessageFault: UInt64] = [:]
    /// When the robot was last heard.
    package var lastReceived: Instant?

    package init() {}

    mutating func count(_ fault: RobotMessageFault) {
        faults[fault, default: 0] &+= 1
    }
}
