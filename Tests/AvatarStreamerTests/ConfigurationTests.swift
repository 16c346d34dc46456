import Testing

@testable import AvatarStreamer

@Suite("Configuration")
struct ConfigurationTests {
    private func read(_ text: String, _ environment: [String: String] = [:]) throws(InvalidConfiguration)
        -> Configuration
    {
        try ConfigurationReader.read(Array(text.utf8), file: "x.yaml", environment: environment)
    }

    private func problems(_ text: String, _ environment: [String: String] = [:]) -> [ConfigurationProblem] {
        do throws(InvalidConfiguration) {
            _ = try read(text, environment)
            return []
        } catch {
            return error.problems
        }
    }

    @Test("Without a file the embedded defaults hold")
    func defaults() throws {
        #expect(try ConfigurationReader.read(nil, file: "", environment: [:]) == Configuration())
        #expect(try read("") == Configuration())
    }

    @Test("Each key of the table changes its own value and no other")
    func everyKeyIsStored() {
        let candidates = [
            "false", "true", "1234", "66", "7", "some-name", "ws://x", "turn:h:1", "stun:h:1", "127.0.0.9", "debug",
            "json",
            "direct", "external", "64000", "sixteen-bytes-and-more", "http://h/v1", "openai", "1.5",
            "take_over", "concurrent", "VARIABLE", "ipc:///x", "1100000",
        ]
        for setting in Configuration.settings {
            let before = setting.text(Configuration())
            let values = candidates.map { SettingValue.scalar($0) } + [.list(["https://a.example"]), .list(["/srv"])]
            let changed = values.lazy.compactMap { value -> Configuration? in
                var configuration = Configuration()
                let isStored = setting.store(value, &configuration)
                return isStored && setting.text(configuration) != before ? configuration : nil
            }.first
            guard let changed else {
                Issue.record("no candidate changes \(setting.key)")
                continue
            }
            for other in Configuration.settings where other.key != setting.key {
                #expect(other.text(changed) == other.text(Configuration()), "\(setting.key) changes \(other.key)")
            }
        }
    }

    @Test("A wrong value names file, line, key, what was found and what was expected")
    func wrongValue() {
        let found = problems("management:\n  host: 0.0.0.0\n  port: ninety\n")
        #expect(
            found == [
                ConfigurationProblem(
                    code: .wrongValue, place: .file("x.yaml", line: 3), key: "management.port", found: "\"ninety\"",
                    expected: "a whole number from 1 to 65535")
            ])
        #expect(
            found.first?.description
                == "x.yaml:3: management.port: found \"ninety\", expected a whole number from 1 to 65535")
    }

    @Test("Unknown keys and sections are errors that name the known ones")
    func unknownKeys() {
        let section = problems("managment:\n  port: 1\n")
        #expect(section.map(\.code) == [.unknownSection])
        #expect(section.first?.expected.contains("management") == true)
        let key = problems("management:\n  prot: 1\n")
        #expect(key.map(\.code) == [.unknownKey])
        #expect(key.first?.key == "management.prot")
        #expect(key.first?.expected == "one of host, port, bearer_token, cors_origins")
    }

    @Test("All problems are told at once")
    func allAtOnce() {
        let found = problems("connectivity: sometimes\nrelay: coturn\navatar:\n  width: -1\n")
        #expect(found.map(\.key) == ["connectivity", "relay", "avatar.width"])
    }

    @Test("A section that holds a scalar, a list or a deep tree is refused")
    func wrongShapes() {
        #expect(problems("management: 9000\n").map(\.code) == [.wrongValue])
        #expect(problems("management:\n  port: [9000]\n").map(\.code) == [.wrongValue])
        #expect(problems("management:\n  cors_origins: {a: b}\n").map(\.code) == [.wrongValue])
        #expect(problems("- a\n").map(\.code) == [.syntax])
        #expect(problems("management:\n").isEmpty)
    }

    @Test("The former service's environment variables win over the file")
    func environmentWins() throws {
        let environment = [
            "MANAGEMENT_API_HOST": "127.0.0.1", "MANAGEMENT_API_PORT": "9100", "WEBSOCKET_HOST": "127.0.0.2",
            "WEBSOCKET_PORT": "9101", "WEBSOCKET_URL": "wss://a.example", "MAX_SESSIONS": "7",
            "SESSION_TIMEOUT_SECONDS": "60", "WEBRTC_PUBLIC_IP": "203.0.113.9", "WEBRTC_PORT_MIN": "20110",
            "WEBRTC_PORT_MAX": "20115", "WEBRTC_STUN_SERVER": "stun:s.example:3478",
            "WEBRTC_TURN_SERVER": "turn:t.example:20110", "WEBRTC_TURN_SERVER_LOCAL": "turn:127.0.0.1:20110",
            "WEBRTC_TURN_USERNAME": "u", "WEBRTC_TURN_PASSWORD": "p",
            "LOG_LEVEL": "WARNING",
        ]
        let configuration = try read("management:\n  port: 9050\nsessions:\n  maximum: 3\n", environment)
        #expect(configuration.management.host == "127.0.0.1")
        #expect(configuration.management.port == 9100)
        #expect(configuration.signaling.host == "127.0.0.2")
        #expect(configuration.signaling.port == 9101)
        #expect(configuration.signaling.publicURL == "wss://a.example")
        #expect(configuration.sessions.maximum == 7)
        #expect(configuration.sessions.timeoutSeconds == 60)
        #expect(configuration.webRTC.publicIP == "203.0.113.9")
        #expect(configuration.webRTC.portMinimum == 20110)
        #expect(configuration.webRTC.portMaximum == 20115)
        #expect(configuration.webRTC.stunServer == "stun:s.example:3478")
        #expect(configuration.webRTC.turnServer == "turn:t.example:20110")
        #expect(configuration.webRTC.turnServerLocal == "turn:127.0.0.1:20110")
        #expect(configuration.webRTC.turnUsername == "u")
        #expect(configuration.webRTC.turnPassword == "p")
        #expect(configuration.logging.level == .warning)
        // Every variable of the table was tried above.
        #expect(Set(Configuration.settings.compactMap(\.environment)) == Set(environment.keys))
    }

    @Test("A wrong environment variable is named, an empty one counts as unset")
    func environmentProblems() throws {
        #expect(
            problems("", ["MAX_SESSIONS": "many"]).map(\.description) == [
                "environment variable MAX_SESSIONS: sessions.maximum: found \"many\", "
                    + "expected a whole number from 1 to 100000"
            ])
        #expect(try read("", ["MAX_SESSIONS": ""]).sessions.maximum == Configuration().sessions.maximum)
    }

    @Test("Credentials never appear in a complaint")
    func secretsAreNotPrinted() {
        let found = problems("whep:\n  bearer_token: \"hush hush\"\n")
        #expect(found.map(\.code) == [.wrongValue])
        #expect(found.first.map { $0.description.contains("hush") } == false)
    }

    @Test("Values that contradict each other are told with the line of the one to change")
    func contradictions() {
        let ports = problems("webrtc:\n  port_min: 10115\n  port_max: 10110\n")
        #expect(ports.map(\.code) == [.contradiction])
        #expect(ports.first?.place == .file("x.yaml", line: 3))
        #expect(problems("signaling:\n  port: 9000\n").map(\.key) == ["signaling.port"])
        #expect(problems("avatar:\n  width: 513\n").map(\.key) == ["avatar.width"])
        #expect(problems("relay: external\n").map(\.key) == ["webrtc.turn_server", "webrtc.turn_username"])
        #expect(
            problems(
                "relay: external\nwebrtc:\n  turn_server: turn:h:10110\n  turn_username: u\n  turn_password: p\n"
            ).isEmpty)
    }

    @Test("Servers are read as the former service wrote them")
    func serverURLs() {
        #expect(ServerURL("turn:example.org:10110")?.port == 10110)
        #expect(ServerURL("example.org:10110")?.scheme == "turn")
        #expect(ServerURL("stun:[2001:db8::1]:3478")?.host == "2001:db8::1")
        #expect(ServerURL("turn:h?transport=tcp")?.usesTCP == true)
        #expect(ServerURL("turn:h")?.port == 3478)
        for wrong in [
            "", "turn:", "turn:h:0", "turn:h:99999", "turn:h:1?transport=sctp", "http://h", "turn:u@h", "a b",
        ] {
            #expect(ServerURL(wrong) == nil, "\(wrong)")
        }
    }
}
