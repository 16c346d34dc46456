package import Core
internal import Synchronization

/// One client in one namespace; may be used from any task.
package final class SocketIOSocket: Sendable {
    package let id: String
    package let handshake: SocketIOHandshake
    private let connection: EngineIOConnection
    private let end: @Sendable (SocketIOSocket, _ closesConnection: Bool) -> Void
    private let hasEntered = Atomic<Bool>(false)
    private let reason = Mutex<String?>(nil)

    init(
        id: String, handshake: SocketIOHandshake, connection: EngineIOConnection,
        end: @escaping @Sendable (SocketIOSocket, _ closesConnection: Bool) -> Void
    ) {
        self.id = id
        self.handshake = handshake
        self.connection = connection
        self.end = end
    }

    /// Sends an event; false where the client is not connected yet, or not any more.
    ///
    /// - Parameters:
    ///   - attachments: what the placeholders among the arguments stand for.
    ///   - isDroppable: for a client that does not keep up the oldest of such events are left out. Others end the connection instead once too
    ///     much waits. One with attachments is never left out.
    @discardableResult
    package func emit(
        _ event: String, _ arguments: [JSONValue], attachments: [[UInt8]] = [], isDroppable: Bool = false
    ) -> Bool {
        guard isConnected else { return false }
        return send(
            SocketIOPacket(
                .event(name: event, arguments: arguments), namespace: handshake.namespace,
                attachmentCount: attachments.count), attachments, isDroppable: isDroppable && attachments.isEmpty)
    }

    /// Leaves the namespace, or ends the whole connection.
    package func disconnect(closesConnection: Bool = false) { end(self, closesConnection) }

    /// From the answer to its CONNECT on, which nothing may precede, to its end.
    package var isConnected: Bool { hasEntered.load(ordering: .acquiring) && reason.withLock { $0 == nil } }
    /// Why it ended, in the field's words; nil while it lasts.
    package var closeReason: String? { reason.withLock { $0 } }
    /// Droppable events that were left out, of the whole connection.
    package var droppedCount: Int { connection.droppedCount }
    /// Those since the last time that this was asked.
    package func countDrops() -> Int { connection.countDrops() }
    package var queuedBytes: Int { connection.queuedBytes }

    @discardableResult
    func send(_ packet: SocketIOPacket, _ attachments: [[UInt8]] = [], isDroppable: Bool = false) -> Bool {
        connection.send(text: packet.text, followedBy: attachments, isDroppable: isDroppable)
    }

    /// The answer to its CONNECT is on its way.
    func enter() { hasEntered.store(true, ordering: .releasing) }

    /// False where it was over already.
    func finish(_ why: String) -> Bool {
        reason.withLock { reason in
            guard reason == nil else { return false }
            reason = why
            return true
        }
    }
}
