internal import Synchronization

/// Tells whoever waits for engines which of them has said hello, or has a new avatar. May be told from any thread.
final class EngineArrivals: Sendable {
    private struct State {
        var waiting: [Int: AsyncStream<String>.Continuation] = [:]
        var last = 0
    }
    private let state = Mutex(State())

    /// The engines' names, each time, from now on.
    func watch() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(64))
        let number = state.withLock { state in
            state.last += 1
            state.waiting[state.last] = continuation
            return state.last
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.waiting.removeValue(forKey: number) }
        }
        return stream
    }

    func announce(_ engine: String) {
        // Outside of the lock: a continuation may end while it is told.
        for continuation in state.withLock({ Array($0.waiting.values) }) { continuation.yield(engine) }
    }
}
