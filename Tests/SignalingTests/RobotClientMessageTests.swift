import Core
import Go2Bridge
import Testing

@testable import Signaling

@Suite struct RobotClientMessageTests {
    private static func read(_ text: String) throws(RobotRefusal) -> RobotClientMessage {
        try RobotClientMessage(JSONValue(parsing: Array(text.utf8)) ?? .null)
    }

    @Test(
        "each message is read",
        arguments: [
            (#"{"type":"robot_subscribe","topics":["rt/a","rt/a","rt/b"]}"#, .subscribe(["rt/a", "rt/b"])),
            (#"{"type":"robot_unsubscribe","topics":["rt/a"]}"#, .unsubscribe(["rt/a"])),
            (
                #"{"type":"robot_request","topic":"rt/api/vui/request","api_id":1003,"parameter":{"volume":5}}"#,
                .request(RobotCall(topic: "rt/api/vui/request", apiID: 1003, parameter: #"{"volume":5}"#))
            ),
            (
                #"{"type":"robot_request","topic":"t","api_id":"7","parameter":"x","priority":1,"timeout_ms":100}"#,
                .request(RobotCall(topic: "t", apiID: 7, parameter: "x", priority: 1, timeout: .milliseconds(100)))
            ),
            (#"{"type":"robot_command","command":"stand_up"}"#, .command(name: "stand_up", arguments: [:])),
            (
                #"{"type":"robot_command","command":"pose","arguments":{"data":true}}"#,
                .command(name: "pose", arguments: ["data": true])
            ),
            (#"{"type":"robot_publish","topic":"rt/x","data":null}"#, .publish(topic: "rt/x", data: .null)),
            (#"{"type":"drive_acquire"}"#, .acquire), (#"{"type":"drive_renew"}"#, .renew),
            (#"{"type":"drive_release"}"#, .release), (#"{"type":"drive_stop"}"#, .stop),
            (#"{"type":"drive_move","x":0.5,"yaw":-1}"#, .move(Velocity(x: 0.5, y: 0, yaw: -1))),
        ] as [(String, RobotClientMessage)])
    func reads(text: String, message: RobotClientMessage) throws {
        #expect(try Self.read(text) == message)
    }

    @Test(
        "what cannot be acted on is refused with the field's name",
        arguments: [
            (#"{"type":"robot_subscribe"}"#, "topics"), (#"{"type":"robot_subscribe","topics":[]}"#, "topics"),
            (#"{"type":"robot_subscribe","topics":[1]}"#, "topic"),
            (#"{"type":"robot_subscribe","topics":["a b"]}"#, "topic"),
            (#"{"type":"robot_request","api_id":1}"#, "topic"), (#"{"type":"robot_request","topic":"t"}"#, "api_id"),
            (#"{"type":"robot_request","topic":"t","api_id":-1}"#, "api_id"),
            (#"{"type":"robot_request","topic":"t","api_id":4294967296}"#, "api_id"),
            (#"{"type":"robot_request","topic":"t","api_id":1e300}"#, "api_id"),
            (#"{"type":"robot_request","topic":"t","api_id":1,"priority":2}"#, "priority"),
            (#"{"type":"robot_request","topic":"t","api_id":1,"timeout_ms":99}"#, "timeout_ms"),
            (#"{"type":"robot_request","topic":"t","api_id":1,"timeout_ms":"never"}"#, "timeout_ms"),
            (#"{"type":"robot_command"}"#, "command"),
            (#"{"type":"robot_command","command":"x","arguments":[1]}"#, "arguments"),
            (#"{"type":"robot_publish","topic":"t"}"#, "data"), (#"{"type":"robot_publish","data":1}"#, "topic"),
            (#"{"type":"drive_move"}"#, "x"), (#"{"type":"drive_move","x":"fast"}"#, "x"),
            (#"{"type":"drive_move","x":"0"}"#, "x"), (#"{"type":"drive_move","yaw":null}"#, "yaw"),
            (#"{"type":"drive_move","x":0,"y":[]}"#, "y"), (#"{"type":"drive_nowhere"}"#, "drive_nowhere"),
        ])
    func refuses(text: String, word: String) {
        do throws(RobotRefusal) {
            let message = try Self.read(text)
            Issue.record("\(message) was read")
        } catch {
            #expect(error.code == .invalid)
            #expect(error.detail.contains(word))
        }
    }

    @Test("what is too long is refused")
    func tooLong() {
        let long = String(repeating: "a", count: RobotLimits.parameterBytes + 1)
        let topics = (0...RobotLimits.topics).map { "\"rt/\($0)\"" }.joined(separator: ",")
        for text in [
            #"{"type":"robot_request","topic":"t","api_id":1,"parameter":"\#(long)"}"#,
            #"{"type":"robot_publish","topic":"t","data":"\#(long)"}"#,
            #"{"type":"robot_subscribe","topics":["\#(long)"]}"#,
            #"{"type":"robot_subscribe","topics":[\#(topics)]}"#,
        ] {
            #expect(throws: RobotRefusal.self) { try Self.read(text) }
        }
    }

    @Test("the client's own word for a message is repeated as it was, unless it is too long")
    func requestIDs() {
        let long = JSONValue.string(String(repeating: "x", count: 129))
        #expect(RobotClientMessage.requestID(of: ["request_id": "a"]) == "a")
        #expect(RobotClientMessage.requestID(of: ["request_id": 7]) == 7)
        #expect(RobotClientMessage.requestID(of: ["request_id": long]) == nil)
        #expect(RobotClientMessage.requestID(of: ["request_id": [:]]) == nil)
        #expect(RobotClientMessage.requestID(of: [:]) == nil)
    }

    @Test("every refusal has a word and a status of its own kind")
    func statuses() {
        let words = Set(RobotRefusal.Code.allCases.map(\.rawValue))
        #expect(words.count == RobotRefusal.Code.allCases.count)
        #expect(RobotRefusal.Code.allCases.allSatisfy { (400...599).contains($0.status) })
    }

    @Test(
        "a viewer has a voice where its offer sends sound",
        arguments: [
            ("m=audio 9 X 1\r\na=sendrecv\r\nm=video 9 X 1\r\na=recvonly\r\n", true),
            ("m=audio 9 X 1\na=recvonly\nm=video 9 X 1\na=sendonly\n", false),
            ("m=video 9 X 1\r\na=sendrecv\r\n", false), ("m=video 9 X 1\r\nm=audio 9 X 1\r\n", true),
            ("m=audio 9 X 1\r\na=inactive\r\n", false), ("", false),
        ])
    func voices(sdp: String, sends: Bool) {
        #expect(OfferText.sendsSound(sdp) == sends)
    }
}
