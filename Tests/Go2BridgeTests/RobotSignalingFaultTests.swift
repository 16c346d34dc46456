import Core
import Networking
import Testing

@testable import Go2Bridge

/// Every fault of a robot's signaling is named for what it is.
struct RobotSignalingFaultTests {
    /// Short, so that the tests of silence end; a well-behaved robot needs a fraction of it.
    private static let quick: RobotSignalingLimits = {
        var limits = RobotSignalingLimits()
        limits.requestTimeout = .milliseconds(300)
        limits.maximumAnswerBytes = 64 << 10
        return limits
    }()

    private func failure(
        key: RobotKey? = nil, isPlain: Bool = false, limits: RobotSignalingLimits = RobotSignalingLimits(),
        _ script: @escaping ScriptedRobot.Script
    ) async throws -> PhaseFailure? {
        let robot = try await ScriptedRobot(script)
        let failure = await failure(robot.address(key: key, isPlain: isPlain), limits)
        await robot.stop()
        return failure
    }

    private func failure(_ address: RobotAddress, _ limits: RobotSignalingLimits) async -> PhaseFailure? {
        do throws(PhaseFailure) {
            _ = try await RobotSignaling(client: HTTPClient(), limits: limits)
                .exchange(offer: RobotSignalingTests.offer, with: address)
            return nil
        } catch {
            return error
        }
    }

    @Test("closed ports are refused connections, with the addresses robots have")
    func refused() async {
        var address = RobotAddress(.loopbackV4)
        (address.notifyPort, address.offerPort) = (1, 2)
        let failure = await failure(address, RobotSignalingLimits())
        #expect(failure?.code == "refused")
        #expect(failure?.reason.contains("ports 1 and 2") == true)
        #expect(failure?.remedy.contains("192.168.123.161") == true)
        #expect(failure?.causes.isEmpty == false)
    }

    @Test("an address that no route leads to is unreachable")
    func unreachable() async {
        // A multicast address takes no TCP connection, and nothing is sent.
        let failure = await failure(RobotAddress(.v4(0xE000_0001)), RobotSignalingLimits())
        #expect(failure?.code == "unreachable")
    }

    @Test("silence on either port means a timeout, whatever the other says")
    func silence() {
        let robot = RobotAddress(.loopbackV4)
        for pair in [(RobotSignalingFailure.Unconnected.timedOut, .refused), (.refused, .timedOut)]
            as [(RobotSignalingFailure.Unconnected, RobotSignalingFailure.Unconnected)]
        {
            let failure = RobotSignalingFailure.unconnected(
                pair.0, pair.1, robot: robot, limits: RobotSignalingLimits())
            #expect(failure.code == "timeout")
        }
    }

    @Test("a robot that takes the request and says nothing, or a byte at a time, is given up after the limit")
    func hanging() async throws {
        #expect(try await failure(limits: Self.quick) { _ in [] }?.code == "timeout")
        let dripping = try await failure(limits: Self.quick) { _ in
            [.send("HTTP/1.1 200 OK\r\n\r\n"), .drip(every: .milliseconds(20))]
        }
        #expect(dripping?.code == "timeout")
    }

    @Test("a connection that is closed with 0 bytes, or amid the answer, is no answer", arguments: [false, true])
    func closed(isPlain: Bool) async throws {
        #expect(try await failure(isPlain: isPlain) { _ in [.close] }?.code == "no_answer")
        let cut = try await failure(isPlain: isPlain) { _ in
            [.send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nabc"), .close]
        }
        #expect(cut?.code == "no_answer")
        #expect(try await failure(isPlain: isPlain) { _ in [.answer(""), .close] }?.code == "no_answer")
        #expect(
            try await failure(isPlain: isPlain) { _ in [.answer("502 Bad Gateway", "x"), .close] }?.code == "no_answer")
    }

    @Test("the offer's request that is closed with 0 bytes says that the robot could not read it")
    func closedOffer() async throws {
        let failure = try await failure { request in
            request.line.contains("con_notify")
                ? [.answer(RobotCipherSuite.notice(seal: .none, data2: 1)), .close] : [.close]
        }
        #expect(failure?.code == "no_answer")
        #expect(failure?.reason.contains("con_ing") == true)
    }

    @Test("status 429 is too soon, from either request", arguments: ["con_notify", "con_ing"])
    func tooSoon(place: String) async throws {
        let failure = try await failure { request in
            request.line.contains(place)
                ? [.answer("429 Too Many Requests", "slow down"), .close]
                : [.answer(RobotCipherSuite.notice(seal: .none, data2: 1)), .close]
        }
        #expect(failure?.code == "too_soon")
        #expect(failure?.reason.contains(place) == true)
    }

    @Test("reject means that another client holds the robot", arguments: [false, true])
    func busy(isPlain: Bool) async throws {
        let reply: JSONValue = ["sdp": "reject", "type": "answer"]
        let notifying = ScriptedRobot.wellBehaved(seal: .key(.common), data2: 2, reply: reply)
        let plain: ScriptedRobot.Script = { _ in [.answer(reply.text), .close] }
        let script = isPlain ? plain : notifying
        let failure = try await failure(isPlain: isPlain, script)
        #expect(failure == RobotSignalingFailure.busy)
        #expect(failure?.remedy.contains("phone app") == true)
    }

    @Test("a robot with its own key asks for it, and refuses another's")
    func keys() async throws {
        let own = try #require(RobotSignalingTests.ownKey)
        let script = ScriptedRobot.wellBehaved(seal: .key(own), data2: 3)
        let missing = try await failure(script)
        #expect(missing?.code == "key_required")
        #expect(missing?.remedy.contains("aes_key_file") == true)
        let wrong = try await failure(key: RobotSignalingTests.otherKey, script)
        #expect(wrong?.code == "key_rejected")
        let unknown = try await failure(ScriptedRobot.wellBehaved(seal: .key(own), data2: 2))
        #expect(unknown?.code == "key_rejected")
    }

    @Test("what is no robot is called so: another protocol, a web page, a flood")
    func notARobot() async throws {
        #expect(try await failure { _ in [.send("SSH-2.0-OpenSSH_9.2\r\n"), .close] }?.code == "not_a_robot")
        #expect(try await failure { _ in [.answer("<html>hello</html>"), .close] }?.code == "not_a_robot")
        #expect(try await failure { _ in [.answer("404 Not Found", "no"), .close] }?.code == "not_a_robot")
        #expect(try await failure { _ in [.answer("{\"hello\":1}"), .close] }?.code == "not_a_robot")
        let flood = try await failure(limits: Self.quick) { _ in [.send("HTTP/1.1 200 OK\r\n\r\n"), .flood(1 << 20)] }
        #expect(flood?.code == "not_a_robot")
    }

    @Test("an answer of a robot that is not understood is malformed")
    func malformed() async throws {
        let notices = [
            RobotCipherSuite.notice(seal: .none, data2: 4),
            Base64.encode(Array("{\"data1\":\"AAAA\",\"data2\":2}".utf8)),
            RobotCipherSuite.notice(seal: .none, data2: 1, publicKey: ""),
            RobotCipherSuite.notice(seal: .none, data2: 1, publicKey: "!!!!"),
            RobotCipherSuite.notice(seal: .none, data2: 1, publicKey: "AAAAAAAA"),
        ]
        for notice in notices {
            #expect(try await failure { _ in [.answer(notice), .close] }?.code == "malformed")
        }
        // Sealed under another session key than ours, JSON without an SDP, and an SDP that is none.
        let replies: [@Sendable ([UInt8]) -> String] = [
            { _ in RobotCipherSuite.answer(["sdp": "v=0"], sessionKey: [UInt8](repeating: 7, count: 32)) },
            { RobotCipherSuite.answer(["type": "answer"], sessionKey: $0) },
            { RobotCipherSuite.answer(["sdp": "", "type": "answer"], sessionKey: $0) },
            { RobotCipherSuite.answer(["sdp": "hello", "type": "answer"], sessionKey: $0) },
            { _ in "%%%%" },
        ]
        for reply in replies {
            let failure = try await failure { request in
                guard request.line.contains("con_ing"), let (key, _) = RobotCipherSuite.open(request.body) else {
                    return [.answer(RobotCipherSuite.notice(seal: .none, data2: 1)), .close]
                }
                return [.answer(reply(key)), .close]
            }
            #expect(failure?.code == "malformed")
        }
    }

    @Test("each failure says why, what may be behind it, and what to do")
    func words() {
        let limits = RobotSignalingLimits()
        let robot = RobotAddress(.loopbackV4)
        let failures = [
            RobotSignalingFailure.busy, RobotSignalingFailure.malformed("x"),
            RobotSignalingFailure.unconnected(.refused, .refused, robot: robot, limits: limits),
            RobotSignalingFailure.unconnected(.unreachable, .refused, robot: robot, limits: limits),
            RobotSignalingFailure.notice(.wrongKey, data2: 3, hasKey: false),
        ]
        for failure in failures {
            #expect(!failure.reason.isEmpty)
            #expect(!failure.causes.isEmpty)
            #expect(!failure.remedy.isEmpty)
        }
        #expect(Set(failures.map(\.code)).count == failures.count)
    }
}
