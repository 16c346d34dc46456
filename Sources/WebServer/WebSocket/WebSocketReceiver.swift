/// Takes the messages of one WebSocket on the web server's thread, one after another: both functions return at once.
package struct WebSocketReceiver: Sendable {
    package var received: @Sendable (WebSocketMessage) -> Void
    /// The last call.
    package var closed: @Sendable () -> Void

    package init(
        received: @escaping @Sendable (WebSocketMessage) -> Void, closed: @escaping @Sendable () -> Void
    ) {
        self.received = received
        self.closed = closed
    }
}
