package import Core
internal import Networking
internal import Synchronization

/// HTTP and WebSocket on any number of ports, on one thread of libwebsockets.
///
/// Handlers run as tasks; their answers come back to the thread through a mailbox.
package final class WebServer: Sendable {
    private struct Running {
        var service: WebService
        var ports: [String: UInt16]
    }

    private let listeners: [ListenerConfiguration]
    private let metrics: MetricsRegistry
    private let running = Mutex<Running?>(nil)

    package init(listeners: [ListenerConfiguration], metrics: MetricsRegistry) {
        self.listeners = listeners
        self.metrics = metrics
    }

    /// Binds every port and begins to serve. Once: a server that was stopped does not start again.
    package func start() throws(WebServerError) {
        var sockets: [ListeningSocket] = []
        for listener in listeners { sockets.append(try Self.bind(listener)) }
        let service = try WebService(listeners: listeners, sockets: sockets, metrics: metrics)
        let ports = Dictionary(
            zip(listeners.map(\.name), sockets.map(\.localAddress.port)), uniquingKeysWith: { first, _ in first })
        let isFirst = running.withLock { running in
            guard running == nil else { return false }
            running = Running(service: service, ports: ports)
            return true
        }
        precondition(isFirst, "a web server starts once")
        try service.start()
    }

    private static func bind(_ listener: ListenerConfiguration) throws(WebServerError) -> ListeningSocket {
        do throws(SocketError) {
            return try ListeningSocket(binding: listener.address)
        } catch {
            let isTaken = error.code == .addressInUse
            throw WebServerError(
                code: isTaken ? .addressInUse : .cannotListen, place: "\(listener.name) \(listener.address)",
                reason: error.description,
                remedy: isTaken
                    ? "stop \(error.holder ?? "the other process") or choose another port"
                    : "choose an address of this machine, or 0.0.0.0")
        }
    }

    /// The port that is bound for the listener of that name; nil before the start.
    package func port(of listener: String) -> UInt16? {
        running.withLock { $0?.ports[listener] }
    }

    /// Takes no new connection, closes WebSockets with 1001, lets requests finish for at most `grace`, then ends.
    package func stop(grace: Duration = .seconds(5)) async {
        guard let service = running.withLock({ $0?.service }) else { return }
        await service.drain(atMost: grace)
        await service.stop()
    }
}
