internal import Core
internal import Glibc
internal import Networking

/// Runs a Python project in the worker program of `Workers/`, which imports it and speaks over ZeroMQ.
package struct PythonExecutor: Executor {
    package typealias Preparation =
        @Sendable (ProjectFolder, @escaping @Sendable (String) -> Void) async throws(ProjectFailure) -> PreparedRuntime?

    package let kind = "python"
    package let entry = "main.py or __init__.py"
    private let interpreter: String
    private let workerPath: String
    private let preparation: Preparation?

    /// - Parameters:
    ///   - interpreter: Runs projects that need no packages of their own; it has pyzmq.
    ///   - workerPath: The folder of the package `robot_worker`, absolute.
    ///   - preparation: Makes a project's virtual environment; nil: none has one.
    package init(interpreter: String, workerPath: String, preparation: Preparation? = nil) {
        self.interpreter = interpreter
        self.workerPath = workerPath
        self.preparation = preparation
    }

    package func accepts(_ project: ProjectFolder) -> Bool {
        guard let description = ProjectDescription(of: project) else { return false }
        guard description.kind == nil || description.kind == kind else { return false }
        return project.hasFile("main.py") || project.hasFile("__init__.py")
    }

    package func prepare(
        _ project: ProjectFolder, log: @escaping @Sendable (String) -> Void
    ) async throws(ProjectFailure) -> PreparedRuntime? {
        try await preparation?(project, log)
    }

    package func launch(
        _ launch: WorkerLaunch, deliver: @escaping @Sendable (WorkerEvent) -> Void
    ) throws(ProjectFailure) -> any WorkerLink {
        let token = RandomSource.system.bytes(32).hexadecimal
        var variables = launch.variables(token: token)
        variables["PYTHONPATH"] = workerPath
        // The working folder is the project's: nothing of the worker's own is looked for there. Known from Python 3.11 on.
        variables["PYTHONSAFEPATH"] = "1"
        variables["PYTHONUNBUFFERED"] = "1"
        // The project's folder is not its own to write to.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        variables["PYTHONNOUSERSITE"] = "1"
        do {
            let link = try ZeroMQLink(
                directory: launch.socketDirectory, codec: WorkerMessageCodec(token: token),
                pushesPerSecond: launch.pushesPerSecond, deliver: deliver)
            variables["AVATAR_STREAMER_WORKER_ENDPOINT"] = link.endpoint
            try link.start(
                [launch.runtime?.interpreter ?? interpreter, "-m", "robot_worker"], variables, launch.settings)
            return link
        } catch {
            throw ProjectFailure(code: "launch_failed", reason: "The project cannot be started: \(error)")
        }
    }
}
