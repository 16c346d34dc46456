import Core
import PeerConnection
import PeerSupport
import TestSupport
import Testing

@testable import Go2Bridge

/// A robot that fails in one phase: the phase and the cause that are named.
struct LinkFault: Sendable, CustomTestStringConvertible {
    var name: String
    var phase: RobotPhase
    var code: String
    var behave: @Sendable (inout FakeRobot.Behaviour) -> Void

    var testDescription: String { name }

    private static func isRecord(_ bytes: [UInt8]) -> Bool { bytes.first.map { (20...63).contains($0) } ?? false }

    private static func naming(_ candidate: String?) -> @Sendable (String) -> String {
        { answer in
            answer.split(separator: "\r\n", omittingEmptySubsequences: false).compactMap { line in
                guard line.hasPrefix("a=candidate:") else { return String(line) }
                return candidate.map { "a=candidate:0 1 udp 2130706431 \($0) typ host" }
            }.joined(separator: "\r\n")
        }
    }

    private static func editing(
        _ prefix: String, _ change: @escaping @Sendable (String) -> String
    ) -> @Sendable (String) -> String {
        { sdp in
            sdp.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
                line.hasPrefix(prefix) ? prefix + change(String(line.dropFirst(prefix.count))) : String(line)
            }.joined(separator: "\r\n")
        }
    }

    static let all: [LinkFault] = [
        LinkFault(name: "an answer that is no description", phase: .signaling, code: "malformed_answer") {
            $0.changesAnswer = { _ in "v=0\r\nrubbish" }
        },
        LinkFault(name: "an answer without a data channel", phase: .signaling, code: "channel_refused") {
            $0.hasChannel = false
        },
        LinkFault(name: "no candidates", phase: .ice, code: "no_candidates") {
            $0.changesAnswer = naming(nil)
            $0.loses = { _, _ in true }
        },
        LinkFault(name: "a candidate in another network", phase: .ice, code: "unusable_candidates") {
            $0.changesAnswer = naming("169.254.11.12 4711")
            $0.loses = { _, _ in true }
        },
        LinkFault(name: "a candidate where nobody listens", phase: .ice, code: "unreachable") {
            $0.changesAnswer = naming("127.0.0.99 9")
            $0.loses = { _, _ in true }
        },
        LinkFault(name: "an answer with other credentials than the robot's", phase: .ice, code: "one_way") {
            $0.changesAnswer = editing("a=ice-pwd:") { String($0.reversed()) }
        },
        LinkFault(name: "checks with other credentials than our offer's", phase: .ice, code: "wrong_credentials") {
            $0.changesOffer = editing("a=ice-pwd:") { String($0.reversed()) }
            // Nor are ours answered: success responses begin with 01 01.
            $0.loses = { direction, bytes in direction == .outgoing && bytes.prefix(2) == [1, 1] }
        },
        LinkFault(
            name: "a robot that believes in other credentials of ours", phase: .dtls, code: "wrong_credentials"
        ) {
            $0.changesOffer = editing("a=ice-pwd:") { String($0.reversed()) }
        },
        LinkFault(name: "no ClientHello", phase: .dtls, code: "silent") {
            $0.loses = { direction, bytes in direction == .outgoing && isRecord(bytes) }
        },
        LinkFault(name: "a handshake that the robot does not hear", phase: .dtls, code: "handshake_timeout") {
            $0.loses = { direction, bytes in direction == .incoming && isRecord(bytes) }
        },
        LinkFault(name: "another certificate than promised", phase: .dtls, code: "fingerprint_mismatch") {
            $0.changesAnswer = editing("a=fingerprint:sha-256 ") {
                String($0.dropLast(2)) + ($0.hasSuffix("00") ? "01" : "00")
            }
        },
        LinkFault(name: "SCTP that is not answered", phase: .sctp, code: "init_unanswered") {
            $0.loses = { _, bytes in bytes.first == 23 }
        },
        LinkFault(name: "a goodbye before the channel is up", phase: .sctp, code: "closed_by_robot") {
            $0.leavesWhenConnected = true
            $0.loses = { _, bytes in bytes.first == 23 }
        },
        LinkFault(name: "no challenge", phase: .validation, code: "no_challenge") { $0.validation = .silent },
        LinkFault(name: "an answer that is never accepted", phase: .validation, code: "not_accepted") {
            $0.validation = .deaf
        },
        LinkFault(name: "an answer that is always refused", phase: .validation, code: "not_accepted") {
            $0.validation = .insisting
        },
    ]
}

@Suite("Faults of a robot's connection", .timeLimit(.minutes(5)))
struct LinkFaultTests {
    @Test("The phase that fails is named, with its cause and a remedy", arguments: LinkFault.all)
    func fault(_ fault: LinkFault) async throws {
        var behaviour = FakeRobot.Behaviour()
        fault.behave(&behaviour)
        let robot = try FakeRobot(behaviour)
        let bench = try LinkBench(robot.exchange) { configuration in
            configuration.maximumAttempts = 1
            switch fault.phase {
            case .ice: configuration.limits.ice = .seconds(1)
            // A certificate ends the phase by itself, however long it takes.
            case .dtls: configuration.limits.dtls = fault.code == "fingerprint_mismatch" ? .seconds(120) : .seconds(2)
            // So does a goodbye.
            case .sctp: configuration.limits.sctp = fault.code == "closed_by_robot" ? .seconds(120) : .seconds(2)
            case .validation: configuration.limits.validation = .seconds(1)
            case .discovery, .signaling, .media: break
            }
        }
        bench.start()
        #expect(await bench.told.wait { $0.report?.state == .waiting })
        let told = bench.told.current
        #expect(told.failedPhases == [fault.phase])
        let failure = try #require(told.failure(of: fault.phase))
        #expect(failure.code == fault.code)
        #expect(!failure.reason.isEmpty && !failure.causes.isEmpty && !failure.remedy.isEmpty)
        #expect(told.report?.failure == failure)
        // What comes before the failing phase went well.
        for phase in told.report?.phases ?? [] {
            if phase.phase == fault.phase { break }
            #expect(phase.outcome == .succeeded || phase.phase == .discovery)
        }
        await bench.stop()
        await robot.stop()
    }

    @Test(
        "A camera without pictures fails the phase media, and the robot stays connected",
        arguments: [(FakeRobot.Camera.nothing, "no_packets"), (.garbage, "no_picture")])
    func camera(_ camera: FakeRobot.Camera, _ code: String) async throws {
        var behaviour = FakeRobot.Behaviour()
        behaviour.camera = camera
        let robot = try FakeRobot(behaviour)
        let bench = try LinkBench(robot.exchange) { $0.limits.media = .seconds(1) }
        bench.start()
        #expect(await bench.told.wait { $0.readies == 1 })
        bench.link.perform(.camera(isOn: true))
        #expect(await bench.told.wait { $0.failure(of: .media) != nil })
        #expect(bench.told.current.failure(of: .media)?.code == code)
        #expect(bench.told.current.report?.state == .connected)
        await bench.stop()
        await robot.stop()
    }
}
