internal import Core
internal import Go2Bridge

extension Configuration {
    /// One robot: how it is reached, what of it is passed on, and who may do what.
    struct Robot: Hashable, Sendable {
        enum Connection: String, CaseIterable, Sendable {
            case webrtc, cyclonedds
        }
        /// What clients without a token may do.
        enum Exposure: String, CaseIterable, Sendable {
            case none, watch, read
        }
        struct MaximumSpeed: Hashable, Sendable {
            var x = 0.8
            var y = 0.4
            var yaw = 1.2
        }
        struct ROS2: Hashable, Sendable {
            var enabled = false
            /// Of the robot itself as well where it is reached over DDS.
            var domain = 0
            /// Where the robot is reached over WebRTC; loopback lets nobody outside hear or drive it.
            var interface = "lo"
            var namespace = ""
        }

        var connection = Connection.webrtc
        var address = ""
        var serialNumber = ""
        var signalingPort = 9991
        /// The key itself never stands in the file.
        var keyEnvironment = ""
        var keyFile = ""
        var interface = ""
        var watchSeconds = 30
        var sound = false
        var talk = false
        var lidar = true
        var videoBitRate = 2_000_000
        var maximumSpeed = MaximumSpeed()
        var avoidsObstacles = false
        var acrobatics = false
        var exposure = Exposure.watch
        var drivesWithoutToken = false
        var ros2 = ROS2()
    }

    /// A token for robots, and how far it reaches.
    struct Access: Hashable, Sendable {
        enum Scope: String, CaseIterable, Sendable {
            case watch, read, drive
        }
        var token = ""
        var tokenEnvironment = ""
        var tokenFile = ""
        /// Names of robots; nil for all of them.
        var robots: [String]?
        var scope = Scope.watch
    }
}

extension Configuration.Robot {
    static let settings: [Setting<Self>] = [
        .choice("connection", \.connection),
        .text(
            "address", \.address, expected: "the robot's IP address such as 192.168.12.1, or nothing",
            where: { $0.isEmpty || SettingRule.isHostAddress($0) }),
        .text(
            "serial_number", \.serialNumber,
            expected: "the robot's serial number of at most 64 letters and digits, or nothing",
            where: { $0.isEmpty || RobotSearch.isSerialNumber($0) }),
        .integer("signaling_port", \.signalingPort, 1...65535),
        .text(
            "aes_key_env", \.keyEnvironment,
            expected: "the name of an environment variable that holds the robot's key, or nothing",
            where: { $0.isEmpty || SettingRule.isVariable($0) }),
        .text(
            "aes_key_file", \.keyFile, expected: "a file that holds the robot's key, or nothing", where: { _ in true }),
        .text(
            "interface", \.interface, expected: "the name of a network interface such as eth0, or nothing",
            maximumLength: 15, where: { $0.isEmpty || SettingRule.isToken($0) && !$0.contains("/") }),
        .integer("watch_seconds", \.watchSeconds, 5...3_600),
        .boolean("sound", \.sound),
        .boolean("talk", \.talk),
        .boolean("lidar", \.lidar),
        .integer("video_bit_rate", \.videoBitRate, 50_000...20_000_000),
        .decimal("maximum_speed.x", \.maximumSpeed.x, 0...3),
        .decimal("maximum_speed.y", \.maximumSpeed.y, 0...2),
        .decimal("maximum_speed.yaw", \.maximumSpeed.yaw, 0...4),
        .boolean("avoid_obstacles", \.avoidsObstacles),
        .boolean("acrobatics", \.acrobatics),
        .choice("public", \.exposure),
        .boolean("drive_without_token", \.drivesWithoutToken),
        .boolean("ros2.enabled", \.ros2.enabled),
        // Each domain takes ports of its own; those above end beyond 65535.
        .integer("ros2.domain", \.ros2.domain, 0...232),
        .text(
            "ros2.interface", \.ros2.interface, expected: "the name of a network interface such as eth0",
            maximumLength: 15, where: { SettingRule.isToken($0) && !$0.contains("/") }),
        .text(
            "ros2.namespace", \.ros2.namespace,
            expected: "a ROS namespace of letters, digits, underscores and slashes such as robot0, or nothing",
            maximumLength: 128, where: SettingRule.isROSNamespace),
    ]
}

extension Configuration.Access {
    static let settings: [Setting<Self>] = [
        .text(
            "token", \.token, expected: "a token of 16 to 512 characters without spaces, or nothing", isSecret: true,
            where: { $0.isEmpty || SettingRule.isAccessToken($0) }),
        .text(
            "token_env", \.tokenEnvironment,
            expected: "the name of an environment variable that holds the token, or nothing",
            where: { $0.isEmpty || SettingRule.isVariable($0) }),
        .text("token_file", \.tokenFile, expected: "a file that holds the token, or nothing", where: { _ in true }),
        .listOrAll("robots", \.robots, expected: "a list of robots such as [\"dog\"], or all"),
        .choice("scope", \.scope),
    ]
}

extension Setting {
    /// A number with a fraction.
    static func decimal(
        _ key: String, _ path: any (WritableKeyPath<Root, Double> & Sendable), _ range: ClosedRange<Double>
    ) -> Setting {
        Setting(
            key: key, environment: nil, expected: "a number from \(range.lowerBound) to \(range.upperBound)",
            isSecret: false,
            store: { value, root in
                // Not-a-number is in no range.
                guard case .scalar(let text) = value, let number = Double(text), range.contains(number) else {
                    return false
                }
                root[keyPath: path] = number
                return true
            },
            text: { "\($0[keyPath: path])" })
    }

    /// Names, or the word `all`, which is nil.
    static func listOrAll(
        _ key: String, _ path: any (WritableKeyPath<Root, [String]?> & Sendable), expected: String
    ) -> Setting {
        Setting(
            key: key, environment: nil, expected: expected, isSecret: false,
            store: { value, root in
                switch value {
                case .scalar("all"): root[keyPath: path] = nil
                case .list(let names) where (1...64).contains(names.count) && names.allSatisfy(SettingRule.isPlainName):
                    root[keyPath: path] = names
                case .scalar, .list: return false
                }
                return true
            },
            text: { root in
                guard let names = root[keyPath: path] else { return "all" }
                return JSONValue.array(names.map(JSONValue.string)).text
            })
    }
}

extension SettingRule {
    /// An address that one machine can have.
    static func isHostAddress(_ text: String) -> Bool {
        guard let ip = IPAddress(text) else { return false }
        return !ip.isUnspecified && !ip.isMulticast && !ip.isReserved
    }

    /// Long enough that nobody guesses it.
    static func isAccessToken(_ text: String) -> Bool { text.utf8.count >= 16 && isToken(text) }

    static func isROSNamespace(_ text: String) -> Bool {
        text.split(separator: "/").allSatisfy { part in
            isVariable(part)
        } && text.utf8.allSatisfy { $0 != UInt8(ascii: "-") } && !text.contains("//") && !text.hasSuffix("/")
    }
}
