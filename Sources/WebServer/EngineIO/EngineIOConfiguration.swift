/// What an Engine.IO server allows, and how often it looks after its clients.
package struct EngineIOConfiguration: Sendable {
    package enum Transport: String, CaseIterable, Sendable {
        case polling, websocket
    }

    /// Where it lives, with or without a slash at the end.
    package var path = "/engine.io"
    package var transports: Set<Transport> = Set(Transport.allCases)
    /// Told to clients in whole milliseconds.
    package var pingInterval: Duration = .milliseconds(25_000)
    package var pingTimeout: Duration = .milliseconds(20_000)
    /// Bytes of one message of a client's, whatever carries it.
    package var maximumPayloadBytes = 1_000_000
    /// From a WebSocket's handshake for an upgrade to its end.
    package var upgradeTimeout: Duration = .milliseconds(10_000)
    package var maximumSessions = 1_000
    /// Packets that wait for a client that does not take them: more end the session.
    package var maximumQueuedBytes = 16 << 20
    /// Droppable packets that wait: the oldest make room.
    package var maximumDroppablePackets = 1_000
    package var maximumDroppableBytes = 4 << 20

    package init() {}
}
