internal import Core

/// Everything that a runner's lock guards.
struct RunnerState {
    struct WaitingCall {
        let call: ProjectCall
        let arrival: Instant
        let then: @Sendable (CallOutcome) -> Void
    }

    var current: WorkerSlot?
    /// Being loaded, beside the current one.
    var candidate: WorkerSlot?
    /// On their way out.
    var leaving: [WorkerSlot] = []
    var queue: [WaitingCall] = []
    /// By the id that the worker knows.
    var running: [String: WaitingCall] = [:]
    var isShutDown = false
    var whenEmpty: [@Sendable () -> Void] = []
    /// Done once the lock is let go.
    var effects: [@Sendable () -> Void] = []
    /// For when the loop's timer is set.
    var armed: Instant = .distantFuture
    /// How long a call may wait.
    let queueTime: Duration
    /// Of `load`; the last one counts, however long each is prepared.
    private(set) var lastTicket = 0
    private var nextSlot = 0
    private var nextCall = 0

    init(queueTime: Duration) {
        self.queueTime = queueTime
    }

    var slots: [WorkerSlot] { [current, candidate].compactMap(\.self) + leaving }

    mutating func takeTicket() -> Int {
        lastTicket += 1
        return lastTicket
    }

    mutating func nextCallID() -> String {
        nextCall += 1
        return String(nextCall)
    }

    mutating func makeCandidate(
        _ project: ProjectFolder, _ executor: any Executor, _ runtime: PreparedRuntime?,
        _ limits: WorkerSupervision.Limits
    ) -> WorkerSlot {
        nextSlot += 1
        let slot = WorkerSlot(
            number: nextSlot, project: project, executor: executor, runtime: runtime, limits: limits)
        candidate = slot
        return slot
    }

    // MARK: Deadlines

    private var deadline: Instant {
        let slots = slots.reduce(Instant.distantFuture) { min($0, $1.supervision.deadline) }
        return queue.first.map { min(slots, $0.arrival + queueTime) } ?? slots
    }

    /// Whether the loop sleeps too long.
    mutating func mustWake() -> Bool {
        let isEarlier = deadline < armed
        if isEarlier { armed = deadline }
        return isEarlier
    }

    mutating func arm() -> Instant {
        armed = deadline
        return deadline
    }

    mutating func tellIfEmpty() {
        guard isShutDown, slots.isEmpty else { return }
        effects.append(contentsOf: whenEmpty)
        whenEmpty = []
    }

    /// What others are told of when it changes.
    struct Phase: Equatable {
        var slot: Int?
        var generation: Int?
        var state: WorkerSupervision.State?
        var isLinked = false
        var isLoading = false
    }

    var phase: Phase {
        Phase(
            slot: current?.number, generation: current?.generation, state: current?.supervision.state,
            isLinked: current?.link != nil, isLoading: candidate != nil)
    }

    var status: RunnerStatus {
        var status = RunnerStatus()
        status.isLoading = candidate != nil
        status.queuedCalls = queue.count
        status.runningCalls = running.count
        guard let slot = current else {
            if candidate != nil { status.state = .loading }
            return status
        }
        status.state =
            switch slot.supervision.state {
            case .idle, .starting: .starting
            case .loading: .loading
            case .ready: .ready
            case .stopping: .stopping
            case .ending, .pausing: .restarting
            case .failed, .closed: .failed
            }
        status.project = slot.project
        status.kind = slot.executor.kind
        status.interface = slot.interface
        status.runtime = slot.runtimeName
        status.importTime = slot.importTime
        status.processIdentifier = slot.link?.processIdentifier
        status.startTime = slot.startTime
        status.restarts = slot.supervision.restartCount
        status.pushesDropped = slot.pushesDropped
        status.confinement = slot.confinement
        status.failure = slot.supervision.lastFailure
        if case .failed(let failure) = slot.supervision.state { status.failure = failure }
        return status
    }
}
