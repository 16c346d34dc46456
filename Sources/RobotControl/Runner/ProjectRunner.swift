package import Core
internal import Networking
internal import Synchronization

/// Runs one project at a time: loads it beside the one that runs, calls its methods, and brings its worker back.
///
/// A lock guards the state, and everything is done by whoever comes: a call is sent by the thread that makes it, and answered on the
/// thread that reads the worker. Only starts of workers and deadlines have a thread, the loop "projects".
package final class ProjectRunner: Sendable {
    let configuration: RunnerConfiguration
    let executors: [any Executor]
    let metrics: RunnerMetrics
    let observe: @Sendable (RunnerEvent) -> Void
    let loop: EventLoop
    private let state: Mutex<RunnerState>

    package init(
        configuration: RunnerConfiguration, executors: [any Executor], metrics: MetricsRegistry,
        observe: @escaping @Sendable (RunnerEvent) -> Void
    ) throws(ProjectFailure) {
        self.configuration = configuration
        self.executors = executors
        self.metrics = RunnerMetrics(metrics)
        self.observe = observe
        state = Mutex(RunnerState(queueTime: configuration.queueTime))
        do throws(SocketError) {
            try WorkerFolder.prepare(configuration.directory)
            loop = try EventLoop(name: "projects")
            try loop.start()
        } catch {
            throw ProjectFailure(code: "runner_failed", reason: "Projects cannot be run: \(error)")
        }
    }

    /// Changes the state, then does what must not be done under the lock, then arms the deadline.
    @discardableResult
    func change<Result: Sendable>(_ body: (inout RunnerState) -> Result) -> Result {
        let (result, effects, wakes) = state.withLock { state in
            let before = state.phase
            let result = body(&state)
            if state.phase != before {
                let status = state.status
                state.effects.append { [observe] in observe(.state(status)) }
            }
            defer { state.effects.removeAll() }
            return (result, state.effects, state.mustWake())
        }
        for effect in effects { effect() }
        if wakes { loop.submit { [weak self] in self?.arm() } }
        return result
    }

    /// Looks at the state, or changes what nothing depends on.
    func withState<Result: Sendable>(_ body: (inout RunnerState) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    // MARK: Loading

    /// Starts a fresh worker for the folder, beside the running one; when it is ready, it takes over and the other one is ended.
    /// Otherwise the running one stays as it was.
    package func load(_ project: ProjectFolder) async throws(ProjectFailure) -> ProjectInterface {
        guard let executor = executors.first(where: { $0.accepts(project) }) else {
            let kinds = executors.map { "\($0.kind): \($0.entry)" }.joined(separator: "; ")
            throw ProjectFailure(
                code: "unknown_kind", reason: "The project is of no kind that is known here (\(kinds))")
        }
        let observe = observe
        let ticket = withState { $0.takeTicket() }
        let runtime = try await executor.prepare(project) { observe(.line(LogLine(.server, $0))) }
        let result: Result<ProjectInterface, ProjectFailure> = await withCheckedContinuation { continuation in
            change { state in
                guard !state.isShutDown, ticket == state.lastTicket else {
                    return state.effects.append { continuation.resume(returning: .failure(.superseded)) }
                }
                if let former = state.candidate {
                    state.leaving.append(former)
                    handle(.close, former, &state)
                }
                let slot = state.makeCandidate(project, executor, runtime, configuration.supervision)
                slot.whenLoaded = { continuation.resume(returning: $0) }
                handle(.start, slot, &state)
            }
        }
        return try result.get()
    }

    /// Loads the running project anew.
    package func restart() async throws(ProjectFailure) -> ProjectInterface {
        guard let project = state.withLock({ $0.current?.project }) else {
            throw ProjectFailure(code: "no_project", reason: "No project loaded")
        }
        return try await load(project)
    }

    /// Ends the running project, and one that is being loaded; what waits for it is answered `no_project`.
    package func unload() {
        change { closeAll(&$0) }
    }

    private func closeAll(_ state: inout RunnerState) {
        _ = state.takeTicket()
        let slots = [state.current, state.candidate].compactMap(\.self)
        state.current = nil
        state.candidate = nil
        state.leaving.append(contentsOf: slots)
        for slot in slots { handle(.close, slot, &state) }
        answerQueue(.noProject, &state)
    }

    /// Nothing is left when it returns: no process, no folder, no call without an answer.
    package func shutdown() async {
        await withCheckedContinuation { continuation in
            change { state in
                state.isShutDown = true
                state.whenEmpty.append { continuation.resume() }
                closeAll(&state)
                state.tellIfEmpty()
            }
        }
        await loop.stop()
    }

    // MARK: The client

    /// The client has gone: running calls are interrupted, waiting ones answered `interrupted`, and the project's `stop()` is called; it
    /// stays loaded. A call that comes meanwhile waits.
    ///
    /// - Parameter then: called once that is done.
    package func clientLeft(then: @escaping @Sendable () -> Void) {
        change { state in
            answerQueue(.error(code: "interrupted", message: "The client has gone"), &state)
            if let slot = state.current { handle(.clientLeft, slot, &state) }
            guard let slot = state.current, case .stopping = slot.supervision.state else {
                return state.effects.append(then)
            }
            slot.whenStopped.append(then)
        }
    }

    package var status: RunnerStatus { state.withLock { $0.status } }

    // MARK: Deadlines, on the loop

    private func arm() {
        let deadline = state.withLock { $0.arm() }
        guard deadline < .distantFuture else { return }
        loop.schedule(at: deadline) { [weak self] in self?.passDeadline() }
    }

    private func passDeadline() {
        let now = SystemClock.now()
        change { state in
            state.armed = .distantFuture
            for slot in state.slots where slot.supervision.deadline <= now { handle(.timeout, slot, &state) }
            expireQueue(now, &state)
        }
    }
}

extension ProjectFailure {
    static let superseded = ProjectFailure(code: "superseded", reason: "Another project was loaded, or the server ends")
}

extension CallOutcome {
    static let noProject = CallOutcome.error(code: "no_project", message: "No project loaded")
}
