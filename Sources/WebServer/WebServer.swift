package import Core

/// HTTP and WebSocket on any number of ports, on one thread of libwebsockets.
///
/// Handlers run as tasks; their answers come back to the thread through a mailbox.
package final class WebServer: Sendable {
    private let listeners: [ListenerConfiguration]
    private let metrics: MetricsRegistry

    package init(listeners: [ListenerConfiguration], metrics: MetricsRegistry) {
        self.listeners = listeners
        self.metrics = metrics
    }

    /// Binds every port and begins to serve.
    package func start() throws(WebServerError) {
    }

    /// The port that is bound for the listener of that name; nil before the start.
    package func port(of listener: String) -> UInt16? {
        nil
    }

    /// Takes no new connection, closes WebSockets with 1001, lets requests finish for at most `grace`, then ends.
    package func stop(grace: Duration = .seconds(5)) async {
    }
}
