import Core
import FoundationEssentials
import Go2Bridge
import Testing
import WebServer

@testable import Signaling

/// Something that a test cannot go on without.
struct Missing: Error {
    var what: String
}

@Suite struct RobotHTTPTests {
    // MARK: Reading

    @Test("the list names the robots that the caller may watch")
    func list() async {
        let bench = RobotBench()
        let answer = await bench.ask(.get, "", token: nil)
        #expect(answer.status == 200)
        #expect(answer.json["total"] == 1)
        var hidden = RobotExposure()
        hidden.publicScope = nil
        let secret = RobotBench(exposure: hidden)
        #expect(await secret.ask(.get, "", token: nil).json["total"] == 0)
        #expect(await secret.ask(.get, "", token: RobotBench.watch).json["total"] == 1)
        #expect(await secret.ask(.get, "", token: "cat-token").json["total"] == 0)
    }

    @Test("a robot tells its phases to whoever watches, and the rest to whoever reads")
    func status() async throws {
        let bench = RobotBench()
        bench.link.emit(.faults([RobotFault(time: 9, source: 300, code: 16)]))
        let watched = await bench.ask(.get, "/dog", token: nil).json
        #expect(watched["state"] == "connected")
        #expect(watched["stage"] == "robot:dog")
        #expect(watched["scope"] == "watch")
        #expect(watched["driver"] == "none")
        guard case .array(let phases)? = watched["phases"] else { throw Missing(what: "no phases") }
        #expect(phases.first?["phase"] == "signaling")
        #expect(phases.first?["outcome"] == "succeeded")
        #expect(phases.first?["duration_ms"]?.finiteNumber == 31)
        #expect(watched["faults"] == nil && watched["battery"] == nil && watched["commands"] == nil)
        let read = await bench.ask(.get, "/dog", token: RobotBench.read).json
        guard case .array(let faults)? = read["faults"] else { throw Missing(what: "no faults") }
        #expect(faults.first?["source"] == 300)
        #expect(read["battery"] == .null && read["commands"] == nil)
        guard case .array(let commands)? = await bench.ask(.get, "/dog").json["commands"] else {
            throw Missing(what: "no commands")
        }
        #expect(commands.contains("stand_up") && !commands.contains("front_flip"))
    }

    @Test("a topic's latest value comes with its age")
    func topic() async throws {
        let bench = RobotBench()
        bench.link.emit(.topic(RobotTopic.lowState, ["power_v": 28.5]))
        bench.bench.clock.advance(by: .milliseconds(250))
        let answer = await bench.ask(.get, "/dog/topics/rt/lf/lowstate", token: RobotBench.read)
        #expect(answer.status == 200)
        #expect(answer.json["value"]?["power_v"]?.finiteNumber == 28.5)
        #expect(answer.json["age_ms"] == 250)
        #expect(answer.json["count"] == 1)
        let list = await bench.ask(.get, "/dog/topics", token: RobotBench.read).json
        guard case .array(let topics)? = list["topics"] else { throw Missing(what: "no topics") }
        #expect(topics.contains { $0["topic"] == .string(RobotTopic.lowState) && $0["count"] == 1 })
    }

    @Test("a topic that says nothing is told as silent, and subscribed to while it is waited for")
    func silentTopic() async {
        let bench = RobotBench()
        let answer = await bench.ask(.get, "/dog/topics/rt/uwbstate", token: RobotBench.read)
        #expect(answer.status == 404)
        #expect(answer.json["error_code"] == "topic_silent")
        #expect(
            bench.link.orders.contains {
                if case .subscribe("rt/uwbstate") = $0 { true } else { false }
            })
    }

    @Test("a topic's values come as a stream of events")
    func topicStream() async throws {
        let bench = RobotBench()
        let answer = await bench.bench.stream(
            .get, "/v1/robots/dog/topics/rt/lf/lowstate", headers: ["Authorization": "Bearer \(RobotBench.read)"],
            query: ["stream": ""])
        #expect(answer.headers["Content-Type"] == "text/event-stream")
        bench.link.emit(.topic(RobotTopic.lowState, ["power_v": 27]))
        let text = try await Self.text(of: try #require(answer.stream), until: "robot_topic")
        #expect(text.contains("event: robot_topic\n"))
        #expect(text.contains(#""topic":"rt/lf/lowstate""#))
    }

    @Test("events tell the robot's state at once, and topics where they were asked for")
    func events() async throws {
        let bench = RobotBench()
        let answer = await bench.bench.stream(
            .get, "/v1/robots/dog/events", headers: ["Authorization": "Bearer \(RobotBench.read)"],
            query: ["topics": "LOW_STATE"])
        let stream = try #require(answer.stream)
        #expect(try await Self.text(of: stream, until: "robot_state").contains(#""id":"dog""#))
    }

    private static func text(of stream: AsyncStream<[UInt8]>, until word: String) async throws -> String {
        var text = ""
        for await piece in stream {
            text += String(decoding: piece, as: UTF8.self)
            if text.contains("event: \(word)\n") { return text }
        }
        throw RobotRefusal(.lost, "the stream ended after: \(text)")
    }

    // MARK: Asking

    @Test("the robot's own answer is told, whatever its code")
    func requests() async {
        let bench = RobotBench()
        bench.link.answer(data: #"{"volume":5}"#)
        let done = await bench.ask(
            .post, "/dog/requests", ["topic": "rt/api/vui/request", "api_id": 1004], token: RobotBench.read)
        #expect(done.status == 200)
        #expect(done.json["code"] == 0)
        #expect(done.json["data"]?["volume"] == 5)
        #expect(done.json["api_id"] == 1004)
        bench.link.answer(1004, code: 3203)
        let refused = await bench.ask(
            .post, "/dog/webrtc_req",
            ["id": 0, "topic": "rt/api/vui/request", "api_id": 1004, "parameter": "", "priority": 0])
        #expect(refused.status == 200)
        #expect(refused.json["code"] == 3203)
        #expect(refused.json["message"]?.stringValue?.contains("not implemented") == true)
    }

    @Test("a verb is a request by name, with its arguments checked")
    func commands() async {
        let bench = RobotBench()
        #expect(await bench.ask(.post, "/dog/stand_up").json["code"] == 0)
        #expect(bench.link.requests.last?.apiID == 1004)
        let pose = await bench.ask(.post, "/dog/pose", ["data": true, "timeout_ms": 500])
        #expect(pose.json["code"] == 0)
        #expect(bench.link.requests.last?.parameter == #"{"data":true}"#)
        #expect(await bench.ask(.post, "/dog/pose", ["data": "yes"]).status == 422)
        #expect(await bench.ask(.post, "/dog/pose", ["data": true, "force": 1]).status == 422)
    }

    @Test("something is published without an answer")
    func publish() async {
        let bench = RobotBench()
        let answer = await bench.ask(
            .post, "/dog/publish", ["topic": "rt/uslam/client_command", "data": "mapping/start"])
        #expect(answer.status == 202)
        #expect(
            bench.link.orders.contains {
                if case .publish("rt/uslam/client_command", "mapping/start") = $0 { true } else { false }
            })
    }

    // MARK: Driving

    @Test("a lease is had, renewed and let go of; the robot stands when it ends")
    func lease() async throws {
        let bench = RobotBench()
        let first = await bench.ask(.post, "/dog/drive")
        #expect(first.status == 201)
        #expect(first.json["expires_in_ms"] == 2000)
        let lease = try #require(first.json["lease_id"]?.stringValue)
        bench.bench.clock.advance(by: .seconds(1))
        #expect(await bench.ask(.put, "/dog/drive", lease: lease).json["expires_in_ms"] == 2000)
        #expect(await bench.ask(.post, "/dog/move", ["x": 0.3], lease: lease).json["code"] == 0)
        #expect(bench.link.requests.last?.apiID == 1008)
        #expect(bench.link.stops == 0)
        #expect(await bench.ask(.delete, "/dog/drive", ["lease_id": .string(lease)]).status == 204)
        #expect(bench.link.stops == 1)
        let gone = await bench.ask(.put, "/dog/drive", lease: lease)
        #expect(gone.status == 409 && gone.json["error_code"] == "lease_lost")
    }

    @Test("a lease that nobody renews is lost")
    func leaseLapses() async throws {
        let bench = RobotBench()
        let lease = try #require(await bench.ask(.post, "/dog/drive").json["lease_id"]?.stringValue)
        bench.bench.clock.advance(by: .milliseconds(2001))
        let answer = await bench.ask(.post, "/dog/move", ["x": 0.3], lease: lease)
        #expect(answer.status == 409 && answer.json["error_code"] == "lease_lost")
        #expect(!bench.link.requests.contains { $0.apiID == 1008 })
    }

    @Test("while somebody drives nobody else moves the robot, but everybody who may drive can stop it")
    func exclusive() async throws {
        let bench = RobotBench()
        let lease = try #require(await bench.ask(.post, "/dog/drive").json["lease_id"]?.stringValue)
        for path in ["/dog/drive", "/dog/move", "/dog/stand_up"] {
            let answer = await bench.ask(.post, path, path.hasSuffix("move") ? ["x": 0.1] : nil)
            #expect(answer.status == 409 && answer.json["error_code"] == "driven_by_another", "\(path)")
        }
        #expect(await bench.ask(.post, "/dog/stand_up", lease: lease).status == 200)
        #expect(await bench.ask(.post, "/dog/stop").status == 200)
        #expect(bench.link.stops >= 1)
        // Whoever did not stop it is the driver no more.
        #expect(await bench.ask(.put, "/dog/drive", lease: lease).json["error_code"] == "lease_lost")
    }

    @Test("a ride without a lease lasts as long as its call, and ends with a stop")
    func ride() async {
        let bench = RobotBench()
        let answer = await bench.ask(.post, "/dog/move", ["x": 0.2, "yaw": 0.1, "duration_ms": 50])
        #expect(answer.status == 200)
        #expect(answer.json["duration_ms"] == 50)
        #expect(bench.link.stops == 1)
        #expect(bench.robot.status.drive.holder == nil)
    }

    @Test(
        "speeds and times beyond their limits are refused, never cut",
        arguments: [
            ["x": 9], ["x": 0.1, "y": -9], ["yaw": 100], ["x": 0.1, "duration_ms": 5001],
            ["x": 0.1, "duration_ms": -1],
        ] as [JSONValue])
    func outOfRange(body: JSONValue) async {
        let bench = RobotBench()
        let answer = await bench.ask(.post, "/dog/move", body)
        #expect(answer.status == 422 && answer.json["error_code"] == "out_of_range")
        #expect(!bench.link.requests.contains { $0.apiID == 1008 })
    }

    // MARK: Refusals

    @Test(
        "each route needs its scope",
        arguments: [
            (.get, "/dog", nil, .watch), (.get, "/dog/topics", nil, .read), (.get, "/dog/topics/rt/x", nil, .read),
            (.post, "/dog/requests", ["topic": "rt/api/vui/request", "api_id": 1004], .read),
            (.post, "/dog/requests", ["topic": "rt/api/sport/request", "api_id": 1004], .drive),
            (.post, "/dog/webrtc_req", ["topic": "rt/api/vui/request", "api_id": 1003], .drive),
            (.post, "/dog/publish", ["topic": "rt/x", "data": 1], .drive), (.post, "/dog/stand_up", nil, .drive),
            (.post, "/dog/get_volume", nil, .read), (.post, "/dog/stop", nil, .drive),
            (.post, "/dog/move", ["x": 0, "duration_ms": 50], .drive), (.post, "/dog/drive", nil, .drive),
        ] as [(HTTPMethod, String, JSONValue?, RobotScope)])
    func scopes(method: HTTPMethod, path: String, body: JSONValue?, needed: RobotScope) async {
        var hidden = RobotExposure()
        hidden.publicScope = nil
        let bench = RobotBench(exposure: hidden)
        let nobody = await bench.ask(method, path, body, token: nil)
        #expect(nobody.status == 401 && nobody.json["error_code"] == "token_required")
        #expect(nobody.headers["WWW-Authenticate"] == "Bearer")
        #expect(await bench.ask(method, path, body, token: "wrong").json["error_code"] == "token_wrong")
        #expect(await bench.ask(method, path, body, token: "cat-token").status == 403)
        for (token, scope) in [(RobotBench.watch, RobotScope.watch), (RobotBench.read, .read)] {
            let answer = await bench.ask(method, path, body, token: token)
            #expect((answer.status == 403) == (scope < needed), "\(token) \(answer.status) \(answer.json.text)")
        }
        #expect(![401, 403].contains(await bench.ask(method, path, body).status))
        #expect(![401, 403].contains(await bench.ask(method, path, body, token: "management").status))
    }

    @Test("driving without a token is possible where the configuration says so")
    func drivesWithoutToken() async {
        var open = RobotExposure()
        open.drivesWithoutToken = true
        let bench = RobotBench(exposure: open)
        #expect(await bench.ask(.post, "/dog/stand_up", token: nil).status == 200)
    }

    @Test("robots and commands that are none are not found")
    func notFound() async {
        let bench = RobotBench()
        #expect(await bench.ask(.get, "/cat").json["error_code"] == "no_such_robot")
        #expect(await bench.ask(.post, "/dog/fly").json["error_code"] == "no_such_command")
        #expect(await bench.ask(.post, "/dog/fly").status == 404)
    }

    @Test("what the operator or safety forbids is forbidden to everybody, each by its word")
    func forbidden() async {
        let bench = RobotBench()
        for (path, body, code) in [
            ("front_flip", [:], "acrobatics"),
            ("requests", ["topic": "rt/api/sport/request", "api_id": 1030], "acrobatics"),
            ("requests", ["topic": "rt/api/bashrunner/request", "api_id": 1001, "parameter": "{}"], "unsafe"),
            ("requests", ["topic": "rt/api/sport/request", "api_id": 1008, "parameter": "{}"], "unsafe"),
            ("publish", ["topic": "rt/lowcmd", "data": [:]], "unsafe"),
        ] as [(String, JSONValue, JSONValue)] {
            let refused = await bench.ask(.post, "/dog/" + path, body, token: "management")
            #expect(refused.status == 403 && refused.json["error_code"] == code, "\(path) \(body.text)")
        }
    }

    @Test("the words of refusals are those that the documentation tells, with their statuses")
    func documentedRefusals() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/protocols/robot.md"), encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "### Refusals"))
        let end = try #require(lines[start...].firstIndex(of: "## WebSocket"))
        var documented: [String: Int] = [:]
        for line in lines[start..<end] {
            let cells = line.split(separator: "|").map { $0.trimmingPrefix(while: \.isWhitespace) }
            guard cells.count >= 3, let status = Int(cells[0].prefix { $0.isNumber }) else { continue }
            for word in cells[1].split(separator: "`") where word.allSatisfy({ $0.isLetter || $0 == "_" }) {
                documented[String(word)] = status
            }
        }
        let codes = RobotRefusal.Code.allCases
        #expect(documented == Dictionary(uniqueKeysWithValues: codes.map { ($0.rawValue, $0.status) }))
    }

    @Test("a robot that is not connected says in which phase, why, and when to come again")
    func notConnected() async {
        let bench = RobotBench(isConnected: false)
        let failure = PhaseFailure(
            code: "busy", reason: "the app holds it", causes: ["the app"], remedy: "close the app")
        var report = ConnectionReport(
            state: .waiting, attempt: 3, phases: [PhaseReport(phase: .signaling, outcome: .failed(failure))])
        report.failure = failure
        report.retryIn = .seconds(14.2)
        bench.link.emit(.report(report))
        for path in ["/dog/stand_up", "/dog/drive", "/dog/move"] {
            let answer = await bench.ask(.post, path, Self.body(for: path))
            #expect(answer.status == 503 && answer.json["error_code"] == "not_connected", "\(path)")
            #expect(answer.json["phase"] == "signaling")
            #expect(answer.json["failure"]?["code"] == "busy")
            #expect(answer.json["failure"]?["phase"] == "signaling")
            #expect(answer.headers["Retry-After"] == "15")
        }
    }

    /// Only `move` takes a speed.
    private static func body(for path: String) -> JSONValue { path.hasSuffix("move") ? ["x": 0.1] : [:] }

    @Test("a robot that does not answer, or goes away first, is told apart")
    func noAnswer() async throws {
        let bench = RobotBench()
        bench.link.fallSilent()
        async let late = bench.ask(.post, "/dog/stand_up")
        await bench.link.told { !$0.requests.isEmpty }
        bench.link.emit(.requestFailed(id: try #require(bench.link.requests.first).id, .timedOut(seconds: 5)))
        #expect(await late.status == 504)
        #expect(await late.json["error_code"] == "timed_out")
        async let lost = bench.ask(.post, "/dog/stand_up")
        await bench.link.told { $0.requests.count == 2 }
        bench.link.emit(.lost(reason: "it was switched off"))
        #expect(await lost.status == 503)
        #expect(await lost.json["error_code"] == "lost")
        async let busy = bench.ask(.post, "/dog/stand_up")
        #expect(await busy.json["error_code"] == "not_connected")
    }

    @Test("too much at a time is refused with a time to come again")
    func tooMany() async throws {
        let bench = RobotBench()
        bench.link.fallSilent()
        async let asked = bench.ask(.post, "/dog/stand_up")
        await bench.link.told { !$0.requests.isEmpty }
        bench.link.emit(.requestFailed(id: try #require(bench.link.requests.first).id, .tooMany(limit: 8)))
        #expect(await asked.status == 429)
        #expect(await asked.json["error_code"] == "too_many")
        #expect(await asked.headers["Retry-After"] != nil)
    }

    @Test(
        "bodies that are no object are refused",
        arguments: ["[]", "1", "\"x\"", "{", "nonsense", String(repeating: "[", count: 100)])
    func badBodies(body: String) async {
        let bench = RobotBench()
        for path in ["requests", "webrtc_req", "publish", "move", "drive", "stand_up"] {
            let answer = await bench.bench.respond(
                .post, "/v1/robots/dog/\(path)", body: body, headers: ["Authorization": "Bearer \(RobotBench.drive)"])
            #expect(answer.status == 422, "\(path)")
        }
    }

    @Test("refusals are counted by their word")
    func counted() async {
        let bench = RobotBench()
        _ = await bench.ask(.post, "/dog/stand_up", token: nil)
        #expect(
            bench.metrics.prometheusText().contains(#"avatar_robot_refusals_total{code="token_required"} 1"#))
    }

    @Test("health tells of robots, and of those that are not connected what mends it")
    func health() async throws {
        let bench = RobotBench(isConnected: false)
        let text = await bench.bench.respond(.get, "/health").text
        let json = try #require(JSONValue(parsing: Array(text.utf8)))
        guard case .array(let robots)? = json["robots"], case .array(let parts)? = json["degraded"] else {
            throw Missing(what: "robots in \(text)")
        }
        #expect(robots.first?["id"] == "dog")
        #expect(parts.contains { $0["part"] == "robot:dog" && $0["remedy"]?.stringValue?.isEmpty == false })
        bench.link.connect()
        let after = await bench.bench.respond(.get, "/health").text
        #expect(!after.contains("robot:dog\""))
    }
}
