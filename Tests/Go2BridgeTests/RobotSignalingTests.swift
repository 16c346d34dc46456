import Core
import Networking
import Synchronization
import Testing

@testable import Go2Bridge

/// The whole exchange with robots that do it right, in every generation.
struct RobotSignalingTests {
    static let offer = "v=0\r\no=- 7 2 IN IP4 127.0.0.1\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    static let ownKey = RobotKey(hexadecimal: "000102030405060708090a0b0c0d0e0f")
    static let otherKey = RobotKey(hexadecimal: "ffeeddccbbaa99887766554433221100")

    private func exchange(_ robot: ScriptedRobot, _ address: RobotAddress) async throws -> SignalingAnswer {
        let answer = try await RobotSignaling(client: HTTPClient()).exchange(offer: Self.offer, with: address)
        await robot.stop()
        return answer
    }

    @Test("the common key is the published one")
    func commonKey() {
        #expect(RobotKey.common.bytes.hexadecimal == "e85682bd16549b008e04a6682bb3ebe3")
    }

    @Test("an offer is answered in each generation of con_notify", arguments: 1...3)
    func notify(data2: Int) async throws {
        let key = try #require(Self.ownKey)
        let seal: RobotCipherSuite.Seal = [1: .none, 2: .key(.common), 3: .key(key)][data2] ?? .none
        let robot = try await ScriptedRobot(
            ScriptedRobot.wellBehaved(seal: seal, data2: .integer(Int64(data2))))
        let answer = try await exchange(robot, robot.address(key: key))
        #expect(answer.sdp == ScriptedRobot.answerSDP)
        #expect(answer.generation == .notify(data2: data2))
        #expect(answer.evidence.contains("con_notify says data2=\(data2)"))
        let requests = robot.requests
        try #require(requests.map(\.line) == ["POST /con_notify HTTP/1.1", "POST /con_ing_02468 HTTP/1.1"])
        #expect(requests.map(\.connection) == [1, 2])
        #expect(requests.allSatisfy { $0.fields.contains("connection: close") })
        #expect(requests.first?.fields.contains("content-length: 0") == true)
        #expect(requests.last?.fields.contains("content-type: application/x-www-form-urlencoded") == true)
        let (sessionKey, envelope) = try #require(RobotCipherSuite.open(requests[1].body))
        #expect(sessionKey.count == 32)
        #expect(sessionKey.allSatisfy { "0123456789abcdef".utf8.contains($0) })
        #expect(
            envelope
                == ["id": "STA_localNetwork", "sdp": .string(Self.offer), "type": "offer", "token": ""])
    }

    @Test("data2 may be text or missing, and a robot that says 3 may still use the common key")
    func oddNotices() async throws {
        let cases: [(RobotCipherSuite.Seal, JSONValue?, Int)] = [
            (.key(.common), "2", 2), (.none, nil, 1), (.none, .null, 1), (.key(.common), 3, 3),
        ]
        for (seal, data2, expected) in cases {
            let robot = try await ScriptedRobot(ScriptedRobot.wellBehaved(seal: seal, data2: data2))
            let answer = try await exchange(robot, robot.address())
            #expect(answer.generation == .notify(data2: expected))
        }
    }

    @Test("a robot of firmware 1.0 is found on its other port, and gets the envelope in clear")
    func plain() async throws {
        let robot = try await ScriptedRobot { _ in
            [.answer("{\"sdp\":\"v=0\\r\\ns=-\\r\\n\",\"type\":\"answer\"}"), .close]
        }
        let answer = try await exchange(robot, robot.address(isPlain: true))
        #expect(answer.generation == .plain)
        #expect(answer.sdp == "v=0\r\ns=-\r\n")
        let request = try #require(robot.requests.first)
        #expect(request.line == "POST /offer HTTP/1.1")
        #expect(request.fields.contains("content-type: application/json"))
        let envelope = try #require(JSONValue(parsing: Array(request.body.utf8)))
        #expect(envelope["sdp"]?.stringValue == Self.offer)
        #expect(envelope["token"] == "")
    }

    @Test("heads with bare line feeds, bodies that end with the connection, and wrapped base64 are understood")
    func tolerance() async throws {
        let robot = try await ScriptedRobot { request in
            if request.line.contains("con_notify") {
                var lines = RobotCipherSuite.notice(seal: .key(.common), data2: 2)
                lines.insert("\n", at: lines.index(lines.startIndex, offsetBy: 76))
                return [.send("HTTP/1.1 200 OK\nServer: x\n\n\(lines)\n"), .close]
            }
            guard let (key, _) = RobotCipherSuite.open(request.body) else { return [.close] }
            let answer: JSONValue = ["sdp": "v=0\n", "type": "answer"]
            return [.send("HTTP/1.0 200 OK\r\n\r\n" + RobotCipherSuite.answer(answer, sessionKey: key)), .close]
        }
        let answer = try await exchange(robot, robot.address())
        #expect(answer.sdp == "v=0\n")
    }

    @Test("no line of evidence holds a key, an SDP or the path's digits, and each is heard as it comes")
    func evidence() async throws {
        let key = try #require(Self.ownKey)
        let robot = try await ScriptedRobot(ScriptedRobot.wellBehaved(seal: .key(key), data2: 3))
        let heard = Mutex<[String]>([])
        let answer = try await RobotSignaling(client: HTTPClient()).exchange(
            offer: Self.offer, with: robot.address(key: key)
        ) { line in
            heard.withLock { $0.append(line) }
        }
        await robot.stop()
        #expect(heard.withLock { $0 } == answer.evidence)
        let text = answer.evidence.joined(separator: "\n")
        #expect(answer.evidence.count == 5)
        for secret in [key.bytes.hexadecimal, "v=0", "02468", RobotCipherSuite.publicKey] {
            #expect(!text.contains(secret))
        }
        #expect(!"\(key) \(String(reflecting: key))".contains("0001"))
    }

    @Test("cancelling the task calls the exchange off")
    func cancellation() async throws {
        let robot = try await ScriptedRobot { _ in [] }
        let address = robot.address()
        let task = Task { () -> String in
            do throws(PhaseFailure) {
                return try await RobotSignaling(client: HTTPClient()).exchange(offer: Self.offer, with: address).sdp
            } catch {
                return error.code
            }
        }
        await robot.firstRequest()
        task.cancel()
        #expect(await task.value == "cancelled")
        await robot.stop()
    }
}
