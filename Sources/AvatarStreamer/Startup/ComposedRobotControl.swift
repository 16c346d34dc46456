internal import Core
internal import Networking
internal import RobotControl
internal import Signaling
internal import WebServer

/// The robot control service of the configuration, with what it needs: storage, environments, executors, the worker's way to the robot.
struct ComposedRobotControl: Sendable {
    /// Nil where it is off, or cannot be made.
    let service: RobotControlService?
    /// What lets the worker drive its robot through the management API; nil where it drives none.
    let robotAccess: AccessToken?
    /// What could not be made as it is configured.
    private let startDegraded: [DegradedPart]
    private let settings: Configuration.RobotControl
    private let environments: EnvironmentCache?
    /// For the worker's sockets, where the storage's path is too long for them.
    private let temporaryFolder: String?

    private static let workerName = "robot-control-worker"

    init(_ configuration: Configuration, metrics: MetricsRegistry) {
        settings = configuration.robotControl
        var degraded: [DegradedPart] = []
        guard settings.enabled else {
            (service, robotAccess, environments, temporaryFolder, startDegraded) = (nil, nil, nil, nil, [])
            return
        }
        let access = settings.robot.isEmpty ? nil : Self.robotAccess(settings.robot)
        var made: (service: RobotControlService, environments: EnvironmentCache)?
        let runFolder = Self.runFolder(settings)
        temporaryFolder = runFolder.isTemporary ? runFolder.path : nil
        do throws(ProjectFailure) {
            made = try Self.make(configuration, access, runFolder.path, metrics, &degraded)
        } catch {
            degraded.append(
                DegradedPart(
                    part: "robot_control", reason: error.reason,
                    remedy: "make \(settings.storageDirectory) a folder that this server may write to"))
        }
        service = made?.service
        environments = made?.environments
        robotAccess = access
        startDegraded = degraded
    }

    /// What does not work now.
    var degraded: [DegradedPart] { startDegraded + (service?.degraded ?? []) }

    /// Its own port, with its routes; nil where there is no service.
    var listener: ListenerConfiguration? {
        guard let service else { return nil }
        var router = Router()
        service.addRoutes(to: &router)
        var limits = ListenerConfiguration.Limits()
        limits.bodyBytes = settings.maximumMessageBytes
        limits.webSocketMessageBytes = settings.maximumMessageBytes
        // Calls may come as fast as the project takes them; what waits is bounded elsewhere.
        limits.webSocketMessagesPerSecond = 20_000
        limits.webSocketOutgoingBytes = 32 << 20
        limits.spoolDirectory = Self.path(settings.storageDirectory) + "/spool"
        limits.spoolBytes = 2 * settings.maximumMessageBytes
        limits.requestsPerSecondPerAddress = 2_000
        // A slow line takes its time for a large archive.
        limits.bodyTimeout = .seconds(600)
        return ListenerConfiguration(
            name: "robot-control",
            address: SocketAddress(IPAddress(settings.host) ?? .loopbackV4, UInt16(clamping: settings.port)),
            router: router, limits: limits,
            cors: CORSPolicy(
                origins: settings.corsOrigins.contains("*")
                    ? .any : settings.corsOrigins.isEmpty ? .none : .list(settings.corsOrigins)))
    }

    func start() { service?.start() }

    /// Ends the worker and what it started.
    func stop() async {
        await service?.stop()
        await environments?.stop()
        if let temporaryFolder { PrivateFolder.remove(temporaryFolder) }
    }

    // MARK: Making it

    private static func make(
        _ configuration: Configuration, _ access: AccessToken?, _ runFolder: String, _ metrics: MetricsRegistry,
        _ degraded: inout [DegradedPart]
    ) throws(ProjectFailure) -> (service: RobotControlService, environments: EnvironmentCache) {
        let settings = configuration.robotControl
        let storage = path(settings.storageDirectory)
        for folder in ["logs", "spool"] where !FileContent.makeDirectory("\(storage)/\(folder)") {
            throw ProjectFailure(code: "storage_failed", reason: "\(storage)/\(folder) cannot be made")
        }
        let interpreter = path(settings.python)
        if !FileContent.isExecutable(interpreter) {
            degraded.append(
                DegradedPart(
                    part: "robot_control:python", reason: "\(interpreter) is no program that can be run",
                    remedy: "run `make setup`, or set robot_control.python to an interpreter that has pyzmq"))
        }
        let workerPath = path(settings.workerDirectory)
        if !FileContent.isReadable("\(workerPath)/robot_worker/__main__.py") {
            degraded.append(
                DegradedPart(
                    part: "robot_control:worker", reason: "\(workerPath) lacks the package robot_worker",
                    remedy: "set robot_control.worker_directory to Workers/src of this server's sources"))
        }
        let environments = try EnvironmentCache(environmentSettings(settings, storage, interpreter))
        let store = try ProjectStore(storeSettings(settings, storage))
        let prepares = settings.installsRequirements
        let python = PythonExecutor(interpreter: interpreter, workerPath: workerPath) {
            project, log throws(ProjectFailure) in
            prepares ? try await environments.prepare(project, log: log) : nil
        }
        let runnerSettings = runnerSettings(configuration, runFolder, access)
        let service = try RobotControlService(
            configuration: serviceSettings(configuration, storage, &degraded), store: store, metrics: metrics
        ) { observe throws(ProjectFailure) in
            try ProjectRunner(
                configuration: runnerSettings, executors: [python, ExecutableExecutor()], metrics: metrics,
                observe: observe)
        }
        return (service, environments)
    }

    private static func serviceSettings(
        _ configuration: Configuration, _ storage: String, _ degraded: inout [DegradedPart]
    ) -> RobotControlConfiguration {
        let settings = configuration.robotControl
        var service = RobotControlConfiguration(storageDirectory: storage)
        service.token = token(
            "token", settings.token, settings.tokenEnvironment, settings.tokenFile, &degraded)
        service.viewerToken = token(
            "viewer_token", settings.viewerToken, settings.viewerTokenEnvironment, settings.viewerTokenFile, &degraded)
        service.origins = settings.corsOrigins
        service.secondClient = settings.secondClient == .takeOver ? .takeOver : .refuse
        service.maximumMessageBytes = settings.maximumMessageBytes
        service.waitingPushes = settings.waitingPushes
        service.pingInterval = .milliseconds(settings.pingIntervalMilliseconds)
        service.pingTimeout = .milliseconds(settings.pingTimeoutMilliseconds)
        if !settings.commandEndpoint.isEmpty { service.legacy.commands = settings.commandEndpoint }
        if !settings.pushEndpoint.isEmpty { service.legacy.pushes = settings.pushEndpoint }
        service.legacy.commandBytes = settings.maximumMessageBytes
        service.logLevel =
            switch configuration.logging.level {
            case .debug: .debug
            case .info: .info
            case .warning: .warning
            case .error: .error
            }
        service.webRoot = configuration.storage.webRoot
        return service
    }

    /// One that is configured and cannot be had is replaced by one that nobody knows: an open door is the worse mistake.
    private static func token(
        _ key: String, _ token: String, _ variable: String, _ file: String, _ degraded: inout [DegradedPart]
    ) -> String? {
        let source = Configuration.Access(token: token, tokenEnvironment: variable, tokenFile: file)
        guard !(token.isEmpty && variable.isEmpty && file.isEmpty) else { return nil }
        do throws(RobotSecrets.Fault) {
            return try RobotSecrets.token(of: source)
        } catch {
            degraded.append(
                DegradedPart(part: "robot_control:\(key)", reason: error.reason, remedy: error.remedy))
            return RandomSource.system.bytes(32).hexadecimal
        }
    }

    private static func environmentSettings(
        _ settings: Configuration.RobotControl, _ storage: String, _ interpreter: String
    ) -> EnvironmentCache.Settings {
        var environments = EnvironmentCache.Settings(directory: "\(storage)/environments", interpreter: interpreter)
        environments.timeLimit = .seconds(settings.installSeconds)
        environments.pipArguments = settings.pipArguments
        return environments
    }

    private static func storeSettings(
        _ settings: Configuration.RobotControl, _ storage: String
    ) -> ProjectStore.Settings {
        var store = ProjectStore.Settings(directory: "\(storage)/projects")
        store.builtInProject = settings.defaultProject.isEmpty ? nil : path(settings.defaultProject)
        store.limits.archiveBytes = settings.maximumArchiveBytes
        store.limits.totalBytes = settings.maximumUnpackedBytes
        store.limits.fileBytes = min(store.limits.fileBytes, settings.maximumUnpackedBytes)
        store.limits.entries = settings.maximumEntries
        store.maximumVersions = settings.history
        return store
    }

    /// A socket's path is short: where the storage's is not, the sockets lie elsewhere, for this run alone.
    private static func runFolder(_ settings: Configuration.RobotControl) -> (path: String, isTemporary: Bool) {
        let run = path(settings.storageDirectory) + "/run"
        guard run.utf8.count > 60 else { return (run, false) }
        return ("/tmp/avatar-streamer-\(RandomSource.system.bytes(8).hexadecimal)", true)
    }

    private static func runnerSettings(
        _ configuration: Configuration, _ runFolder: String, _ access: AccessToken?
    ) -> RunnerConfiguration {
        let settings = configuration.robotControl
        var runner = RunnerConfiguration(directory: runFolder)
        runner.runsConcurrently = settings.calls == .concurrent
        runner.supervision.callTime = .seconds(settings.maximumExecutionSeconds)
        runner.supervision.loadTime = .seconds(settings.loadSeconds)
        runner.supervision.restarts = settings.restarts
        runner.limits.processes = settings.processes
        runner.limits.openFiles = settings.openFiles
        runner.limits.fileBytes = settings.fileMegabytes << 20
        runner.limits.residentBytes = settings.memoryMegabytes << 20
        runner.limits.scratchBytes = settings.scratchMegabytes << 20
        runner.limits.cpuSeconds = settings.cpuSeconds == 0 ? nil : settings.cpuSeconds
        runner.limits.writableFolders = settings.writableFolders
        if let access {
            let address = IPAddress(configuration.management.host) ?? .anyV4
            let host = address.isUnspecified ? SocketAddress(.loopbackV4, 0).ip : address
            let endpoint = SocketAddress(host, UInt16(clamping: configuration.management.port))
            runner.environment["AVATAR_STREAMER_ROBOT_URL"] = "http://\(endpoint)/v1/robots/\(settings.robot)"
            runner.environment["AVATAR_STREAMER_ROBOT_TOKEN"] = access.token
        }
        return runner
    }

    /// For this run alone.
    private static func robotAccess(_ robot: String) -> AccessToken {
        AccessToken(
            name: workerName, token: RandomSource.system.bytes(32).hexadecimal, robots: [robot], scope: .drive)
    }

    private static func path(_ path: String) -> String { FileContent.absolute(path) }
}
