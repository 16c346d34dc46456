package import Networking

/// One kind of project, and how a worker for it is started. Another kind of project is one more type that conforms to this.
package protocol Executor: Sendable {
    /// The name in answers (`project_type`), in `project.json` and in the documentation: `python`, `executable`.
    var kind: String { get }

    /// What tells a project of this kind, for those who upload none: `main.py`.
    var entry: String { get }

    /// Whether the folder holds a project of this kind. The first executor that says so runs it.
    func accepts(_ project: ProjectFolder) -> Bool

    /// Makes what the project needs before its worker starts (a virtual environment), told line by line; nil where it needs nothing.
    func prepare(
        _ project: ProjectFolder, log: @escaping @Sendable (String) -> Void
    ) async throws(ProjectFailure) -> PreparedRuntime?

    /// Starts a worker. Its events come on threads of the worker's own, in order, and end with ``WorkerEvent/ended(_:)``.
    func launch(
        _ launch: WorkerLaunch, deliver: @escaping @Sendable (WorkerEvent) -> Void
    ) throws(ProjectFailure) -> any WorkerLink
}

/// The way to one running worker.
package protocol WorkerLink: Sendable {
    var processIdentifier: Int32 { get }
    /// What holds it, and what this machine lacks for that.
    var confinement: Confinement { get }
    @discardableResult
    func send(_ order: WorkerOrder) -> WorkerDelivery
    /// SIGTERM to the worker's process group, SIGKILL `grace` later to everything that it started.
    func end(grace: Duration)
    /// SIGKILL to everything the worker started.
    func kill()
}

/// What became of an order.
package enum WorkerDelivery: Sendable {
    case sent
    /// More than a message may have.
    case tooLarge
    /// The worker is gone, or does not read.
    case refused
}

/// What a worker is started with.
package struct WorkerLaunch: Sendable {
    package var project: ProjectFolder
    package var runtime: PreparedRuntime?
    /// A new folder that the project may write to.
    package var scratch: String
    /// Where the worker's sockets may lie: a folder of mode 0700.
    package var socketDirectory: String
    package var runsConcurrently: Bool
    package var environment: [String: String]
    package var limits: ProcessLimits
    /// Lines of output that are told in a second.
    package var linesPerSecond = 500
    /// Pushes that are read in a second.
    package var pushesPerSecond = 20_000

    package init(
        project: ProjectFolder, runtime: PreparedRuntime? = nil, scratch: String, socketDirectory: String,
        runsConcurrently: Bool = false, environment: [String: String] = [:], limits: ProcessLimits = ProcessLimits()
    ) {
        self.project = project
        self.runtime = runtime
        self.scratch = scratch
        self.socketDirectory = socketDirectory
        self.runsConcurrently = runsConcurrently
        self.environment = environment
        self.limits = limits
    }
}

/// What ``Executor/prepare(_:log:)`` made, for example the interpreter of a virtual environment.
package struct PreparedRuntime: Sendable, Equatable {
    /// The program to run instead of the executor's own.
    package var interpreter: String

    package init(interpreter: String) { self.interpreter = interpreter }
}

/// A project on disk, unpacked and complete; its files never change.
package struct ProjectFolder: Sendable, Hashable {
    /// Absolute.
    package var path: String

    package init(path: String) { self.path = path }
}

/// Why a project cannot be taken, prepared, loaded or run.
package struct ProjectFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// For programs, `zip_traversal`, `load_failed`, `restart_limit`: see docs/protocols/robot-control.md.
    package var code: String
    /// For people: one sentence.
    package var reason: String
    /// Python's traceback or the installer's last lines, where there are any.
    package var details: String?

    package init(code: String, reason: String, details: String? = nil) {
        self.code = code
        self.reason = reason
        self.details = details
    }

    package var description: String { reason }
}
