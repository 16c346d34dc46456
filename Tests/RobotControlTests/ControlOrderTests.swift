import Core
import Testing

@testable import RobotControl

struct ControlOrderTests {
    /// What the former service answered, to the letter.
    private static let refused: [(String, String, String)] = [
        ("process", "{}", "PROCESS command requires 'params' field"),
        ("process", "\"text\"", "PROCESS command requires 'params' field"),
        ("process", "{\"params\": 7}", "'params' must be an object"),
        ("process", "{\"params\": [1]}", "'params' must be an object"),
        ("process", "{\"params\": {}}", "'params' must contain 'object' field"),
        ("process", "{\"params\": {\"object\": \"a\"}}", "'params' must contain 'method' field"),
        ("process", "{\"params\": {\"object\": \"a\", \"method\": \"b\", \"args\": [1]}}", "'args' must be an object"),
        (
            "process", "{\"params\": {\"object\": \"a\", \"method\": \"b\", \"args\": \"x\"}}",
            "'args' must be an object"
        ),
        ("update", "{}", "UPDATE command requires 'data' field"),
        ("update", "{\"data\": null}", "UPDATE command requires 'data' field"),
        ("update", "{\"data\": 5}", "'data' field must be a base64 string"),
        ("update", "{\"data\": [\"UEs=\"]}", "'data' field must be a base64 string"),
        ("x", "{}", "Unknown command: x"),
    ]

    @Test(arguments: refused)
    func `an order that is wrong is refused in the former service's words`(
        event: String, text: String, message: String
    ) throws {
        let refusal = #expect(throws: ControlOrder.Refusal.self) {
            try ControlOrder(event: event, arguments: [try #require(JSONValue(parsing: Array(text.utf8)))])
        }
        #expect(refusal?.message == message)
    }

    @Test func `an event without an argument is refused like one with an empty one`() {
        #expect(throws: ControlOrder.Refusal.self) { try ControlOrder(event: "process", arguments: []) }
        #expect(throws: Never.self) { try ControlOrder(event: "start", arguments: []) }
    }

    @Test func `arguments may be left out, and are none then`() throws {
        let order = try ControlOrder(
            event: "process", arguments: [["params": ["object": "dog", "method": "Sit", "id": 7]]])
        #expect(order == .process(.init(object: "dog", method: "Sit", arguments: [:], id: "7")))
    }

    @Test func `an archive is text, under either name, or an attachment`() throws {
        #expect(
            try ControlOrder(event: "update", arguments: [["zip_data": "UEs=", "name": "a.zip"]])
                == .update(archive: .base64("UEs="), name: "a.zip"))
        #expect(
            try ControlOrder(event: "update", arguments: [["data": ["_placeholder": true, "num": 0]]])
                == .update(archive: .attachment(0), name: nil))
    }

    @Test(arguments: [0, -1, nil] as [Int?])
    func `a rollback needs a version`(version: Int?) {
        #expect(throws: ControlOrder.Refusal.self) {
            try ControlOrder(event: "rollback", arguments: [["version": JSONValue(version)]])
        }
    }

    @Test func `an unknown event is repeated without what would spoil a terminal, and cut`() {
        let name = "\u{1B}[31m" + String(repeating: "e\u{301}", count: 50_000)
        let refusal = #expect(throws: ControlOrder.Refusal.self) { try ControlOrder(event: name, arguments: []) }
        #expect(refusal?.message.unicodeScalars.contains("\u{1B}") == false)
        #expect((refusal?.message.utf8.count ?? 0) < 500)
    }
}

struct ControlAnswerTests {
    @Test func `a call's value is wrapped as the former service did`() {
        #expect(
            ControlAnswer(.value(["ok": true]), of: "StandUp").json(isExtended: false)
                == [
                    "status": "success", "message": "StandUp executed",
                    "data": ["status": "success", "result": ["ok": true]],
                ])
    }

    @Test func `a call that fails is a success outside and an error inside`() {
        let answer = ControlAnswer(.error(code: "exception", message: "kaboom", traceback: "at 1"), of: "boom")
        #expect(
            answer.json(isExtended: false)
                == ["status": "success", "message": "boom executed", "data": ["status": "error", "message": "kaboom"]])
        #expect(answer.json(isExtended: true)["data"]?["error_code"] == "exception")
    }

    @Test func `without a project the whole answer is an error`() {
        #expect(
            ControlAnswer(.error(code: "no_project", message: "none"), of: "x").json(isExtended: false)
                == ["status": "error", "message": "No project loaded", "data": [:]])
    }

    @Test func `codes and extras are for clients that ask for them`() {
        let answer = ControlAnswer.success("done", ["a": 1], extras: ["version": 3])
        #expect(answer.json(isExtended: false)["data"] == ["a": 1])
        #expect(answer.json(isExtended: true)["data"] == ["a": 1, "version": 3])
        let refusal = ControlAnswer.error("busy", "Another update is running")
        #expect(refusal.json(isExtended: false) == ["status": "error", "message": "Another update is running"])
        #expect(refusal.json(isExtended: true)["error_code"] == "busy")
    }
}

struct ClientSeatTests {
    @Test func `a second client is refused until the first has left`() {
        var seat = ClientSeat(rule: .refuse)
        #expect(seat.take("a", asksToTakeOver: false) == .taken)
        #expect(seat.take("b", asksToTakeOver: true) == .refused)
        let hasLeft = seat.leave("a")
        #expect(hasLeft)
        #expect(seat.take("b", asksToTakeOver: false) == .taken)
    }

    @Test func `whoever may take over gets the seat, and the former holder's leaving changes nothing`() {
        var seat = ClientSeat(rule: .takeOver)
        _ = seat.take("a", asksToTakeOver: false)
        #expect(seat.take("b", asksToTakeOver: false) == .refused)
        #expect(seat.take("b", asksToTakeOver: true) == .takenFrom("a"))
        let hasLeft = seat.leave("a")
        #expect(!hasLeft)
        #expect(seat.holder == "b")
    }
}
