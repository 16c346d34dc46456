package import Core

/// Calls: each gets exactly one outcome, whatever becomes of the worker.
extension ProjectRunner {
    /// Calls a method; `then` is called once, on a thread of the runner's, and returns at once.
    package func call(_ call: ProjectCall, then: @escaping @Sendable (CallOutcome) -> Void) {
        change { state in
            let now = SystemClock.now()
            let waiting = RunnerState.WaitingCall(call: call, arrival: now, then: then)
            if let refusal = refusal(state) { return answer(waiting, refusal, now, &state) }
            state.queue.append(waiting)
            pump(&state)
        }
    }

    package func call(_ call: ProjectCall) async -> CallOutcome {
        await withCheckedContinuation { continuation in
            self.call(call) { continuation.resume(returning: $0) }
        }
    }

    package func call(object: String, method: String, arguments: [String: JSONValue] = [:]) async -> CallOutcome {
        await call(ProjectCall(object: object, method: method, arguments: arguments))
    }

    /// Ends the calls of that id, nil: all. How many there were.
    @discardableResult
    package func interrupt(id: String?) -> Int {
        change { state in
            let now = SystemClock.now()
            let waiting = state.queue.filter { id == nil || $0.call.id == id }
            state.queue.removeAll { id == nil || $0.call.id == id }
            for call in waiting {
                answer(call, .error(code: "interrupted", message: "The call was interrupted"), now, &state)
            }
            let running = state.running.filter { id == nil || $0.value.call.id == id }.keys
            for slot in state.slots {
                if id == nil {
                    handle(.interrupt(id: nil), slot, &state)
                } else {
                    for key in running { handle(.interrupt(id: key), slot, &state) }
                }
            }
            return waiting.count + running.count
        }
    }

    // MARK: Under the lock

    /// Why no call can be taken now; nil: it can.
    private func refusal(_ state: RunnerState) -> CallOutcome? {
        if state.current == nil, state.candidate == nil { return .noProject }
        if case .failed(let failure)? = state.current?.supervision.state {
            return .error(code: "worker_ended", message: failure.reason)
        }
        guard state.queue.count < configuration.maximumQueuedCalls else {
            return .error(code: "busy", message: "\(state.queue.count) calls wait already")
        }
        return nil
    }

    /// Sends what waits, as far as the worker may have it.
    func pump(_ state: inout RunnerState) {
        let most = configuration.runsConcurrently ? configuration.maximumConcurrentCalls : 1
        while let slot = state.current, let link = slot.link, slot.supervision.canCall,
            slot.supervision.callCount < most,
            let waiting = state.queue.first
        {
            state.queue.removeFirst()
            let id = state.nextCallID()
            let now = SystemClock.now()
            state.running[id] = waiting
            _ = slot.supervision.handle(.called(id: id), now: now)
            let call = waiting.call
            let delivery = link.send(
                .call(id: id, object: call.object, method: call.method, arguments: call.arguments))
            let failure: CallOutcome
            switch delivery {
            case .sent: continue
            case .tooLarge: failure = .error(code: "too_large", message: "The arguments are over 16 MiB")
            case .refused: failure = .error(code: "worker_ended", message: "The worker does not take calls")
            }
            _ = slot.supervision.handle(.event(.finished(id: id, failure)), now: now)
            finish(id, failure, now, &state)
        }
    }

    func finish(_ id: String, _ outcome: CallOutcome, _ now: Instant, _ state: inout RunnerState) {
        guard let call = state.running.removeValue(forKey: id) else { return }
        answer(call, outcome, now, &state)
    }

    func answerQueue(_ outcome: CallOutcome, _ state: inout RunnerState) {
        let now = SystemClock.now()
        let waiting = state.queue
        state.queue = []
        for call in waiting { answer(call, outcome, now, &state) }
    }

    func expireQueue(_ now: Instant, _ state: inout RunnerState) {
        while let first = state.queue.first, first.arrival + state.queueTime <= now {
            state.queue.removeFirst()
            answer(first, .error(code: "busy", message: "Earlier calls did not end in time"), now, &state)
        }
    }

    private func answer(
        _ call: RunnerState.WaitingCall, _ outcome: CallOutcome, _ now: Instant, _ state: inout RunnerState
    ) {
        metrics.countCall(outcome, took: now - call.arrival)
        state.effects.append { call.then(outcome) }
    }
}
