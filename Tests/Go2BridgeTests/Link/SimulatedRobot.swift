import Core
import Foundation
import Networking
import TestSupport

@testable import Go2Bridge

/// The simulated Go2 of `Tests/Go2Simulator` on 127.0.0.1 with free ports: software that we did not write speaks its WebRTC.
final class SimulatedRobot: Sendable {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    private static var python: URL { root.appending(path: ".venv/bin/python") }

    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: python.path) }

    let address: RobotAddress
    private let control: UInt16
    private let process: ChildProcess

    private init(_ process: ChildProcess, notifyPort: UInt16, offerPort: UInt16, control: UInt16, key: RobotKey?) {
        self.process = process
        self.control = control
        var address = RobotAddress(.loopbackV4, key: key)
        address.notifyPort = notifyPort
        address.offerPort = offerPort
        self.address = address
    }

    deinit {
        process.kill()
    }

    /// Returns once it listens.
    static func start(_ options: [String]) async throws -> SimulatedRobot {
        let lines = Watched<[String]>([])
        let process = try ChildProcess(
            command: [
                python.path, "-m", "go2_simulator", "--address", "127.0.0.1", "--port", "0", "--plain-port", "0",
            ] + options,
            environment: ["PYTHONPATH": root.appending(path: "Tests/Go2Simulator").path]
        ) { event in
            switch event {
            case .line(let line, isError: false): lines.update { $0.append(line) }
            case .line, .message, .linesLeftOut: break
            case .ended(let ending): lines.update { $0.append("ended: \(ending)") }
            }
        }
        guard await lines.wait(until: { !$0.isEmpty }), let line = lines.current.first,
            let ready = JSONValue(parsing: Array(line.utf8)), let control = port(ready["control"])
        else {
            process.kill()
            throw SimulatorError(said: lines.current.joined(separator: "\n"))
        }
        return SimulatedRobot(
            process, notifyPort: port(ready["ports"]?["notify"]) ?? 9, offerPort: port(ready["ports"]?["plain"]) ?? 9,
            control: control, key: (ready["aes_key"]?.stringValue).flatMap { RobotKey(hexadecimal: $0) })
    }

    private static func port(_ value: JSONValue?) -> UInt16? {
        value?.integerValue.flatMap { UInt16(exactly: $0) }
    }

    var exchange: RobotExchange { RobotExchange(signaling: RobotSignaling(), address: address) }

    /// Asks it to do something by its control port.
    func act(_ action: JSONValue) async throws {
        let request = HTTPClientRequest(
            .post, "http://127.0.0.1:\(control)/actions", body: Array(action.text.utf8), isRepeatable: false)
        let response = try await HTTPClient.shared.send(request)
        guard response.status == 200 else { throw SimulatorError(said: String(decoding: response.body, as: UTF8.self)) }
    }

    func stop() async {
        process.kill()
    }
}

struct SimulatorError: Error {
    var said: String
}
