internal import Core

/// What must fit together in the robot control service's settings.
extension ConfigurationReader {
    mutating func checkRobotControl() {
        let control = configuration.robotControl
        checkTokens(control)
        guard control.enabled else { return }
        if let address = IPAddress(control.host), !address.isLoopback, !control.hasToken {
            contradict(
                "robot_control.token", otherwise: "robot_control.host", "robot_control.enabled", found: "no token",
                expected:
                    "a token, since robot_control.host is no loopback address and whoever reaches it may run programs")
        }
        for (name, port) in [
            ("management.port", configuration.management.port), ("signaling.port", configuration.signaling.port),
        ]
        where port == control.port {
            contradict(
                "robot_control.port", otherwise: name, found: "\(port)", expected: "another port than \(name) has")
        }
        if !control.robot.isEmpty, configuration.robots[control.robot] == nil {
            let known = configuration.robots.keys.sorted().joined(separator: ", ")
            contradict(
                "robot_control.robot", found: "\"\(control.robot)\"",
                expected: known.isEmpty ? "a robot of robots, which names none" : "one of \(known)")
        }
        if !control.commandEndpoint.isEmpty, control.commandEndpoint == control.pushEndpoint {
            contradict(
                "robot_control.push_endpoint", found: "the endpoint of command_endpoint", expected: "another one")
        }
    }

    private mutating func checkTokens(_ control: Configuration.RobotControl) {
        let sources = [
            ("token", [control.token, control.tokenEnvironment, control.tokenFile]),
            ("viewer_token", [control.viewerToken, control.viewerTokenEnvironment, control.viewerTokenFile]),
        ]
        for (name, values) in sources where values.count(where: { !$0.isEmpty }) > 1 {
            contradict(
                "robot_control.\(name)", otherwise: "robot_control.\(name)_env", "robot_control.\(name)_file",
                found: "several sources of the token", expected: "one of \(name), \(name)_env and \(name)_file")
        }
        if control.hasViewerToken, !control.hasToken {
            contradict(
                "robot_control.viewer_token", otherwise: "robot_control.viewer_token_env",
                "robot_control.viewer_token_file", found: "a viewers' token without robot_control.token",
                expected: "both: without the latter everybody may do everything")
        }
    }
}
