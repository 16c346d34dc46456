import Core
import FoundationEssentials
import Go2Bridge
import MediaPipeline
import Networking
import Signaling
import Testing

@testable import AvatarStreamer

@Suite("Robots and access in the configuration")
struct RobotConfigurationTests {
    private func read(_ text: String) throws(InvalidConfiguration) -> Configuration {
        try ConfigurationReader.read(Array(text.utf8), file: "x.yaml", environment: [:])
    }

    private func problems(_ text: String) -> [String] {
        do throws(InvalidConfiguration) {
            _ = try read(text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("Every key of a robot and of a token is stored where it belongs")
    func everyKey() throws {
        let configuration = try read(
            """
            robots:
              dog:
                connection: webrtc
                address: 192.168.123.161
                signaling_port: 9992
                aes_key_env: DOG_KEY
                interface: wlan0
                watch_seconds: 45
                sound: true
                talk: true
                lidar: false
                video_bit_rate: 1500000
                maximum_speed: {x: 1.5, y: 0.25, yaw: 2}
                avoid_obstacles: true
                acrobatics: true
                public: read
                drive_without_token: true
                ros2: {enabled: true, domain: 7, namespace: robot0/front}
              cat: {serial_number: B42D1000P1234567, aes_key_file: /etc/cat.key, public: none}
              mule: {connection: cyclonedds, interface: eth1}
            access:
              pilot: {token_env: PILOT, robots: [dog, cat], scope: drive}
              guest: {token_file: /etc/guest.token, scope: read}
              other: {token: 0123456789abcdef, robots: all}
            """)
        var dog = Configuration.Robot()
        dog.address = "192.168.123.161"
        dog.signalingPort = 9992
        dog.keyEnvironment = "DOG_KEY"
        dog.interface = "wlan0"
        dog.watchSeconds = 45
        (dog.sound, dog.talk, dog.lidar) = (true, true, false)
        dog.videoBitRate = 1_500_000
        (dog.maximumSpeed.x, dog.maximumSpeed.y, dog.maximumSpeed.yaw) = (1.5, 0.25, 2)
        (dog.avoidsObstacles, dog.acrobatics, dog.drivesWithoutToken) = (true, true, true)
        dog.exposure = .read
        (dog.ros2.enabled, dog.ros2.domain, dog.ros2.namespace) = (true, 7, "robot0/front")
        #expect(configuration.robots["dog"] == dog)
        #expect(configuration.robots["cat"]?.serialNumber == "B42D1000P1234567")
        #expect(configuration.robots["cat"]?.exposure == Configuration.Robot.Exposure.none)
        #expect(configuration.robots["mule"]?.connection == .cyclonedds)
        var pilot = Configuration.Access()
        (pilot.tokenEnvironment, pilot.robots, pilot.scope) = ("PILOT", ["dog", "cat"], .drive)
        #expect(configuration.access["pilot"] == pilot)
        #expect(configuration.access["guest"]?.robots == nil)
        #expect(configuration.access["other"]?.scope == .watch)
    }

    @Test("Wrong values are told with file, line, whole key, what was found and what was expected")
    func complaints() {
        let found = problems(
            """
            robots:
              dog:
                address: localhost
                watch_seconds: 0
                maximum_speed: {x: fast, z: 1}
                public: everything
                aes_key_env: "not a name"
                ros2: {namespace: "-x"}
                colour: blue
            access:
              pilot: {token: short, robots: dog, scope: fly}
            """)
        let expected = [
            "x.yaml:3: robots.dog.address: found \"localhost\", expected the robot's IP address such as 192.168.12.1",
            "x.yaml:4: robots.dog.watch_seconds: found \"0\", expected a whole number from 5 to 3600",
            "x.yaml:5: robots.dog.maximum_speed.x: found \"fast\", expected a number from 0.0 to 3.0",
            "x.yaml:5: robots.dog.maximum_speed.z: found an unknown key, expected one of x, y, yaw",
            "x.yaml:6: robots.dog.public: found \"everything\", expected one of none, watch, read",
            "x.yaml:7: robots.dog.aes_key_env: found \"not a name\", expected the name of an environment variable",
            "x.yaml:8: robots.dog.ros2.namespace: found \"-x\", expected a ROS namespace",
            "x.yaml:9: robots.dog.colour: found an unknown key, expected one of connection, address, serial_number",
            "x.yaml:11: access.pilot.token: found another value, expected a token of 16 to 512 characters",
            "x.yaml:11: access.pilot.robots: found \"dog\", expected a list of robots",
            "x.yaml:11: access.pilot.scope: found \"fly\", expected one of watch, read, drive",
        ]
        #expect(found.count == expected.count)
        for (problem, start) in zip(found, expected) { #expect(problem.hasPrefix(start), "\(problem)") }
    }

    @Test("Robots and tokens that make no sense together are told")
    func contradictions() {
        let cases = [
            ("robots:\n  dog: {sound: true}", "x.yaml:2: robots.dog.address: found nothing, expected the robot's IP"),
            (
                "robots:\n  dog: {address: 10.0.0.1, serial_number: B1}",
                "x.yaml:2: robots.dog.serial_number: found a serial number besides robots.dog.address"
            ),
            (
                "robots:\n  a: {address: 10.0.0.1}\n  b: {address: 10.0.0.1}",
                "x.yaml:3: robots.b.address: found the address of robots.a once more"
            ),
            (
                "robots:\n  a: {address: 10.0.0.1, aes_key_env: K, aes_key_file: k}",
                "x.yaml:2: robots.a.aes_key_file: found a file besides robots.a.aes_key_env"
            ),
            ("access:\n  p: {scope: read}", "x.yaml:2: access.p.token_env: found no token, expected one of token_env"),
            (
                "access:\n  p: {token_env: A, token_file: b}",
                "x.yaml:2: access.p.token_env: found 2 sources of the token"
            ),
            (
                "robots:\n  a: {address: 10.0.0.1}\naccess:\n  p: {token_env: A, robots: [b]}",
                "x.yaml:4: access.p.robots: found \"b\", expected one of a"
            ),
        ]
        for (text, start) in cases {
            let found = problems(text)
            #expect(found.count == 1)
            #expect(found.first?.hasPrefix(start) == true, "\(found)")
        }
        // Beside each other on different ports, and over the wire without an address.
        #expect(problems("robots:\n  a: {address: 10.0.0.1}\n  b: {address: 10.0.0.1, signaling_port: 9}") == [])
        #expect(problems("robots:\n  a: {connection: cyclonedds, interface: eth1}") == [])
    }

    @Test("DDS domains, interfaces and namespaces that cannot go together are told")
    func domains() {
        let wrong: [(text: String, start: String)] = [
            ("  a: {connection: cyclonedds}", "x.yaml:2: robots.a.interface: found nothing"),
            (
                "  a: {connection: cyclonedds, interface: e}\n  b: {connection: cyclonedds, interface: e}",
                "x.yaml:3: robots.b.ros2.domain: found the domain of robots.a, which is wired too"
            ),
            (
                "  a: {connection: cyclonedds, interface: e}\n  b: {address: 10.0.0.1, ros2: {enabled: true, interface: f}}",
                "x.yaml:3: robots.b.ros2.domain: found domain 0 on f, and for robots.a on e"
            ),
            (
                "  a: {address: 10.0.0.1, ros2: {enabled: true}}\n  b: {address: 10.0.0.2, ros2: {enabled: true}}",
                "x.yaml:3: robots.b.ros2.namespace: found the namespace of robots.a in the same domain"
            ),
        ]
        for (text, start) in wrong {
            let found = problems("robots:\n" + text)
            #expect(found.count == 1)
            #expect(found.first?.hasPrefix(start) == true, "\(found)")
        }
        let together = """
            robots:
              a: {connection: cyclonedds, interface: e, ros2: {enabled: true, namespace: robot0}}
              b: {address: 10.0.0.1, ros2: {enabled: true, domain: 5}}
              c: {address: 10.0.0.2, ros2: {enabled: true, interface: e, namespace: robot1}}
            """
        #expect(problems(together) == [])
    }

    @Test("check-config prints robots as they can be read back, and no token")
    func report() throws {
        let text = """
            robots:
              dog: {address: 10.0.0.1, maximum_speed: {x: 1.25}}
            access:
              p: {token: secret-secret-secret, robots: [dog], scope: drive}
              q: {token_env: Q}
            """
        let configuration = try read(text)
        let printed = ReportCommands.settings(of: configuration)
        #expect(!printed.contains("secret-secret"))
        #expect(printed.contains("token: (set)"))
        let again = try read(printed.replacing("(set)", with: "secret-secret-secret"))
        #expect(again == configuration)
    }

    // MARK: Composition

    @Test("What the configuration says of a robot reaches the fleet, the cameras and the access")
    func composition() async throws {
        let configuration = try read(
            """
            robots:
              dog: {address: 127.0.0.1, talk: true, acrobatics: true, maximum_speed: {x: 1.5}, public: none, video_bit_rate: 500000}
              cat: {serial_number: B1, drive_without_token: true}
              mule: {connection: cyclonedds, interface: lo, sound: true, ros2: {enabled: true, domain: 110}}
            access:
              pilot: {token: 0123456789abcdef, robots: [dog], scope: drive}
            """)
        let robots = ComposedRobots(configuration, client: HTTPClient(), metrics: MetricsRegistry())
        #expect(robots.degraded == [])
        #expect(Set(robots.fleet.robots.keys) == ["dog", "cat", "mule"])
        let mule = try #require(robots.fleet.robots["mule"]).configuration
        #expect(mule.connection == "cyclonedds" && !mule.allowsSound && !mule.allowsLiDAR)
        let dog = try #require(robots.fleet.robots["dog"]).configuration
        #expect(dog.allowsTalk && dog.allowsAcrobatics && dog.allowsLiDAR && !dog.allowsSound)
        #expect(dog.driving.maximumX == 1.5)
        #expect(robots.exposures["dog"]?.scopeWithoutToken == nil)
        #expect(robots.exposures["cat"]?.scopeWithoutToken == .drive)
        #expect(robots.cameras["dog"]?.videoBitRate == 500_000)
        let token = try #require(robots.access.first)
        #expect(token.scope == .drive && token.robots == ["dog"] && token.token == "0123456789abcdef")
        await robots.stop()
    }

    @Test("Keys and tokens that cannot be had are told with their remedy, and admit nobody")
    func missingSecrets() async throws {
        let configuration = try read(
            """
            robots:
              dog: {address: 127.0.0.1, aes_key_file: /no/such/key}
            access:
              pilot: {token_env: AVATAR_STREAMER_TEST_NO_SUCH_VARIABLE}
            """)
        let robots = ComposedRobots(configuration, client: HTTPClient(), metrics: MetricsRegistry())
        #expect(robots.access.isEmpty)
        #expect(Array(robots.fleet.robots.keys) == ["dog"])
        #expect(Set(robots.degraded.map(\.part)) == ["robot:dog:key", "access:pilot"])
        #expect(robots.degraded.allSatisfy { !$0.reason.isEmpty && !$0.remedy.isEmpty })
        await robots.stop()
    }

    @Test("Keys are read as digits or bytes, tokens as one word, and neither from rubbish")
    func secretFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "secrets-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "secret")
        func key(_ bytes: [UInt8]) throws -> RobotKey? {
            try Data(bytes).write(to: file)
            return try? RobotSecrets.key(inFile: file.path())
        }
        let digits = "00112233445566778899AABBCCDDEEFF"
        let expected = RobotKey(hexadecimal: digits)
        #expect(expected != nil)
        #expect(try key(Array("  \(digits)\n".utf8)) == expected)
        #expect(
            try key([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF])
                == expected)
        #expect(try key(Array("0011".utf8)) == nil)
        #expect(try key([UInt8](repeating: 0x41, count: 10_000)) == nil)
        var access = Configuration.Access()
        access.tokenFile = file.path()
        try Data("0123456789abcdef\n".utf8).write(to: file)
        #expect(try RobotSecrets.token(of: access) == "0123456789abcdef")
        for wrong in ["", "short", "0123456789abcdef another"] {
            try Data(wrong.utf8).write(to: file)
            #expect(throws: RobotSecrets.Fault.self) { _ = try RobotSecrets.token(of: access) }
        }
    }
}
