package import Core
package import Go2Bridge

/// What a robot's client says on its WebSocket or data channel, beside what every viewer says.
package enum RobotClientMessage: Equatable, Sendable {
    case subscribe(Set<String>)
    case unsubscribe(Set<String>)
    case request(RobotCall)
    case command(name: String, arguments: [String: JSONValue])
    case publish(topic: String, data: JSONValue)
    case acquire
    case renew
    case release
    case move(Velocity)
    case stop

    /// Whether a message of that `type` is read here.
    package static func reads(_ type: String) -> Bool { type.hasPrefix("robot_") || type.hasPrefix("drive_") }

    /// What the message may not be sent without.
    package var scope: RobotScope {
        switch self {
        case .subscribe, .unsubscribe: .read
        case .request, .command, .publish, .acquire, .renew, .release, .move, .stop: .drive
        }
    }

    /// Reads a message whose `type` ``reads(_:)`` allows.
    package init(_ json: JSONValue) throws(RobotRefusal) {
        let type = json["type"]?.stringValue ?? ""
        switch type {
        case "robot_subscribe": self = .subscribe(try Self.topics(json))
        case "robot_unsubscribe": self = .unsubscribe(try Self.topics(json))
        case "robot_request": self = .request(try RobotCall(json))
        case "robot_command":
            guard let name = json["command"]?.stringValue, !name.isEmpty else { throw .missing("command") }
            self = .command(
                name: String(name.prefix(RobotLimits.nameBytes)), arguments: try Self.arguments(json["arguments"]))
        case "robot_publish":
            let (topic, data) = try Self.publication(json)
            self = .publish(topic: topic, data: data)
        case "drive_acquire": self = .acquire
        case "drive_renew": self = .renew
        case "drive_release": self = .release
        case "drive_move": self = .move(try Velocity(json))
        case "drive_stop": self = .stop
        default: throw .invalid("Unsupported message type: \(type.prefix(64))")
        }
    }

    /// The client's own word for a message; nil where there is none, or one that is too long to be repeated.
    package static func requestID(of json: JSONValue) -> JSONValue? {
        switch json["request_id"] {
        case .string(let text)? where text.utf8.count <= ClientMessageLimits.identifier: .string(text)
        case .integer(let number)?: .integer(number)
        default: nil
        }
    }

    private static func topics(_ json: JSONValue) throws(RobotRefusal) -> Set<String> {
        guard case .array(let items)? = json["topics"], !items.isEmpty else { throw .missing("topics") }
        guard items.count <= RobotLimits.topics else {
            throw RobotRefusal(.tooMany, "A connection has at most \(RobotLimits.topics) topics")
        }
        var names: Set<String> = []
        for item in items { names.insert(try RobotCall.topic(item)) }
        return names
    }

    /// The arguments of a command; none where they are left out.
    static func arguments(_ json: JSONValue?) throws(RobotRefusal) -> [String: JSONValue] {
        switch json {
        case nil, .null?: return [:]
        case .object(let members)? where members.count <= 16: return members
        default: throw .invalid("arguments must be an object of at most 16 members")
        }
    }

    /// `topic` and `data` of something published.
    static func publication(_ json: JSONValue) throws(RobotRefusal) -> (topic: String, data: JSONValue) {
        let topic = try RobotCall.topic(json["topic"])
        guard let data = json["data"] else { throw .missing("data") }
        guard data.text.utf8.count <= RobotLimits.parameterBytes else {
            throw .invalid("data is longer than \(RobotLimits.parameterBytes) bytes")
        }
        return (topic, data)
    }
}

extension Velocity {
    /// Whatever is left out is zero, but something must be there.
    package init(_ json: JSONValue) throws(RobotRefusal) {
        guard json["x"] != nil || json["y"] != nil || json["yaw"] != nil else { throw .missing("x, y or yaw") }
        func speed(_ name: String) throws(RobotRefusal) -> Double {
            guard let value = json[name] else { return 0 }
            switch value {
            case .integer(let whole): return Double(whole)
            case .number(let number) where number.isFinite: return number
            case .number, .null, .boolean, .string, .array, .object: throw .invalid("\(name) must be a number")
            }
        }
        self.init(x: try speed("x"), y: try speed("y"), yaw: try speed("yaw"))
    }
}

/// How much of a robot's client is taken.
package enum RobotLimits {
    /// Of a topic's, a command's or a robot's name.
    package static let nameBytes = 128
    /// Of what one connection subscribes to.
    package static let topics = 64
    /// Of `parameter` and `data`.
    package static let parameterBytes = 32 << 10
    /// Of a request over HTTP.
    package static let bodyBytes = 64 << 10
    /// Of a message on a data channel.
    package static let channelMessageBytes = 64 << 10
    /// Of a viewer.
    package static let channels = 4
    /// Requests of one connection that wait for their answers.
    package static let requestsUnderWay = 16
    /// Messages a second on a data channel; twice as many in a burst.
    package static let messagesPerSecond = 50
    package static let timeout: Duration = .seconds(5)
    package static let timeouts = 100...30_000
    /// Milliseconds of a `move` over HTTP.
    package static let moves = 50...5000
    package static let moveWithoutDuration = 500
    /// How long HTTP waits for the first value of a topic that nobody had subscribed to.
    package static let topicPatience: Duration = .milliseconds(1500)
}

/// One request to a service of the robot, as clients write it.
package struct RobotCall: Equatable, Sendable {
    package var topic: String
    package var apiID: Int32
    /// As the robot takes it: JSON as text, or empty.
    package var parameter: String
    package var priority: Int32
    package var timeout: Duration

    package init(
        topic: String, apiID: Int32, parameter: String = "", priority: Int32 = 0,
        timeout: Duration = RobotLimits.timeout
    ) {
        self.topic = topic
        self.apiID = apiID
        self.parameter = parameter
        self.priority = priority
        self.timeout = timeout
    }

    /// Reads `topic`, `api_id`, `parameter`, `priority` and `timeout_ms`.
    package init(_ json: JSONValue) throws(RobotRefusal) {
        topic = try Self.topic(json["topic"])
        guard let apiID = json["api_id"]?.integerValue.flatMap({ Int32(exactly: $0) }), apiID >= 0 else {
            throw .invalid("api_id must be a whole number from 0")
        }
        self.apiID = apiID
        parameter =
            switch json["parameter"] {
            case nil, .null?: ""
            case .string(let text)?: text
            case .some(let value): value.text
            }
        guard parameter.utf8.count <= RobotLimits.parameterBytes else {
            throw .invalid("parameter is longer than \(RobotLimits.parameterBytes) bytes")
        }
        switch json["priority"] {
        case nil, .null?: priority = 0
        case .some(let value):
            guard let number = value.integerValue, (0...1).contains(number) else {
                throw .invalid("priority must be 0 or 1")
            }
            priority = Int32(number)
        }
        timeout = try Self.timeout(json["timeout_ms"])
    }

    static func timeout(_ json: JSONValue?) throws(RobotRefusal) -> Duration {
        switch json {
        case nil, .null?: return RobotLimits.timeout
        case .some(let value):
            guard let number = value.integerValue, RobotLimits.timeouts.contains(number) else {
                throw .invalid("timeout_ms must be from 100 to 30000")
            }
            return .milliseconds(number)
        }
    }

    /// A topic's name: some printable ASCII without white space.
    static func topic(_ json: JSONValue?) throws(RobotRefusal) -> String {
        guard let text = json?.stringValue, !text.isEmpty else { throw .missing("topic") }
        guard text.utf8.count <= RobotLimits.nameBytes, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .invalid("A topic's name has at most \(RobotLimits.nameBytes) printable ASCII characters")
        }
        return text
    }
}

extension RobotRefusal {
    static func missing(_ field: String) -> RobotRefusal { .invalid("\(field) is required") }
}
