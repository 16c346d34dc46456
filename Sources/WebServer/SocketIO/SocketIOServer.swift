package import Core
internal import Synchronization

/// Socket.IO 5 on Engine.IO 4: namespaces, events, acknowledgements, attachments.
///
/// Namespaces are added before the server starts. What a client may not do ends its connection.
/// - SeeAlso: docs/protocols/socket.io.md
package final class SocketIOServer: Sendable {
    package struct Configuration: Sendable {
        package var engine: EngineIOConfiguration
        /// From the beginning of a session to its first CONNECT.
        package var connectTimeout: Duration = .milliseconds(45_000)
        package var maximumAttachments = 10
        /// Events of one client that wait for the task that serves it; more end its connection.
        package var maximumWaitingEvents = 1_024
        /// Namespaces that one client may be in.
        package var maximumNamespaces = 16

        package init() {
            engine = EngineIOConfiguration()
            engine.path = "/socket.io"
        }
    }

    /// Looks at a CONNECT, before it is answered. Calls of one client come one after another.
    package typealias Admission = @Sendable (SocketIOHandshake, SocketIOSocket) -> SocketIOAdmission
    /// Makes what takes a socket's events; asked for every socket that was admitted, once it is connected.
    package typealias Opening = @Sendable (SocketIOSocket) -> SocketIOReceiver
    /// Runs for the life of a connection to a namespace; the events end with it.
    package typealias Service = @Sendable (SocketIOSocket, AsyncStream<SocketIOEvent>) async -> Void

    struct Namespace: Sendable {
        let admit: Admission
        let open: Opening
    }

    private struct State {
        var namespaces: [String: Namespace] = [:]
        var clients: [String: SocketIOClient] = [:]
    }

    private let configuration: Configuration
    private let metrics: SocketIOMetrics
    private let state = Mutex(State())
    private let engine: Mutex<EngineIOServer?> = Mutex(nil)

    package init(configuration: Configuration = Configuration(), metrics: MetricsRegistry) {
        self.configuration = configuration
        self.metrics = SocketIOMetrics(metrics)
        let engine = EngineIOServer(
            configuration: configuration.engine, metrics: metrics,
            application: EngineIOServer.Application(
                opened: { [weak self] in self?.opened($0) },
                received: { [weak self] in self?.client($0)?.receive($1) },
                closed: { [weak self] in self?.closed($0, $1) }))
        self.engine.withLock { $0 = engine }
    }

    /// Adds a namespace, `/` or `/name`, whose events are dealt with at once. Each once, before the server starts.
    package func namespace(_ name: String, admit: @escaping Admission, opened: @escaping Opening) {
        state.withLock { $0.namespaces[name] = Namespace(admit: admit, open: opened) }
    }

    /// Adds a namespace that is served by a task for each socket. When the task ends, the socket does.
    package func namespace(_ name: String, admit: @escaping Admission, serve: @escaping Service) {
        let limit = configuration.maximumWaitingEvents
        namespace(name, admit: admit) { socket in
            let (stream, events) = AsyncStream<SocketIOEvent>.makeStream(bufferingPolicy: .bufferingOldest(limit))
            Task {
                await serve(socket, stream)
                socket.disconnect()
            }
            return SocketIOReceiver(
                received: { if case .dropped = events.yield($0) { false } else { true } },
                closed: { events.finish() })
        }
    }

    package func add(to router: inout Router) {
        engine.withLock { $0 }?.add(to: &router)
    }

    /// Ends every connection and takes no more.
    package func close() { engine.withLock { $0 }?.close() }

    private func client(_ connection: EngineIOConnection) -> SocketIOClient? {
        state.withLock { $0.clients[connection.id] }
    }

    private func opened(_ connection: EngineIOConnection) {
        let client = state.withLock { state in
            let client = SocketIOClient(connection, configuration, state.namespaces, metrics)
            state.clients[connection.id] = client
            return client
        }
        client.awaitConnect()
    }

    private func closed(_ connection: EngineIOConnection, _ reason: String) {
        let client = state.withLock { $0.clients.removeValue(forKey: connection.id) }
        client?.connectionClosed(reason)
    }
}
