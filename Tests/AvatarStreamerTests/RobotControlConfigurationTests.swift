import Testing

@testable import AvatarStreamer

@Suite("The robot control service in the configuration")
struct RobotControlConfigurationTests {
    private func problems(_ text: String, former: String? = nil) -> [String] {
        do throws(InvalidConfiguration) {
            _ = try ConfigurationReader.read(
                Array(text.utf8), file: "x.yaml", environment: [:],
                former: former.map { (Array($0.utf8), "old.yaml") })
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("It is off, and what it listens on is this machine's own")
    func defaults() {
        #expect(!Configuration().robotControl.enabled)
        #expect(Configuration().robotControl.host == "127.0.0.1")
        #expect(Configuration().robotControl.corsOrigins.isEmpty)
    }

    @Test("An address that others reach needs a token")
    func openAddress() {
        let open = "robot_control: {enabled: true, host: 0.0.0.0}"
        #expect(problems(open).count == 1)
        #expect(problems(open).first?.contains("robot_control.token") == true)
        #expect(problems("robot_control: {enabled: true, host: 0.0.0.0, token_env: TOKEN}").isEmpty)
        #expect(problems("robot_control: {host: 0.0.0.0}").isEmpty, "what is off needs nothing")
        #expect(problems("robot_control: {enabled: true, host: 127.0.0.1}").isEmpty)
        #expect(problems("robot_control: {enabled: true, host: \"::1\"}").isEmpty)
    }

    @Test("Settings that contradict each other are told")
    func contradictions() {
        #expect(problems("robot_control: {enabled: true, port: 9000}").count == 1)
        #expect(problems("robot_control: {enabled: true, robot: dog}").count == 1)
        #expect(problems("robot_control: {token_env: A, token_file: b}").count == 1)
        #expect(problems("robot_control: {viewer_token_env: A}").count == 1)
        #expect(problems("robot_control: {command_endpoint: \"tcp://0.0.0.0:1\"}").count == 1)
        #expect(
            problems("robot_control: {enabled: true, command_endpoint: \"ipc:///a\", push_endpoint: \"ipc:///a\"}")
                .count
                == 1)
    }

    @Test("The former service's file is taken over, whatever its sections are called, and ours wins")
    func former() throws {
        let old = """
            server:
              host: 127.0.0.1
              port: 8000
              max_message_size: 104857600
            storage: {storage_dir: ./storage/projects}
            executor: {max_execution_time: 120}
            zmq:
              cmd_socket: ipc:///tmp/robot-control-cmd.ipc
              callback_socket: ipc:///tmp/robot-control-callback.ipc
            logging: {level: DEBUG}
            """
        let configuration = try ConfigurationReader.read(
            Array("robot_control: {port: 8100}".utf8), file: "x.yaml", environment: [:],
            former: (Array(old.utf8), "old.yaml"))
        let control = configuration.robotControl
        #expect(control.enabled)
        #expect(control.port == 8100)
        #expect(control.maximumMessageBytes == 104_857_600)
        #expect(control.storageDirectory == "./storage")
        #expect(control.maximumExecutionSeconds == 120)
        #expect(control.commandEndpoint == "ipc:///tmp/robot-control-cmd.ipc")
        #expect(control.pushEndpoint == "ipc:///tmp/robot-control-callback.ipc")
        #expect(configuration.logging.level == .debug)
    }

    @Test("What is not understood of the former file is told with its line, and stops the start")
    func formerFaults() {
        #expect(problems("", former: "server:\n  colour: red").first?.contains("old.yaml:2") == true)
        #expect(problems("", former: "port: 70000").first?.contains("old.yaml:1") == true)
        #expect(problems("", former: "host: 0.0.0.0").first?.contains("robot_control.token") == true)
    }

    @Test("LOG_LEVEL is understood in capitals")
    func logLevel() throws {
        let configuration = try ConfigurationReader.read(nil, file: "", environment: ["LOG_LEVEL": "DEBUG"])
        #expect(configuration.logging.level == .debug)
    }
}
