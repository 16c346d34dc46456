extension Configuration {
    /// The robot control service: an operator's project, uploaded, run in a worker, called live.
    struct RobotControl: Equatable, Sendable {
        enum SecondClient: String, CaseIterable, Sendable {
            case refuse
            case takeOver = "take_over"
        }
        enum Calls: String, CaseIterable, Sendable {
            case ordered, concurrent
        }

        var enabled = false
        var host = "127.0.0.1"
        var port = 8000
        var token = ""
        var tokenEnvironment = ""
        var tokenFile = ""
        var viewerToken = ""
        var viewerTokenEnvironment = ""
        var viewerTokenFile = ""
        var corsOrigins: [String] = []
        var secondClient = SecondClient.refuse
        var storageDirectory = "var/robot-control"
        var defaultProject = "Workers/default"
        /// Of one message: an archive of 100 MiB in base64.
        var maximumMessageBytes = 140_000_000
        var maximumArchiveBytes = 104_857_600
        var maximumUnpackedBytes = 1_073_741_824
        var maximumEntries = 10_000
        var history = 10
        var python = ".venv-worker/bin/python"
        var workerDirectory = "Workers/src"
        var calls = Calls.ordered
        var maximumExecutionSeconds = 300
        var loadSeconds = 60
        var restarts = 5
        var robot = ""
        var installsRequirements = true
        var installSeconds = 300
        var pipArguments: [String] = []
        var memoryMegabytes = 2_048
        var processes = 128
        var openFiles = 1_024
        var fileMegabytes = 1_024
        var scratchMegabytes = 2_048
        var cpuSeconds = 0
        var writableFolders: [String] = []
        var pingIntervalMilliseconds = 25_000
        var pingTimeoutMilliseconds = 20_000
        var waitingPushes = 1_000
        var commandEndpoint = ""
        var pushEndpoint = ""
    }
}

extension Configuration.RobotControl {
    static let settings: [Setting<Self>] = [
        .boolean("robot_control.enabled", \.enabled),
        .text(
            "robot_control.host", \.host, expected: "an IP address to listen on", where: SettingRule.isAddress),
        .integer("robot_control.port", \.port, 1...65535),
        .text(
            "robot_control.token", \.token, expected: "a token of 16 to 512 characters without spaces, or nothing",
            isSecret: true, where: { $0.isEmpty || SettingRule.isAccessToken($0) }),
        .text(
            "robot_control.token_env", \.tokenEnvironment,
            expected: "the name of an environment variable that holds the token, or nothing",
            where: { $0.isEmpty || SettingRule.isVariable($0) }),
        .text(
            "robot_control.token_file", \.tokenFile, expected: "a file that holds the token, or nothing",
            where: { _ in true }),
        .text(
            "robot_control.viewer_token", \.viewerToken,
            expected: "a token of 16 to 512 characters without spaces, or nothing", isSecret: true,
            where: { $0.isEmpty || SettingRule.isAccessToken($0) }),
        .text(
            "robot_control.viewer_token_env", \.viewerTokenEnvironment,
            expected: "the name of an environment variable that holds the token, or nothing",
            where: { $0.isEmpty || SettingRule.isVariable($0) }),
        .text(
            "robot_control.viewer_token_file", \.viewerTokenFile,
            expected: "a file that holds the token, or nothing", where: { _ in true }),
        .list(
            "robot_control.cors_origins", \.corsOrigins,
            expected: "a list of origins such as [\"https://example.org\"], [\"*\"], or [] for the service's own alone"),
        .choice("robot_control.second_client", \.secondClient),
        .text(
            "robot_control.storage_directory", \.storageDirectory, expected: "a folder", where: { !$0.isEmpty }),
        .text(
            "robot_control.default_project", \.defaultProject, expected: "the folder of a project, or nothing",
            where: { _ in true }),
        .integer("robot_control.maximum_message_bytes", \.maximumMessageBytes, 65_536...1_500_000_000),
        .integer("robot_control.maximum_archive_bytes", \.maximumArchiveBytes, 1_024...1_073_741_824),
        .integer("robot_control.maximum_unpacked_bytes", \.maximumUnpackedBytes, 1_024...17_179_869_184),
        .integer("robot_control.maximum_entries", \.maximumEntries, 1...100_000),
        .integer("robot_control.history", \.history, 1...1_000),
        .text("robot_control.python", \.python, expected: "a Python interpreter", where: { !$0.isEmpty }),
        .text(
            "robot_control.worker_directory", \.workerDirectory, expected: "the folder of the package robot_worker",
            where: { !$0.isEmpty }),
        .choice("robot_control.calls", \.calls),
        .integer("robot_control.maximum_execution_seconds", \.maximumExecutionSeconds, 1...86_400),
        .integer("robot_control.load_seconds", \.loadSeconds, 1...3_600),
        .integer("robot_control.restarts", \.restarts, 0...1_000),
        .text(
            "robot_control.robot", \.robot, expected: "the name of a robot of robots, or nothing",
            where: { $0.isEmpty || SettingRule.isPlainName($0) }),
        .boolean("robot_control.install_requirements", \.installsRequirements),
        .integer("robot_control.install_seconds", \.installSeconds, 1...7_200),
        .list(
            "robot_control.pip_arguments", \.pipArguments,
            expected: "a list of arguments such as [\"--index-url\", \"https://example.org/simple\"], or []"),
        .integer("robot_control.memory_megabytes", \.memoryMegabytes, 64...1_048_576),
        .integer("robot_control.processes", \.processes, 4...100_000),
        .integer("robot_control.open_files", \.openFiles, 64...1_048_576),
        .integer("robot_control.file_megabytes", \.fileMegabytes, 1...1_048_576),
        .integer("robot_control.scratch_megabytes", \.scratchMegabytes, 1...1_048_576),
        .integer("robot_control.cpu_seconds", \.cpuSeconds, 0...31_536_000),
        .list(
            "robot_control.writable_folders", \.writableFolders,
            expected: "a list of absolute folders such as [\"/srv/recordings\"], or []",
            where: { $0.hasPrefix("/") }),
        .integer("robot_control.ping_interval_ms", \.pingIntervalMilliseconds, 50...300_000),
        .integer("robot_control.ping_timeout_ms", \.pingTimeoutMilliseconds, 50...300_000),
        .integer("robot_control.waiting_pushes", \.waitingPushes, 1...100_000),
        .text(
            "robot_control.command_endpoint", \.commandEndpoint,
            expected: "ipc:///… of at most 100 bytes, or nothing", where: isEndpoint),
        .text(
            "robot_control.push_endpoint", \.pushEndpoint, expected: "ipc:///… of at most 100 bytes, or nothing",
            where: isEndpoint),
    ]

    /// Unix sockets alone: whoever reaches these endpoints may do everything.
    private static func isEndpoint(_ text: String) -> Bool {
        text.isEmpty || text.hasPrefix("ipc:///") && text.utf8.count <= 100 && SettingRule.isToken(text)
    }

    var hasToken: Bool { !(token.isEmpty && tokenEnvironment.isEmpty && tokenFile.isEmpty) }
    var hasViewerToken: Bool {
        !(viewerToken.isEmpty && viewerTokenEnvironment.isEmpty && viewerTokenFile.isEmpty)
    }
}
