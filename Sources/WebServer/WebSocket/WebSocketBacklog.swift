internal import Synchronization

/// Counts the bytes of messages that one connection has received and its handler has not yet taken.
final class WebSocketBacklog: Sendable {
    private let bytes = Atomic<Int>(0)

    /// Adds a message that was received; what waits now, with it.
    func add(_ count: Int) -> Int {
        bytes.wrappingAdd(count, ordering: .relaxed).newValue
    }

    /// The messages as the handler takes them.
    func taking(_ received: AsyncStream<WebSocketMessage>) -> AsyncStream<WebSocketMessage> {
        AsyncStream {
            // The stream keeps what waits; its iterators hold nothing.
            var iterator = received.makeAsyncIterator()
            guard let message = await iterator.next() else { return nil }
            switch message {
            case .text(let text): self.bytes.wrappingSubtract(text.utf8.count, ordering: .relaxed)
            case .binary(let bytes): self.bytes.wrappingSubtract(bytes.count, ordering: .relaxed)
            case .spooled: break  // Not in memory, and not counted.
            }
            return message
        }
    }
}
