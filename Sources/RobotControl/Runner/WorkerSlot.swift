internal import Core
internal import Networking

/// A project and its worker, as the runner keeps them; used under the runner's lock.
final class WorkerSlot {
    let number: Int
    let project: ProjectFolder
    let executor: any Executor
    let runtime: PreparedRuntime?
    var supervision: WorkerSupervision
    var link: (any WorkerLink)?
    /// Counts its workers, so that a late event of a former one is known.
    var generation = 0
    /// The folder of the worker that runs now.
    var directory: String?
    var startTime: Instant?
    var interface: ProjectInterface?
    var runtimeName: String?
    var importTime: Duration?
    var pushesDropped = 0
    var confinement: Confinement?
    /// What was ordered before the link was there.
    var pendingEnd: Duration?
    var earlyPushes: [(event: String, data: JSONValue)] = []
    /// Of `load`, told once.
    var whenLoaded: (@Sendable (Result<ProjectInterface, ProjectFailure>) -> Void)?
    var whenStopped: [@Sendable () -> Void] = []
    /// Rubbish is told once a second, and counted always.
    var nextComplaint: Instant = .zero

    init(
        number: Int, project: ProjectFolder, executor: any Executor, runtime: PreparedRuntime?,
        limits: WorkerSupervision.Limits
    ) {
        self.number = number
        self.project = project
        self.executor = executor
        self.runtime = runtime
        supervision = WorkerSupervision(limits: limits)
    }
}
