import Core
import Testing

@testable import Go2Bridge

@Suite("Robot commands")
struct RobotCommandTests {
    private func parameter(_ name: String, _ arguments: JSONValue) throws -> String {
        let command = try #require(RobotCommand.named(name))
        return try command.parameter(of: arguments)
    }

    @Test("Verbs have the robot's numbers")
    func numbers() {
        let expected: [(String, Int32)] = [
            ("damp", 1_001), ("balance_stand", 1_002), ("stop", 1_003), ("stand_up", 1_004), ("stand_down", 1_005),
            ("recovery_stand", 1_006), ("sit", 1_009), ("rise_sit", 1_010), ("hello", 1_016), ("stretch", 1_017),
            ("set_volume", 1_003), ("free_walk", 1_045),
        ]
        for (name, apiID) in expected { #expect(RobotCommand.named(name)?.apiID == apiID, "\(name)") }
        #expect(RobotCommand.named("free_walk")?.apiIDOfMCF == 2_045)
        #expect(RobotCommand.named("fly") == nil)
        #expect(RobotCommand.named("front_flip")?.requestClass == .acrobatics)
        #expect(RobotCommand.named("damp")?.requestClass == .stop)
        #expect(RobotCommand.named("get_volume")?.requestClass == .reading)
        #expect(RobotCommand.named("set_volume")?.requestClass == .setting)
        #expect(RobotCommand.named("stand_up")?.requestClass == .motion)
    }

    @Test("Arguments become the parameter's text")
    func arguments() throws {
        #expect(try parameter("stand_up", .null) == "")
        #expect(try parameter("stand_up", [:]) == "")
        #expect(try parameter("set_volume", ["volume": "7"]) == #"{"volume":7}"#)
        #expect(try parameter("pose", ["data": true]) == #"{"data":true}"#)
        #expect(try parameter("set_colour", ["color": "red", "time": 5]) == #"{"color":"red","time":5}"#)
        #expect(try parameter("body_height", ["data": .number(-0.1)]) == #"{"data":-0.1}"#)
    }

    @Test("Arguments that are missing, unknown, of another kind or out of range are refused")
    func refuses() {
        let wrong: [(String, JSONValue)] = [
            ("stand_up", ["x": 1]), ("stand_up", [1]), ("set_volume", .null), ("set_volume", ["volume": 11]),
            ("set_volume", ["volume": -1]), ("set_volume", ["volume": .number(1.5)]), ("set_volume", ["volume": "nan"]),
            ("body_height", ["data": .number(.nan)]), ("body_height", ["data": 1]), ("pose", ["data": 1]),
            ("set_colour", ["color": "black", "time": 5]), ("set_motion_mode", ["name": "'; rm"]),
        ]
        for (name, arguments) in wrong {
            #expect(throws: RobotRequestError.self, "\(name) \(arguments)") { try parameter(name, arguments) }
        }
    }

    @Test("Every code and every fault has words")
    func words() {
        #expect(RobotErrorTable.text(of: 0) == "done")
        #expect(RobotErrorTable.text(of: 3_203).contains("firmware"))
        #expect(RobotErrorTable.text(of: 42).contains("42"))
        #expect(RobotErrorTable.text(of: RobotFault(time: 0, source: 600, code: 8)) == "motion control: low battery")
    }

    @Test("Topics are known by the app's names, and have a form")
    func topics() {
        #expect(RobotTopic.named("LOW_STATE") == "rt/lf/lowstate")
        #expect(RobotTopic.named("rt/own") == "rt/own")
        #expect(RobotTopic.known.allSatisfy { RobotTopic.isValid($0.topic) })
        #expect(Set(RobotTopic.known.map(\.name)).count == RobotTopic.known.count)
        #expect(!RobotTopic.isValid("rt/" + String(repeating: "a", count: 126)))
        #expect(RobotTopic.response(to: RobotTopic.sport) == "rt/api/sport/response")
    }
}
