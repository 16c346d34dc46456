package import Core

/// A convenience verb: a request by its name, its parameter checked.
package struct RobotCommand: Sendable {
    /// What one argument may be.
    package enum Argument: Sendable, Equatable {
        case boolean
        case number(ClosedRange<Double>)
        case integer(ClosedRange<Int>)
        case text([String])
    }

    /// `stand_up`.
    package let name: String
    package let topic: String
    package let apiID: Int32
    /// Of the newer firmware's command set where it differs; the two are told apart by code 3203.
    package let apiIDOfMCF: Int32?
    /// All are required, by their names on the wire.
    package let arguments: [String: Argument]

    package var requestClass: RequestClass { RobotRequest.classify(topic: topic, apiID: apiID) }

    init(
        _ name: String, _ topic: String, _ apiID: Int32, mcf: Int32? = nil, _ arguments: [String: Argument] = [:]
    ) {
        self.name = name
        self.topic = topic
        self.apiID = apiID
        apiIDOfMCF = mcf
        self.arguments = arguments
    }

    /// The parameter's text of what a caller sent; empty where the verb takes none.
    package func parameter(of values: JSONValue) throws(RobotRequestError) -> String {
        let given: [String: JSONValue]
        switch values {
        case .null: given = [:]
        case .object(let members): given = members
        default: throw .invalid(reason: "the arguments of \(name) are an object")
        }
        for key in given.keys.sorted() where arguments[key] == nil {
            throw .invalid(reason: "\(name) takes no argument \(key.prefix(32))")
        }
        guard !arguments.isEmpty else { return "" }
        var members: [String: JSONValue] = [:]
        for (key, argument) in arguments.sorted(by: { $0.key < $1.key }) {
            guard let value = given[key] else { throw .invalid(reason: "\(name) needs \(key)") }
            guard let checked = argument.checked(value) else {
                throw .invalid(reason: "\(key) of \(name) is \(argument.words)")
            }
            members[key] = checked
        }
        return JSONValue.object(members).text
    }

    /// The verbs in alphabetical order.
    package static var names: [String] { byName.keys.sorted() }

    package static func named(_ name: String) -> RobotCommand? { byName[name] }

    private static let byName = Dictionary(
        uniqueKeysWithValues: (sportCommands + toggles + otherCommands).map { ($0.name, $0) })

    /// The core set, the same in both firmware generations, and the classic ids beyond it.
    private static let sportCommands: [RobotCommand] = [
        sport("damp", 1001), sport("balance_stand", 1002), sport("stop", 1003), sport("stand_up", 1004),
        sport("stand_down", 1005), sport("recovery_stand", 1006),
        sport("euler", 1007, ["x": .number(-0.75...0.75), "y": .number(-0.75...0.75), "z": .number(-0.6...0.6)]),
        sport("sit", 1009), sport("rise_sit", 1010), sport("switch_gait", 1011, ["data": .integer(0...4)]),
        sport("trigger", 1012), sport("body_height", 1013, ["data": .number(-0.18...0.03)]),
        sport("foot_raise_height", 1014, ["data": .number(-0.06...0.03)]),
        sport("speed_level", 1015, ["data": .integer(-1...1)]), sport("hello", 1016), sport("stretch", 1017),
        sport("continuous_gait", 1019, ["data": .boolean]), sport("content", 1020), sport("wallow", 1021),
        sport("dance1", 1022), sport("dance2", 1023), sport("get_body_height", 1024),
        sport("get_foot_raise_height", 1025), sport("get_speed_level", 1026),
        sport("switch_joystick", 1027, ["data": .boolean]), sport("pose", 1028, ["data": .boolean]),
        sport("scrape", 1029), sport("front_flip", 1030), sport("front_jump", 1031), sport("front_pounce", 1032),
        sport("wiggle_hips", 1033), sport("get_state", 1034), sport("finger_heart", 1036),
        sport("right_flip", 1043),
    ]

    /// They persist until they are sent `false`; a stop does not end them.
    private static let toggles: [RobotCommand] = [
        toggle("economic_gait", 1035, mcf: 1063), toggle("stand_out", 1039), toggle("left_flip", 1042, mcf: 2041),
        toggle("back_flip", 1044, mcf: 2043), toggle("free_walk", 1045, mcf: 2045), toggle("walk_stair", 1049),
        toggle("cross_walk", 1051), toggle("hand_stand", 1301, mcf: 2044), toggle("cross_step", 1302, mcf: 2051),
        toggle("onesided_step", 1303), toggle("bound", 1304, mcf: 2046), toggle("moon_walk", 1305),
        toggle("static_walk", 1061), toggle("trot_run", 1062), toggle("free_jump", 2047), toggle("free_avoid", 2048),
        toggle("classic_walk", 2049), toggle("back_stand", 2050), toggle("set_auto_recovery", 2054),
        toggle("lead_follow", 1045, mcf: 2056), toggle("switch_avoid_mode", 2058), toggle("rage_mode", 2059),
        sport("get_auto_recovery", 2055),
    ]

    private static let colours = ["white", "red", "yellow", "blue", "green", "cyan", "purple"]

    private static let otherCommands: [RobotCommand] = [
        RobotCommand("get_motion_mode", RobotTopic.motionSwitcher, 1001),
        RobotCommand(
            "set_motion_mode", RobotTopic.motionSwitcher, 1002, ["name": .text(["normal", "ai", "advanced", "mcf"])]),
        RobotCommand("release_motion_mode", RobotTopic.motionSwitcher, 1003),
        RobotCommand("set_obstacle_avoidance", RobotTopic.obstacleAvoidance, 1001, ["enable": .boolean]),
        RobotCommand("get_obstacle_avoidance", RobotTopic.obstacleAvoidance, 1002),
        RobotCommand("set_volume", RobotTopic.vui, 1003, ["volume": .integer(0...10)]),
        RobotCommand("get_volume", RobotTopic.vui, 1004),
        RobotCommand("set_brightness", RobotTopic.vui, 1005, ["brightness": .integer(0...10)]),
        RobotCommand("get_brightness", RobotTopic.vui, 1006),
        RobotCommand("set_colour", RobotTopic.vui, 1007, ["color": .text(colours), "time": .integer(1...3_600)]),
    ]

    private static func sport(_ name: String, _ apiID: Int32, _ arguments: [String: Argument] = [:]) -> RobotCommand {
        RobotCommand(name, RobotTopic.sport, apiID, arguments)
    }

    private static func toggle(_ name: String, _ apiID: Int32, mcf: Int32? = nil) -> RobotCommand {
        RobotCommand(name, RobotTopic.sport, apiID, mcf: mcf, ["data": .boolean])
    }
}

extension RobotCommand.Argument {
    /// The value as the robot takes it, or nil.
    func checked(_ value: JSONValue) -> JSONValue? {
        switch self {
        case .boolean: return value.booleanValue.map(JSONValue.boolean)
        case .number(let range):
            guard let number = value.finiteNumber, range.contains(number) else { return nil }
            return .number(number)
        case .integer(let range):
            guard let number = value.integerValue, range.contains(number) else { return nil }
            return .integer(Int64(number))
        case .text(let words):
            guard let word = value.stringValue, words.contains(word) else { return nil }
            return .string(word)
        }
    }

    var words: String {
        switch self {
        case .boolean: "true or false"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .text(let words): "one of \(words.joined(separator: ", "))"
        }
    }
}
