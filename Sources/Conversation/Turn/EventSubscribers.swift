internal import Core
internal import Synchronization

/// Everybody who watches a conversation. Each reads at its own pace; who is too slow loses the oldest events.
final class EventSubscribers: Sendable {
    private struct State {
        var continuations: [Int: AsyncStream<ConversationEvent>.Continuation] = [:]
        var last = 0
        var isClosed = false
    }
    /// Events that wait for one subscriber, at most.
    static let bufferedEvents = 512

    private let state = Mutex(State())
    private let dropped: Counter

    init(dropped: Counter) {
        self.dropped = dropped
    }

    deinit {
        close()
    }

    func subscribe() -> AsyncStream<ConversationEvent> {
        let (stream, continuation) = AsyncStream<ConversationEvent>.makeStream(
            bufferingPolicy: .bufferingNewest(Self.bufferedEvents))
        let number = state.withLock { state -> Int? in
            guard !state.isClosed else { return nil }
            state.last += 1
            state.continuations[state.last] = continuation
            return state.last
        }
        guard let number else {
            continuation.finish()
            return stream
        }
        // The lock is never held while a stream is finished, so this cannot meet it.
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.continuations.removeValue(forKey: number) }
        }
        return stream
    }

    func send(_ event: ConversationEvent) {
        for continuation in state.withLock({ Array($0.continuations.values) }) {
            if case .dropped = continuation.yield(event) { dropped.increment() }
        }
    }

    func close() {
        let all = state.withLock { state in
            state.isClosed = true
            defer { state.continuations.removeAll() }
            return Array(state.continuations.values)
        }
        for continuation in all { continuation.finish() }
    }
}
