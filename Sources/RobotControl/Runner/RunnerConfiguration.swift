package import Core
package import Networking

/// How projects are run.
package struct RunnerConfiguration: Sendable {
    /// Holds a folder for each worker (mode 0700: its sockets, what it may write to), which goes with it. Made where it is missing.
    /// A path of at most 60 bytes, since a socket's path has at most 107.
    package var directory: String
    /// Over what every worker gets.
    package var environment: [String: String] = [:]
    /// Of each worker. Its scratch folder is writable always; ``ProcessLimits/writableFolders`` nil lets it write anywhere.
    package var limits = RunnerConfiguration.defaultLimits
    package var supervision = WorkerSupervision.Limits()
    /// Calls run side by side; otherwise one after the other, in the order in which they came.
    package var runsConcurrently = false
    /// Calls that run at once, where they may.
    package var maximumConcurrentCalls = 16
    /// Calls that wait; one more is answered `busy`.
    package var maximumQueuedCalls = 64
    /// How long a call may wait for others, or for a worker that comes back.
    package var queueTime: Duration = .seconds(330)
    package var linesPerSecond = 500
    package var pushesPerSecond = 20_000
    /// Pushes of a worker that is not in charge yet (from its `init()`); later ones are dropped.
    package var maximumEarlyPushes = 256

    package init(directory: String) {
        self.directory = directory
    }

    package static var defaultLimits: ProcessLimits {
        var limits = ProcessLimits()
        limits.processes = 256
        limits.openFiles = 1024
        limits.fileBytes = 1 << 30
        limits.residentBytes = 2 << 30
        limits.scratchBytes = 1 << 30
        limits.writableFolders = []
        return limits
    }
}

/// What a runner tells; on threads of its own, so that whoever takes it returns at once.
package enum RunnerEvent: Sendable {
    case push(event: String, data: JSONValue)
    case line(LogLine)
    case state(RunnerStatus)
}

/// One line for the operator's log.
package struct LogLine: Sendable, Equatable {
    package enum Source: String, Sendable {
        case output = "stdout"
        case errorOutput = "stderr"
        /// `log` of an executable.
        case project
        /// What prepares a project, and what becomes of its worker.
        case server
    }

    package var source: Source
    /// `debug`, `info`, `warning`, `error`.
    package var level: String
    package var text: String

    package init(_ source: Source, level: String = "info", _ text: String) {
        self.source = source
        self.level = level
        self.text = text
    }
}

/// How things stand, for `status`, `/healthz` and the console.
package struct RunnerStatus: Sendable, Equatable {
    package enum State: String, Sendable {
        /// No project.
        case none
        case starting, loading, ready, stopping
        /// Its worker ended and comes back.
        case restarting
        /// Its worker does not come back by itself: see ``RunnerStatus/failure``.
        case failed
    }

    package var state: State = .none
    package var project: ProjectFolder?
    /// The executor's ``Executor/kind``.
    package var kind: String?
    package var interface: ProjectInterface?
    /// `python 3.11.2`
    package var runtime: String?
    package var importTime: Duration?
    package var processIdentifier: Int32?
    /// When the worker that runs now was started.
    package var startTime: Instant?
    package var restarts = 0
    package var runningCalls = 0
    package var queuedCalls = 0
    /// Pushes that the worker itself dropped, since they could not be sent fast enough.
    package var pushesDropped = 0
    package var confinement: Confinement?
    /// Why the worker ended last, or why the project failed.
    package var failure: ProjectFailure?
    /// Whether a fresh worker is being loaded beside.
    package var isLoading = false

    package init() {}
}

/// One call of a project's method.
package struct ProjectCall: Sendable {
    /// The caller's own name for it, by which it can be interrupted.
    package var id: String?
    package var object: String
    package var method: String
    package var arguments: [String: JSONValue]

    package init(id: String? = nil, object: String, method: String, arguments: [String: JSONValue] = [:]) {
        self.id = id
        self.object = object
        self.method = method
        self.arguments = arguments
    }
}
