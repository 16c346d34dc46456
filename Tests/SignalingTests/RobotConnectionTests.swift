import Core
import Go2Bridge
import MediaLoop
import PeerConnection
import Testing
import WebServer

@testable import Signaling

extension Client {
    func state() async -> JSONValue {
        await next { if case .robot(.state(let robot)) = $0 { robot } else { nil } }
    }

    func drive() async -> RobotServerMessage.DriveState {
        await next { if case .robot(.drive(let state)) = $0 { state } else { nil } }
    }

    /// The next `drive_state` of that reason.
    func drive(because reason: String) async -> RobotServerMessage.DriveState {
        while true {
            let state = await drive()
            if state.reason == reason { return state }
        }
    }

    /// Waits until nobody drives.
    func seatIsFree() async -> RobotServerMessage.DriveState {
        while true {
            let state = await drive()
            if state.holder == .none { return state }
        }
    }

    func answer() async -> (RobotAnswer, JSONValue?) {
        await next { if case .robot(.response(let answer, let id)) = $0 { (answer, id) } else { nil } }
    }

    func refusal() async -> (code: RobotRefusal.Code, requestID: JSONValue?) {
        await next { if case .robot(.refused(let refusal, let id)) = $0 { (refusal.code, id) } else { nil } }
    }
}

@Suite struct RobotConnectionTests {
    @Test("a page is let in by its token, and by no other")
    func admission() async {
        var hidden = RobotExposure()
        hidden.publicScope = nil
        let service = RobotBench(exposure: hidden).bench.service
        for (id, token, isAdmitted) in [
            ("robot_dog", nil, false), ("robot_dog", "wrong", false), ("robot_dog", "cat-token", false),
            ("robot_dog", "watch-token", true), ("robot_dog", "management", true), ("robot_cat", "management", false),
            ("robot_", "management", false),
        ] as [(String, String?, Bool)] {
            #expect((await service.admit(id, token: token) != nil) == isAdmitted, "\(id) \(token ?? "no token")")
        }
        #expect(await RobotBench().bench.service.admit("robot_dog", token: nil) != nil)
    }

    @Test("a page is told the robot's state at once, and every change of it")
    func state() async throws {
        let bench = RobotBench(isConnected: false)
        let page = try await bench.connect()
        #expect(await page.state()["state"] == "idle")
        bench.link.connect()
        while await page.state()["state"] != "connected" {}
    }

    @Test("requests and commands are answered with the client's own word for them")
    func requests() async throws {
        let bench = RobotBench()
        let page = try await bench.connect()
        await page.say([
            "type": "robot_request", "request_id": "a", "topic": "rt/api/vui/request", "api_id": 1003,
            "parameter": ["volume": 3],
        ])
        let (answer, id) = await page.answer()
        #expect(answer.code == 0 && answer.apiID == 1003 && answer.topic == "rt/api/vui/request")
        #expect(id == "a")
        #expect(bench.link.requests.last?.parameter == #"{"volume":3}"#)
        bench.link.answer(1004, code: -1)
        await page.say(["type": "robot_command", "request_id": 7, "command": "stand_up"])
        let (second, number) = await page.answer()
        #expect(second.code == -1 && number == 7)
        #expect(second.message.contains("refuses"))
    }

    @Test("a page subscribes, hears the latest value and each new one, and lets go")
    func topics() async throws {
        let bench = RobotBench()
        bench.link.emit(.topic(RobotTopic.lowState, ["power_v": 28]))
        let page = try await bench.connect(token: RobotBench.read)
        await page.say(["type": "robot_subscribe", "topics": ["LOW_STATE", "rt/uwbstate"]])
        let subscribed = await page.next { if case .robot(.subscribed(let topics)) = $0 { topics } else { nil } }
        #expect(subscribed.sorted() == ["rt/lf/lowstate", "rt/uwbstate"])
        #expect(await Self.topic(page) == RobotTopic.lowState)
        bench.link.emit(.topic("rt/uwbstate", ["distance": 1]))
        #expect(await Self.topic(page) == "rt/uwbstate")
        await page.say(["type": "robot_unsubscribe", "topics": ["rt/uwbstate"]])
        _ = await page.next { if case .robot(.subscribed(let topics)) = $0 { topics } else { nil } }
        await bench.link.told { $0.unsubscribes(from: "rt/uwbstate") }
        await page.say(["type": "robot_subscribe", "topics": [.string(RobotTopic.voxelMap)]])
        #expect(await page.refusal().code == .invalid)
    }

    private static func topic(_ page: Client) async -> String {
        await page.next { if case .robot(.topic(let name, _, _)) = $0 { name } else { nil } }
    }

    @Test("a page drives: acquire, move, renew, release; others see it, and cannot")
    func driving() async throws {
        let bench = RobotBench()
        let driver = try await bench.connect()
        let other = try await bench.connect()
        let watcher = try await bench.connect(token: nil)
        await driver.say(["type": "drive_move", "x": 0.2])
        #expect(await driver.refusal().code == .leaseLost)
        await driver.say(["type": "drive_acquire"])
        let state = await driver.drive()
        #expect(state.holder == .you && state.left == .seconds(2) && state.reason == "acquired")
        #expect(await other.drive().holder == .other)
        #expect(await watcher.drive().holder == .other)
        await other.say(["type": "drive_acquire", "request_id": 1])
        #expect(await other.refusal() == (.drivenByAnother, 1))
        await other.say(["type": "drive_move", "x": 0.1])
        #expect(await other.refusal().code == .leaseLost)
        await driver.say(["type": "drive_move", "x": 0.2, "y": 0, "yaw": 0])
        #expect(bench.link.requests.last?.apiID == 1008)
        await driver.say(["type": "drive_move", "x": 20])
        #expect(await driver.refusal().code == .outOfRange)
        #expect(bench.link.stops == 1)
        await driver.say(["type": "drive_renew"])
        #expect(await driver.drive(because: "renewed").holder == .you)
        await driver.say(["type": "drive_release"])
        _ = await driver.seatIsFree()
        _ = await other.seatIsFree()
    }

    @Test("the driver's page is closed while the robot moves: it is stopped at once")
    func pageCloses() async throws {
        let bench = RobotBench()
        let page = try await bench.connect()
        await page.say(["type": "drive_acquire"])
        await page.say(["type": "drive_move", "x": 0.2])
        #expect(bench.link.stops == 0)
        await page.disconnect()
        #expect(bench.link.stops == 1)
        #expect(bench.robot.status.drive.holder == nil)
    }

    @Test("anybody who may drive stops the robot, and the driver is told")
    func emergencyStop() async throws {
        let bench = RobotBench()
        let driver = try await bench.connect()
        let other = try await bench.connect()
        await driver.say(["type": "drive_acquire"])
        await driver.say(["type": "drive_move", "x": 0.2])
        await other.say(["type": "drive_stop"])
        #expect(bench.link.stops >= 1)
        let told = await driver.seatIsFree()
        #expect(told.reason == "emergency" && told.left == .zero)
    }

    @Test("a driver is told the reason of each stop, also of two alike")
    func stopsAlike() async throws {
        let bench = RobotBench()
        let driver = try await bench.connect()
        let other = try await bench.connect()
        for _ in 0..<3 {
            await driver.say(["type": "drive_acquire"])
            _ = await driver.drive(because: "acquired")
            await driver.say(["type": "drive_move", "x": 0.2])
            await other.say(["type": "drive_stop"])
            #expect(await driver.seatIsFree().reason == "emergency")
        }
    }

    @Test(
        "who may only watch or read is refused the rest, and stays connected",
        arguments: [
            ("robot_subscribe", RobotBench.watch, false), ("robot_subscribe", RobotBench.read, true),
            ("robot_request", RobotBench.read, false), ("robot_command", RobotBench.read, false),
            ("robot_publish", RobotBench.read, false), ("drive_acquire", RobotBench.read, false),
            ("drive_renew", RobotBench.read, false), ("drive_release", RobotBench.read, false),
            ("drive_move", RobotBench.read, false), ("drive_stop", RobotBench.read, false),
        ])
    func scopes(type: String, token: String, isAllowed: Bool) async throws {
        let bench = RobotBench()
        let page = try await bench.connect(token: token)
        await page.say([
            "type": .string(type), "topics": ["rt/x"], "topic": "rt/api/sport/request", "api_id": 1004, "data": 1,
            "command": "stand_up", "x": 0.1, "request_id": "r",
        ])
        if isAllowed {
            _ = await page.next { if case .robot(.subscribed) = $0 { true } else { nil } }
        } else {
            #expect(await page.refusal() == (.scope, "r"))
            #expect(bench.link.requests.isEmpty)
        }
        await page.say(["type": "ping"])
        #expect(await page.next { $0 == .pong ? true : nil })
    }

    @Test(
        "rubbish is complained of with an error code, and the connection stays",
        arguments: [
            "", "{", "null", "[]", "7", #"{"type":7}"#, #"{"type":"fly"}"#, #"{"type":"robot_"}"#,
            #"{"type":"drive_"}"#, #"{"type":"text","content":"hello","tutor_id":1}"#, #"{"type":"interrupt"}"#,
            #"{"type":"audio","data":"AAAA"}"#, #"{"type":"webrtc_offer"}"#, #"{"type":"robot_request"}"#,
            String(repeating: "[", count: 5000),
        ])
    func rubbish(text: String) async throws {
        let bench = RobotBench()
        let page = try await bench.connect()
        await page.say(text)
        #expect(await page.refusal().code == .invalid)
        #expect(page.closeCode == nil)
    }

    @Test("a connection has so many requests under way, and no more")
    func requestsUnderWay() async throws {
        let bench = RobotBench()
        bench.link.fallSilent()
        let page = try await bench.connect()
        for number in 0...RobotLimits.requestsUnderWay {
            await page.say(["type": "robot_command", "request_id": JSONValue(number), "command": "get_volume"])
        }
        let refused = await page.refusal()
        #expect(refused.code == .tooMany)
        #expect(refused.requestID == JSONValue(RobotLimits.requestsUnderWay))
        await bench.link.told { $0.requests.count == RobotLimits.requestsUnderWay }
        bench.link.emit(.lost(reason: "gone"))
        #expect(await page.refusal().code == .lost)
    }

    @Test("an offer is answered with the robot's stage, which nobody opens or closes")
    func offers() async throws {
        let bench = RobotBench()
        let page = try await bench.connect(token: nil)
        await page.say(["type": "webrtc_offer", "sdp": .string(offer()), "user_id": "1"])
        _ = await page.next { if case .answer = $0 { true } else { nil } }
        #expect(bench.bench.media.calls == ["add v1 to robot:dog"])
        await page.say(["type": "bye"])
        #expect(bench.bench.media.viewers.isEmpty)
        #expect(page.closeCode == 1000)
        let again = try await bench.connect(token: nil)
        await again.say(["type": "webrtc_offer", "sdp": .string(offer()), "user_id": "1"])
        _ = await again.next { if case .answer = $0 { true } else { nil } }
        #expect(!bench.bench.media.calls.contains { $0.hasPrefix("open") || $0.hasPrefix("close") })
    }

    @Test(
        "a viewer speaks through the robot where the configuration, its scope and its offer say so",
        arguments: [
            (true, RobotBench.drive, "sendrecv", true), (false, RobotBench.drive, "sendrecv", false),
            (true, RobotBench.read, "sendrecv", false), (true, RobotBench.drive, "recvonly", false),
        ])
    func voice(allowsTalk: Bool, token: String, direction: String, speaks: Bool) async throws {
        let bench = RobotBench { $0.allowsTalk = allowsTalk }
        let page = try await bench.connect(token: token)
        let sdp = offer() + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=\(direction)\r\n"
        await page.say(["type": "webrtc_offer", "sdp": .string(sdp), "user_id": "1"])
        _ = await page.next { if case .answer = $0 { true } else { nil } }
        #expect((bench.bench.media.viewers.values.first?.extras.microphone != nil) == speaks)
    }

    @Test("a standard player watches the robot's stage over WHEP, with the same tokens")
    func whep() async {
        let bench = RobotBench()
        let headers = { (token: String?) -> HTTPHeaders in
            var headers: HTTPHeaders = ["Content-Type": "application/sdp"]
            if let token { headers["Authorization"] = "Bearer \(token)" }
            return headers
        }
        let made = await bench.bench.respond(.post, "/whep/robot:dog", body: offer(), headers: headers(nil))
        #expect(made.status == 201)
        #expect(bench.bench.media.viewers.values.first?.stage == Audience.robot("dog").stage)
        let location = made.headers["Location"] ?? ""
        #expect(await bench.bench.respond(.delete, location, headers: headers(nil)).status == 200)
        #expect(await bench.bench.respond(.post, "/whep/robot:cat", body: offer(), headers: headers(nil)).status == 404)
        #expect(
            await bench.bench.respond(.post, "/whep/robot:dog", body: offer(), headers: headers("wrong")).status == 401)
        var hidden = RobotExposure()
        hidden.publicScope = nil
        let secret = RobotBench(exposure: hidden)
        #expect(
            await secret.bench.respond(.post, "/whep/robot:dog", body: offer(), headers: headers(nil)).status == 401)
        #expect(
            await secret.bench.respond(.post, "/whep/robot:dog", body: offer(), headers: headers(RobotBench.watch))
                .status == 201)
    }
}
