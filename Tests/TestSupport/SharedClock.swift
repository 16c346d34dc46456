import Core

/// A clock that a test moves by hand, which other threads read and tasks sleep on.
package final class SharedClock: Sendable {
    private struct State: Sendable {
        var now = Instant(nanoseconds: 1_000_000_000)
        /// When each task that sleeps wants to wake.
        var sleepers: [Int: Instant] = [:]
        var nextSleeper = 0
    }
    private let state = Watched(State())

    package init() {}

    package var now: Instant { state.current.now }

    package func advance(by duration: Duration) {
        state.update { $0.now += duration }
    }

    /// Returns once the clock was moved that far; throws when the task is cancelled.
    package func sleep(for duration: Duration) async throws {
        var number = 0
        var due = Instant.zero
        state.update { state in
            state.nextSleeper += 1
            number = state.nextSleeper
            due = state.now + duration
            state.sleepers[number] = due
        }
        let (sleeper, wake) = (number, due)
        let isOver = await state.wait { $0.now >= wake }
        state.update { $0.sleepers[sleeper] = nil }
        if !isOver { throw CancellationError() }
    }

    /// Waits for a task to sleep, and moves on to when the first one wakes; false where the test was cancelled before.
    package func advanceToNextWake() async -> Bool {
        guard await state.wait(until: { state in state.sleepers.values.contains { $0 > state.now } }) else {
            return false
        }
        state.update { state in
            if let next = state.sleepers.values.filter({ $0 > state.now }).min() { state.now = next }
        }
        return true
    }
}
