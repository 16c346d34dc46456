/// What must fit together among robots and the tokens for them.
extension ConfigurationReader {
    mutating func checkRobots() {
        var takenBy: [String: String] = [:]
        for (name, robot) in configuration.robots.sorted(by: { $0.key < $1.key }) {
            check(robot, name)
            guard robot.connection == .webrtc, !robot.address.isEmpty else { continue }
            let place = "\(robot.address) port \(robot.signalingPort)"
            // A robot serves one client at a time: the second entry would keep the first one out.
            if let other = takenBy[place] {
                contradict(
                    "robots.\(name).address", found: "the address of robots.\(other) once more",
                    expected: "each robot once")
            }
            takenBy[place] = name
        }
        checkDomains()
        for (name, access) in configuration.access.sorted(by: { $0.key < $1.key }) { check(access, name) }
    }

    private mutating func check(_ robot: Configuration.Robot, _ name: String) {
        let section = "robots.\(name)"
        if robot.connection == .webrtc, robot.address.isEmpty, robot.serialNumber.isEmpty {
            contradict(
                "\(section).address", otherwise: section, found: "nothing",
                expected: "the robot's IP address, or \(section).serial_number to look for it by")
        }
        if !robot.address.isEmpty, !robot.serialNumber.isEmpty {
            contradict(
                "\(section).serial_number", found: "a serial number besides \(section).address",
                expected: "one of the two")
        }
        if !robot.keyEnvironment.isEmpty, !robot.keyFile.isEmpty {
            contradict(
                "\(section).aes_key_file", found: "a file besides \(section).aes_key_env", expected: "one of the two")
        }
    }

    private mutating func check(_ access: Configuration.Access, _ name: String) {
        let section = "access.\(name)"
        let sources = [access.token, access.tokenEnvironment, access.tokenFile].count { !$0.isEmpty }
        if sources != 1 {
            contradict(
                "\(section).token_env", otherwise: "\(section).token_file", "\(section).token", section,
                found: sources == 0 ? "no token" : "\(sources) sources of the token",
                expected: "one of token_env, token_file and token")
        }
        for robot in access.robots ?? [] where configuration.robots[robot] == nil {
            let known = configuration.robots.keys.sorted().joined(separator: ", ")
            contradict(
                "\(section).robots", found: "\"\(robot)\"",
                expected: known.isEmpty ? "a robot of robots, which names none" : "one of \(known)")
        }
    }
}
