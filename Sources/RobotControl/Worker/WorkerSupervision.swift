package import Core
internal import Glibc
internal import Networking

/// One project's worker over its whole life: starting, loading, calls, stopping, ending, and coming back after a crash.
///
/// Does no I/O. Feed it with ``handle(_:now:)`` and carry out the orders in their order; feed `.timeout` once ``deadline`` has passed.
/// Every call that it was told of is finished by exactly one `.finish`, whatever the worker does.
package struct WorkerSupervision: Sendable {
    package struct Limits: Sendable, Equatable {
        /// From the start to `hello`.
        package var helloTime: Duration = .seconds(10)
        /// From `hello` to `ready`, `init()` included.
        package var loadTime: Duration = .seconds(60)
        /// Without a heartbeat, an answer or another word on the control channel; the heart beats every second.
        package var silenceTime: Duration = .seconds(10)
        /// `max_execution_time`.
        package var callTime: Duration = .seconds(300)
        /// From an interrupt to SIGTERM.
        package var interruptGrace: Duration = .seconds(3)
        /// From SIGTERM to SIGKILL.
        package var terminationGrace: Duration = .seconds(3)
        /// What `stop()` and the project's threads get.
        package var stopTime: Duration = .seconds(5)
        /// From the end of ``stopTime`` to SIGTERM.
        package var stopGrace: Duration = .seconds(1)
        /// Between a crash and the restart; doubled for each of a row, up to ``longestPause``.
        package var firstPause: Duration = .milliseconds(500)
        package var longestPause: Duration = .seconds(30)
        /// Restarts in ``restartWindow`` before the project counts as failed.
        package var restarts = 5
        package var restartWindow: Duration = .seconds(300)

        package init() {}
    }

    package enum State: Equatable, Sendable {
        case idle
        case starting(deadline: Instant)
        case loading(deadline: Instant)
        case ready
        /// The client has gone: `stop` was ordered.
        case stopping(deadline: Instant)
        /// On its way out: told to shut down until the deadline, to die after it.
        case ending(reason: String, deadline: Instant?)
        case pausing(until: Instant)
        case failed(ProjectFailure)
        case closed
    }

    package enum Input: Sendable {
        case start
        case launchFailed(ProjectFailure)
        /// Any event of the worker that runs now.
        case event(WorkerEvent)
        case called(id: String)
        /// Nil: every running call.
        case interrupt(id: String?)
        case clientLeft
        /// End it for good.
        case close
        case timeout
    }

    package enum Order: Equatable, Sendable {
        case launch
        case send(WorkerOrder)
        case end(grace: Duration)
        case finish(id: String, CallOutcome)
        /// An answer to a call that is not running: late, twice or invented.
        case countStray
        case countRestart
    }

    private struct Call {
        var deadline: Instant
        /// Why it was interrupted; the deadline is then the one for SIGTERM.
        var interruption: CallOutcome?
    }

    package private(set) var state: State = .idle
    package private(set) var restartCount = 0
    /// Why the worker ended last, or did not load.
    package private(set) var lastFailure: ProjectFailure?
    private let limits: Limits
    private var calls: [String: Call] = [:]
    private var lastHeard: Instant = .distantFuture
    /// A project that never was ready is not tried again.
    private var wasReady = false
    private var isClosing = false
    private var recentRestarts: [Instant] = []

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    package var canCall: Bool { state == .ready }

    package var callCount: Int { calls.count }

    /// Whether its process runs, or is being started.
    package var hasProcess: Bool {
        switch state {
        case .starting, .loading, .ready, .stopping, .ending: true
        case .idle, .pausing, .failed, .closed: false
        }
    }

    package var deadline: Instant {
        let own: Instant =
            switch state {
            case .starting(let time), .loading(let time), .pausing(let time): time
            case .ready: lastHeard + limits.silenceTime
            case .stopping(let time): min(time, lastHeard + limits.silenceTime)
            case .ending(_, let time): time ?? .distantFuture
            case .idle, .failed, .closed: .distantFuture
            }
        // While it ends, its end ends the calls.
        if case .ending = state { return own }
        return calls.values.reduce(own) { min($0, $1.deadline) }
    }

    package mutating func handle(_ input: Input, now: Instant) -> [Order] {
        switch input {
        case .start: return start(now)
        case .launchFailed(let failure): return end(failure, now)
        case .event(let event):
            lastHeard = now
            return handle(event, now)
        case .called(let id):
            calls[id] = Call(deadline: now + limits.callTime)
            return []
        case .interrupt(let id):
            return interrupt(id, .error(code: "interrupted", message: "The call was interrupted"), now)
        case .clientLeft: return clientLeft(now)
        case .close: return close(now)
        case .timeout: return timeout(now)
        }
    }

    // MARK: Its life

    private mutating func start(_ now: Instant) -> [Order] {
        guard state == .idle else { return [] }
        state = .starting(deadline: now + limits.helloTime)
        return [.launch]
    }

    private mutating func handle(_ event: WorkerEvent, _ now: Instant) -> [Order] {
        switch (event, state) {
        case (.hello, .starting): state = .loading(deadline: now + limits.loadTime)
        case (.ready, .loading):
            state = .ready
            wasReady = true
        case (.failed(let stage, let error, let traceback), .loading),
            (.failed(let stage, let error, let traceback), .starting):
            lastFailure = ProjectFailure(code: "load_failed", reason: "\(stage): \(error)", details: traceback)
            // It exits by itself.
            state = .ending(reason: error, deadline: now + limits.terminationGrace)
        case (.stopped, .stopping): state = .ready
        case (.finished(let id, let outcome), _): return finish(id, outcome)
        case (.ended(let ending), _): return ended(ending, now)
        default: break
        }
        return []
    }

    private mutating func ended(_ ending: ChildProcess.Ending, _ now: Instant) -> [Order] {
        var reason = Self.describe(ending)
        if case .ending(let known, _) = state { reason = isClosing ? known : "\(known) (\(reason))" }
        var failure = ProjectFailure(code: "worker_ended", reason: "The worker ended: \(reason)")
        if !wasReady { failure.code = "load_failed" }
        if let lastFailure, lastFailure.code == "load_failed", !wasReady { failure = lastFailure }
        return end(failure, now)
    }

    private static func describe(_ ending: ChildProcess.Ending) -> String {
        switch ending {
        case .killed(SIGXCPU): "over its limit: CPU time"
        case .killed(SIGXFSZ): "over its limit: bytes of one file"
        default: ending.description
        }
    }

    /// Its process is no more.
    private mutating func end(_ failure: ProjectFailure, _ now: Instant) -> [Order] {
        var orders: [Order] = calls.keys.sorted().map { id in
            .finish(id: id, calls[id]?.interruption ?? .error(code: "worker_ended", message: failure.reason))
        }
        calls = [:]
        lastHeard = .distantFuture
        if isClosing {
            state = .closed
            return orders
        }
        lastFailure = failure
        guard wasReady else {
            state = .failed(failure)
            return orders
        }
        recentRestarts.removeAll { now - $0 > limits.restartWindow }
        guard recentRestarts.count < limits.restarts else {
            state = .failed(
                ProjectFailure(
                    code: "restart_limit",
                    reason: "The worker ended \(recentRestarts.count + 1) times: \(failure.reason)",
                    details: failure.details))
            return orders
        }
        let pause = min(limits.firstPause * (1 << min(recentRestarts.count, 20)), limits.longestPause)
        recentRestarts.append(now)
        restartCount += 1
        state = .pausing(until: now + pause)
        orders.append(.countRestart)
        return orders
    }

    private mutating func clientLeft(_ now: Instant) -> [Order] {
        guard state == .ready else { return [] }
        let interrupts = interrupt(nil, .error(code: "interrupted", message: "The client has gone"), now)
        state = .stopping(deadline: now + limits.stopTime + limits.stopGrace)
        return interrupts + [.send(.stop(within: limits.stopTime))]
    }

    private mutating func close(_ now: Instant) -> [Order] {
        guard !isClosing else { return [] }
        isClosing = true
        switch state {
        case .idle, .pausing, .failed, .closed:
            state = .closed
            return []
        case .ready, .stopping:
            let outcome = CallOutcome.error(code: "worker_ended", message: "The project was replaced or unloaded")
            let interrupts = interrupt(nil, outcome, now)
            state = .ending(reason: "closed", deadline: now + limits.stopTime + limits.stopGrace)
            return interrupts + [.send(.shutdown(within: limits.stopTime))]
        case .starting, .loading:
            state = .ending(reason: "closed", deadline: nil)
            return [.end(grace: limits.terminationGrace)]
        case .ending: return []
        }
    }

    // MARK: Calls

    private mutating func finish(_ id: String, _ outcome: CallOutcome) -> [Order] {
        guard let call = calls.removeValue(forKey: id) else { return [.countStray] }
        if case .error("interrupted", _, let traceback) = outcome,
            case .error(let code, let message, _)? = call.interruption
        {
            return [.finish(id: id, .error(code: code, message: message, traceback: traceback))]
        }
        return [.finish(id: id, outcome)]
    }

    private mutating func interrupt(_ id: String?, _ outcome: CallOutcome, _ now: Instant) -> [Order] {
        let ids = calls.filter { (id == nil || $0.key == id) && $0.value.interruption == nil }.keys.sorted()
        for id in ids {
            calls[id] = Call(deadline: now + limits.interruptGrace, interruption: outcome)
        }
        if id == nil, !ids.isEmpty { return [.send(.interrupt(id: nil))] }
        return ids.map { .send(.interrupt(id: $0)) }
    }

    // MARK: Time

    private mutating func timeout(_ now: Instant) -> [Order] {
        switch state {
        case .pausing(let until) where until <= now:
            state = .idle
            return start(now)
        case .starting(let deadline) where deadline <= now:
            return endWorker("it said no hello in \(limits.helloTime.seconds) s")
        case .loading(let deadline) where deadline <= now:
            return endWorker("it was not loaded in \(limits.loadTime.seconds) s")
        case .stopping(let deadline) where deadline <= now:
            return endWorker("its stop() did not end in \(limits.stopTime.seconds) s")
        case .ending(let reason, let deadline?) where deadline <= now:
            return endWorker(reason)
        case .ready where now - lastHeard >= limits.silenceTime, .stopping where now - lastHeard >= limits.silenceTime:
            return endWorker("it was silent for \(limits.silenceTime.seconds) s")
        case .ready, .stopping: return callTimeout(now)
        default: return []
        }
    }

    private mutating func callTimeout(_ now: Instant) -> [Order] {
        let due = calls.filter { $0.value.deadline <= now }
        if due.contains(where: { $0.value.interruption != nil }) {
            return endWorker("a call did not end when it was interrupted")
        }
        let message = "The call did not end in \(limits.callTime.seconds) s"
        return due.keys.sorted().flatMap { interrupt($0, .error(code: "timeout", message: message), now) }
    }

    /// The ladder's last steps: SIGTERM, then SIGKILL.
    private mutating func endWorker(_ reason: String) -> [Order] {
        state = .ending(reason: reason, deadline: nil)
        return [.end(grace: limits.terminationGrace)]
    }
}
