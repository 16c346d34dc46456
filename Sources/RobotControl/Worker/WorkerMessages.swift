package import Core
package import Networking

/// What we tell a worker (docs/protocols/worker.md).
package enum WorkerOrder: Equatable, Sendable {
    case call(id: String, object: String, method: String, arguments: [String: JSONValue])
    /// `id` nil: every call.
    case interrupt(id: String?)
    case stop(within: Duration)
    case shutdown(within: Duration)
}

/// What a worker tells us, and what becomes of its process.
package enum WorkerEvent: Equatable, Sendable {
    case hello(runtime: String)
    case loading
    case ready(ProjectInterface, importTime: Duration)
    case failed(stage: String, error: String, traceback: String?)
    case heartbeat(calls: Int, pushesDropped: Int)
    case stopped(errors: [String], threads: [String])
    case finished(id: String, CallOutcome)
    case push(event: String, data: JSONValue)
    /// One line of its output. `level` is nil for what it printed.
    case line(String, isError: Bool, level: String? = nil)
    /// So many lines came too fast and are not told.
    case linesLeftOut(Int)
    /// So many pushes came too fast and were not read.
    case pushesLeftOut(Int)
    /// A message that we cannot take: dropped.
    case rubbish(reason: String)
    /// The last event.
    case ended(ChildProcess.Ending)
}

/// How a call ended.
package enum CallOutcome: Equatable, Sendable {
    case value(JSONValue)
    /// `code` as in docs/protocols/worker.md, or ours: `timeout`, `worker_ended`, `no_project`, `interrupted`, `busy`,
    /// `too_large`.
    case error(code: String, message: String, traceback: String? = nil)
}

/// What can be called in a project: the `objects` of `ready`, checked and within its limits.
package struct ProjectInterface: Equatable, Sendable {
    package var objects: JSONValue

    package init(objects: JSONValue) { self.objects = objects }
}
