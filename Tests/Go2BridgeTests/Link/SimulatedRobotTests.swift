import Core
import TestSupport
import Testing

@testable import Go2Bridge

/// One fault of the simulated robot, and what the link has to say of it.
struct SimulatedFault: Sendable, CustomTestStringConvertible {
    var fault: String
    var phase: RobotPhase
    var code: String

    var testDescription: String { fault }

    static let all = [
        SimulatedFault(fault: "http.notify_429", phase: .signaling, code: "too_soon"),
        SimulatedFault(fault: "http.offer_reject", phase: .signaling, code: "busy"),
        SimulatedFault(fault: "http.offer_garbage", phase: .signaling, code: "malformed"),
        // Silent as well: a robot whose checks arrive is found without its naming an address.
        SimulatedFault(fault: "ice.no_candidates --fault ice.silent", phase: .ice, code: "no_candidates"),
        SimulatedFault(fault: "ice.unreachable", phase: .ice, code: "unreachable"),
        SimulatedFault(fault: "ice.silent", phase: .ice, code: "unreachable"),
        SimulatedFault(fault: "ice.wrong_credentials", phase: .ice, code: "one_way"),
        SimulatedFault(fault: "dtls.silent", phase: .dtls, code: "silent"),
        SimulatedFault(fault: "dtls.wrong_fingerprint", phase: .dtls, code: "fingerprint_mismatch"),
        SimulatedFault(fault: "sctp.silent", phase: .sctp, code: "init_unanswered"),
        SimulatedFault(fault: "sctp.abort", phase: .sctp, code: "aborted"),
        SimulatedFault(fault: "validation.no_challenge", phase: .validation, code: "no_challenge"),
        SimulatedFault(fault: "validation.never_ok", phase: .validation, code: "not_accepted"),
        SimulatedFault(fault: "validation.needed", phase: .validation, code: "not_accepted"),
    ]
}

/// The link against the simulated Go2, whose WebRTC is aiortc's.
@Suite(
    "Link to a simulated robot", .serialized, .enabled(if: SimulatedRobot.isInstalled), .timeLimit(.minutes(2)))
struct SimulatedRobotTests {
    @Test(
        "Every generation of firmware connects, shows its camera and answers requests",
        arguments: [["--data2", "1"], ["--data2", "2"], ["--data2", "3"], ["--plain"]])
    func generations(_ options: [String]) async throws {
        let robot = try await SimulatedRobot.start(options + ["--video-seconds", "2", "--decoy-candidate"])
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        bench.link.perform(.camera(isOn: true))
        bench.link.perform(
            .request(RobotRequest(id: 7, topic: "rt/api/sport/request", apiID: 1004, timeout: .seconds(20))))
        #expect(await bench.told.wait { $0.responses.contains { $0.id == 7 && $0.code == 0 } })
        #expect(await bench.told.wait { $0.report?.phases.last?.outcome == .succeeded })
        let phases = try #require(bench.told.current.report).phases
        let times = phases.map { "\($0.phase.rawValue) \($0.duration.map { "\(Int($0.milliseconds)) ms" } ?? "-")" }
        print("simulated robot \(options.joined(separator: " ")): \(times.joined(separator: ", "))")
        await bench.stop()
        await robot.stop()
    }

    @Test("The phase that fails is named, with its cause", arguments: SimulatedFault.all)
    func faults(_ fault: SimulatedFault) async throws {
        let robot = try await SimulatedRobot.start(
            ["--video", "none", "--fault"] + fault.fault.split(separator: " ").map(String.init))
        let bench = try LinkBench(robot.exchange) { configuration in
            configuration.maximumAttempts = 1
            switch fault.phase {
            case .ice: configuration.limits.ice = .seconds(2)
            case .dtls: configuration.limits.dtls = .seconds(2)
            case .sctp: configuration.limits.sctp = .seconds(3)
            case .validation: configuration.limits.validation = .seconds(2)
            case .discovery, .signaling, .media: break
            }
        }
        bench.start()
        #expect(await bench.told.wait { $0.report?.state == .waiting })
        let told = bench.told.current
        #expect(told.failedPhases == [fault.phase])
        #expect(told.failure(of: fault.phase)?.code == fault.code)
        print("simulated fault \(fault.fault): \(told.report?.failure?.reason ?? "nothing")")
        await bench.stop()
        await robot.stop()
    }

    @Test("A robot that names no address is found by its checks")
    func noCandidates() async throws {
        let robot = try await SimulatedRobot.start(["--video", "none", "--fault", "ice.no_candidates"])
        let bench = try LinkBench(robot.exchange)
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        await bench.stop()
        await robot.stop()
    }

    @Test("A goodbye frees the robot's only place at once")
    func goodbye() async throws {
        let robot = try await SimulatedRobot.start(["--video", "none"])
        for _ in 0..<3 {
            let bench = try LinkBench(robot.exchange) { $0.maximumAttempts = 1 }
            bench.start()
            #expect(await bench.told.wait { $0.readies == 1 || $0.report?.state == .waiting })
            #expect(bench.told.current.readies == 1)
            await bench.stop()
        }
        await robot.stop()
    }

    @Test("A robot that reboots is found again")
    func reboot() async throws {
        let robot = try await SimulatedRobot.start(["--video", "none"])
        let bench = try LinkBench(robot.exchange) { $0.consentTimeout = .seconds(4) }
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        try await robot.act(["action": "reboot", "seconds": 1])
        #expect(await bench.told.wait { $0.readies == 2 })
        #expect(bench.told.current.losses.count == 1)
        await bench.stop()
        await robot.stop()
    }
}
