internal import Core
internal import Networking

/// What becomes of workers: orders carried out, events taken. Everything here that has a state is called under the lock.
extension ProjectRunner {
    func handle(_ input: WorkerSupervision.Input, _ slot: WorkerSlot, _ state: inout RunnerState) {
        let now = SystemClock.now()
        for order in slot.supervision.handle(input, now: now) { carryOut(order, slot, now, &state) }
        settle(slot, &state)
    }

    private func carryOut(
        _ order: WorkerSupervision.Order, _ slot: WorkerSlot, _ now: Instant, _ state: inout RunnerState
    ) {
        switch order {
        case .launch:
            slot.generation += 1
            slot.startTime = now
            slot.pendingEnd = nil
            let (number, generation) = (slot.number, slot.generation)
            let (project, executor, runtime) = (slot.project, slot.executor, slot.runtime)
            state.effects.append { [loop, weak self] in
                loop.submit { [weak self] in self?.launch(project, executor, runtime, number, generation) }
            }
        case .send(let order): _ = slot.link?.send(order)
        case .end(let grace):
            if let link = slot.link { link.end(grace: grace) } else { slot.pendingEnd = grace }
        case .finish(let id, let outcome): finish(id, outcome, now, &state)
        case .countStray: metrics.strayAnswers.increment()
        case .countRestart: metrics.workerRestarts.increment()
        }
    }

    /// What the new state of a worker means for the others.
    private func settle(_ slot: WorkerSlot, _ state: inout RunnerState) {
        if !slot.whenStopped.isEmpty {
            guard case .stopping = slot.supervision.state else {
                state.effects.append(contentsOf: slot.whenStopped)
                slot.whenStopped = []
                return settle(slot, &state)
            }
        }
        switch slot.supervision.state {
        case .ready where state.candidate === slot: adopt(slot, &state)
        case .ready: pump(&state)
        case .failed(let failure) where state.candidate === slot:
            state.candidate = nil
            slot.tellLoaded(.failure(failure), &state)
            if state.current == nil { answerQueue(.noProject, &state) }
        case .failed(let failure) where state.current === slot:
            answerQueue(.error(code: "worker_ended", message: failure.reason), &state)
        case .closed:
            slot.tellLoaded(
                .failure(.superseded), &state)
            state.leaving.removeAll { $0 === slot }
            state.tellIfEmpty()
        default: break
        }
    }

    /// The fresh worker takes over.
    private func adopt(_ slot: WorkerSlot, _ state: inout RunnerState) {
        let former = state.current
        state.current = slot
        state.candidate = nil
        if let former {
            state.leaving.append(former)
            handle(.close, former, &state)
        }
        for push in slot.earlyPushes {
            state.effects.append { [observe] in observe(.push(event: push.event, data: push.data)) }
        }
        slot.earlyPushes = []
        slot.tellLoaded(.success(slot.interface ?? ProjectInterface(objects: [])), &state)
        pump(&state)
    }

    // MARK: Starting, on the loop

    private func launch(
        _ project: ProjectFolder, _ executor: any Executor, _ runtime: PreparedRuntime?, _ number: Int,
        _ generation: Int
    ) {
        do throws(ProjectFailure) {
            let folder = try makeFolder("\(number)-\(generation)")
            do throws(ProjectFailure) {
                let launch = self.launch(project, runtime, folder)
                let link = try executor.launch(launch) { [weak self] event in
                    guard let self else {
                        if case .ended = event { folder.remove() }
                        return
                    }
                    take(event, number, generation, folder)
                }
                metrics.workerStarts.increment()
                change { state in settleLaunch(link, number, generation, &state) }
            } catch {
                folder.remove()
                throw error
            }
        } catch {
            change { state in
                if let slot = state.slot(number, generation) { handle(.launchFailed(error), slot, &state) }
            }
        }
    }

    private func makeFolder(_ name: String) throws(ProjectFailure) -> WorkerFolder {
        do {
            return try WorkerFolder(in: configuration.directory, name: name)
        } catch {
            throw ProjectFailure(code: "launch_failed", reason: "The project cannot be started: \(error)")
        }
    }

    private func launch(
        _ project: ProjectFolder, _ runtime: PreparedRuntime?, _ folder: WorkerFolder
    ) -> WorkerLaunch {
        var limits = configuration.limits
        limits.scratchFolder = folder.scratch
        limits.writableFolders?.append(folder.scratch)
        var launch = WorkerLaunch(
            project: project, runtime: runtime, scratch: folder.scratch, socketDirectory: folder.path,
            runsConcurrently: configuration.runsConcurrently, environment: configuration.environment, limits: limits)
        launch.linesPerSecond = configuration.linesPerSecond
        launch.pushesPerSecond = configuration.pushesPerSecond
        return launch
    }

    private func settleLaunch(_ link: any WorkerLink, _ number: Int, _ generation: Int, _ state: inout RunnerState) {
        // It may have ended before we came here.
        guard let slot = state.slot(number, generation), slot.supervision.hasProcess else { return link.kill() }
        slot.link = link
        slot.confinement = link.confinement
        if let grace = slot.pendingEnd { link.end(grace: grace) }
        pump(&state)
    }

    // MARK: Events, on the worker's own threads

    private func take(_ event: WorkerEvent, _ number: Int, _ generation: Int, _ folder: WorkerFolder) {
        switch event {
        case .push(let name, let data): takePush(name, data, number)
        case .pushesLeftOut(let count): metrics.pushesDropped.increment(by: UInt64(count))
        case .line(let text, let isError, let level):
            let source: LogLine.Source = level != nil ? .project : isError ? .errorOutput : .output
            observe(.line(LogLine(source, level: level ?? (isError ? "error" : "info"), text)))
        case .linesLeftOut(let count):
            metrics.linesLeftOut.increment(by: UInt64(count))
            observe(
                .line(LogLine(.server, level: "warning", "\(count) lines of output left out: too many in a second")))
        case .rubbish(let reason): complain(reason, number)
        default:
            if case .ended(let ending) = event {
                folder.remove()
                metrics.countEnd(ending.metricLabel)
            }
            change { state in
                guard let slot = state.slot(number, generation) else { return }
                note(event, slot)
                handle(.event(event), slot, &state)
            }
        }
    }

    private func takePush(_ name: String, _ data: JSONValue, _ number: Int) {
        metrics.pushes.increment()
        let most = configuration.maximumEarlyPushes
        let isInCharge = withState { state in
            if state.candidate?.number == number, let slot = state.candidate, slot.earlyPushes.count < most {
                slot.earlyPushes.append((name, data))
            }
            return state.current?.number == number
        }
        if isInCharge { observe(.push(event: name, data: data)) }
    }

    private func complain(_ reason: String, _ number: Int) {
        metrics.rubbish.increment()
        let isDue = withState { state in
            let now = SystemClock.now()
            guard let slot = state.slots.first(where: { $0.number == number }), slot.nextComplaint <= now else {
                return false
            }
            slot.nextComplaint = now + .seconds(1)
            return true
        }
        if isDue { observe(.line(LogLine(.server, level: "warning", "The worker sent what is not taken: \(reason)"))) }
    }

    /// Keeps what an event tells beside what it does.
    private func note(_ event: WorkerEvent, _ slot: WorkerSlot) {
        switch event {
        case .hello(let runtime): slot.runtimeName = runtime
        case .ready(let interface, let importTime):
            slot.interface = interface
            slot.importTime = importTime
            if let start = slot.startTime { metrics.loadDuration.observe((SystemClock.now() - start).seconds) }
        case .heartbeat(_, let dropped):
            metrics.pushesDropped.increment(by: UInt64(max(0, dropped - slot.pushesDropped)))
            slot.pushesDropped = dropped
        case .stopped(let errors, let threads):
            for error in errors { observe(.line(LogLine(.server, level: "error", "stop(): \(error)"))) }
            for thread in threads {
                observe(.line(LogLine(.server, level: "warning", "thread \(thread) did not end with stop()")))
            }
        case .ended: slot.link = nil
        default: break
        }
    }
}

extension WorkerSlot {
    func tellLoaded(_ result: Result<ProjectInterface, ProjectFailure>, _ state: inout RunnerState) {
        guard let tell = whenLoaded else { return }
        whenLoaded = nil
        state.effects.append { tell(result) }
    }
}

extension RunnerState {
    /// Nil where that worker is not the slot's any more.
    func slot(_ number: Int, _ generation: Int) -> WorkerSlot? {
        slots.first { $0.number == number && $0.generation == generation }
    }
}

extension ChildProcess.Ending {
    var metricLabel: String {
        switch self {
        case .exited: "exit"
        case .killed: "signal"
        case .exceeded(let limit): limit.rawValue
        }
    }
}
