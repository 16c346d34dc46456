import Core
import PeerConnection
import TestSupport
import Testing

@testable import Go2Bridge

@Suite("WebRTC link", .timeLimit(.minutes(5)))
struct WebRTCLinkTests {
    @Test("A robot is connected, let in, and shows its camera; every phase has evidence and a time")
    func connects() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        bench.link.perform(.camera(isOn: true))
        #expect(
            await bench.told.wait { told in
                told.report?.phases.last?.outcome == .succeeded && told.pictures > 3
            })
        let report = try #require(bench.told.current.report)
        #expect(report.state == .connected)
        #expect(report.channelState == "open")
        #expect(report.connectionState == "connected")
        #expect(report.gatheringState == "complete")
        for phase in report.phases where phase.phase != .discovery {
            #expect(phase.outcome == .succeeded)
            #expect(phase.duration != nil)
            #expect(!phase.evidence.isEmpty, "\(phase.phase) has no evidence")
        }
        let text = bench.metrics.prometheusText()
        #expect(text.contains("avatar_robot_connect_attempts_total{robot=\"rex\"} 1"))
        #expect(text.contains("avatar_robot_connect_seconds_count{robot=\"rex\"} 1"))
        await bench.stop()
        await robot.stop()
    }

    @Test("Stopping says goodbye at once, so that the robot's place is free")
    func stops() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        let began = SystemClock.now()
        await bench.link.stop()
        // 120 ms on a machine that has time; a goodbye that nobody says would cost the consent's ten seconds.
        #expect(SystemClock.now() - began < .seconds(8))
        #expect(await robot.seen.wait { $0.goodbyes == 1 })
        #expect(bench.told.current.report?.state == .stopped)
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot that says goodbye is called again")
    func robotRestarts() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        await robot.restart()
        #expect(await bench.told.wait { $0.readies == 2 })
        #expect(bench.told.current.losses == ["the robot ended the connection"])
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot that vanishes is lost by its silence, and found again")
    func robotVanishes() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange) { $0.consentTimeout = .seconds(1) }
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        robot.vanish()
        #expect(await bench.told.wait { $0.losses.count == 1 })
        #expect(await bench.told.wait { $0.readies == 2 })
        #expect(bench.told.current.losses == ["the robot no longer answers"])
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot whose services hang is lost by the silence of its data channel")
    func dataChannelSilent() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange) {
            $0.session.heartbeatInterval = .milliseconds(600)
            $0.silenceLimit = .seconds(2)
        }
        bench.start()
        // The third was sent after two answers.
        #expect(await robot.seen.wait { $0.messages.count { $0 == "heartbeat" } >= 3 })
        // From now on everything arrives, and nothing of the data channel leaves; ICE goes on.
        robot.fallSilent()
        #expect(await bench.told.wait { $0.losses.count == 1 })
        #expect(bench.told.current.losses.first?.hasPrefix("nothing came on the data channel for") == true)
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot that asks for validation again and never accepts it is lost with a goodbye, and called again")
    func validationLost() async throws {
        var behaviour = FakeRobot.Behaviour()
        behaviour.validation = .forgetful
        let robot = try FakeRobot(behaviour)
        let bench = try LinkBench(robot.exchange) {
            $0.session.heartbeatInterval = .milliseconds(100)
            $0.session.revalidationTime = .milliseconds(500)
        }
        bench.start()
        #expect(await bench.told.wait { $0.readies >= 1 })
        robot.behave { $0.validation = .normal }
        // Meanwhile the report says what is going on. It may be over already, and more than once, where this test was held up.
        #expect(await bench.told.wait { $0.reports.contains(where: \.isRevalidating) })
        #expect(bench.told.current.reports.contains { $0.failure?.code == "validation_needed" })
        #expect(await bench.told.wait { !$0.losses.isEmpty })
        #expect(bench.told.current.losses.first?.hasPrefix("the robot asked for validation again") == true)
        #expect(await bench.told.wait { $0.reports.contains { $0.failure?.code == "validation_lost" } })
        #expect(await robot.seen.wait { $0.goodbyes >= 1 })
        #expect(
            await bench.told.wait { $0.readies >= 2 && $0.report?.state == .connected && $0.report?.failure == nil })
        await bench.stop()
        await robot.stop()
    }

    @Test("What a full channel does not take waits, a stop before all else, and nothing is lost")
    func fullChannel() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange) { $0.maximumBufferedBytes = 100_000 }
        // The robot is deaf for as long as the link takes to get there, however late this test's task is.
        bench.start { event in if case .requestFailed = event { robot.goDeaf(false) } }
        #expect(await bench.told.wait { $0.readies == 1 })
        robot.goDeaf(true)
        let text = JSONValue.string(String(repeating: "x", count: 60_000))
        for _ in 0..<30 { bench.link.perform(.publish(topic: "rt/x", data: text)) }
        bench.link.perform(.subscribe(topic: RobotTopic.lowState))
        bench.link.perform(.request(RobotRequest(id: 1, topic: RobotTopic.sport, apiID: 1008)))
        bench.link.perform(
            .request(RobotRequest(id: 2, topic: RobotTopic.sport, apiID: 1003, timeout: .seconds(30))))
        // The robot says something else meanwhile, which shows that all of that was performed.
        bench.link.perform(.request(RobotRequest(id: 3, topic: "no topic", apiID: 1)))
        #expect(await bench.told.wait { $0.failedRequests.count == 1 })
        #expect(await robot.seen.wait { $0.messages.contains("subscribe") })
        let messages = robot.seen.current.messages.filter { $0 != "heartbeat" }
        // The velocity was taken back.
        #expect(messages.filter { $0 == "msg" }.count == 30)
        #expect(messages.filter { $0 == "req" }.count == 1)
        let stop = try #require(messages.firstIndex(of: "req"))
        #expect(messages[stop...].contains("msg"), "the stop waited behind everything else")
        #expect(bench.metrics.prometheusText().contains("avatar_robot_messages_unsent_total{robot=\"rex\"} 0"))
        await bench.stop()
        await robot.stop()
    }

    @Test("What is refused is counted by its reason")
    func refusedMessages() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        robot.say("rubbish")
        robot.say(#"{"type":"validation","data":5}"#)
        robot.say(#"{"type":"errors","data":[[1,300,16]]}"#)
        #expect(await bench.told.wait { $0.faults.last?.count == 1 })
        let text = bench.metrics.prometheusText()
        for (reason, count) in [("malformed", 1), ("incomplete", 1), ("too_large", 0)] {
            let line = "avatar_robot_messages_refused_total{robot=\"rex\",reason=\"\(reason)\"} \(count)"
            #expect(text.contains(line), "\(reason)")
        }
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot that answers no heartbeat and has nothing to tell is not lost")
    func silentByNature() async throws {
        var behaviour = FakeRobot.Behaviour()
        behaviour.answersHeartbeats = false
        let robot = try FakeRobot(behaviour)
        let bench = try LinkBench(robot.exchange) {
            $0.session.heartbeatInterval = .milliseconds(500)
            $0.silenceLimit = .seconds(1)
        }
        bench.start()
        #expect(await robot.seen.wait { $0.messages.count { $0 == "heartbeat" } >= 6 })
        #expect(bench.told.current.losses.isEmpty)
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot that is busy, or was called too soon, is called again")
    func refusals() async throws {
        var behaviour = FakeRobot.Behaviour()
        for code in ["busy", "too_soon", "timeout"] {
            behaviour.refusals.append(PhaseFailure(code: code, reason: code, causes: [], remedy: "wait"))
        }
        let robot = try FakeRobot(behaviour)
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        #expect(bench.told.current.report?.attempt == 4)
        #expect(robot.seen.current.offers == 4)
        let codes = Set(bench.told.current.reports.compactMap { $0.failure?.code })
        #expect(codes == ["busy", "too_soon", "timeout"])
        await bench.stop()
        await robot.stop()
    }

    @Test("A request without a robot fails at once")
    func noRobot() async throws {
        var behaviour = FakeRobot.Behaviour()
        behaviour.refusals = [PhaseFailure(code: "refused", reason: "refused", causes: [], remedy: "")]
        let robot = try FakeRobot(behaviour)
        let bench = try LinkBench(robot.exchange) { $0.maximumAttempts = 1 }
        bench.start()
        #expect(await bench.told.wait { $0.report?.state == .waiting })
        bench.link.perform(.request(RobotRequest(id: 1, topic: "rt/api/sport/request", apiID: 1004)))
        #expect(await bench.told.wait { $0.failedRequests == [.notConnected] })
        #expect(bench.told.current.report?.retryIn == nil)
        await bench.stop()
        await robot.stop()
    }

    @Test("A talker's sound reaches the robot")
    func talk() async throws {
        let robot = try FakeRobot()
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        for number in UInt16(0)..<5 {
            bench.link.perform(
                .sound(
                    ReceivedPacket(
                        kind: .audio, payloadType: 111, ssrc: SSRC(5), sequenceNumber: number,
                        timestamp: UInt32(number) * 960, marker: false, isRetransmitted: false, payload: [1, 2, 3])))
        }
        #expect(await robot.seen.wait { $0.sounds == 5 })
        await bench.stop()
        await robot.stop()
    }

    @Test("The watch speaks while an attempt still runs, and the report shows it")
    func watch() async throws {
        var behaviour = FakeRobot.Behaviour()
        behaviour.loses = { _, bytes in bytes.first == 23 }
        let robot = try FakeRobot(behaviour)
        // However slow the machine is, the attempt comes to its phase `sctp` and stays there, and the watch speaks again until then.
        let bench = try LinkBench(robot.exchange) {
            $0.limits.watch = .seconds(2)
            ($0.limits.signaling, $0.limits.ice) = (.seconds(600), .seconds(600))
            ($0.limits.dtls, $0.limits.sctp) = (.seconds(600), .seconds(600))
        }
        bench.start()
        let isStuck: @Sendable (ConnectionReport) -> Bool = { report in
            let reason = report.failure?.reason ?? ""
            return reason.hasPrefix("not connected after ") && reason.contains(" s (attempt 1), stuck in phase sctp: ")
        }
        #expect(await bench.told.wait { $0.reports.contains(where: isStuck) })
        let report = try #require(bench.told.current.reports.first(where: isStuck))
        #expect(report.state == .connecting)
        #expect(report.channelState == "closed" && report.connectionState == "connected")
        await bench.stop()
        await robot.stop()
    }
}
