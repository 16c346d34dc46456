package import Core

/// One port: what is served on it and what it puts up with.
package struct ListenerConfiguration: Sendable {
    package struct Limits: Sendable {
        package var connections = 1024
        /// From one IP address. Behind a tunnel or proxy all clients share one, so this is no small number.
        package var connectionsPerAddress = 512
        /// Request line and headers together.
        package var headerBytes = 16 << 10
        /// From the connection to the end of its headers, and between requests.
        package var headerTimeout: Duration = .seconds(10)
        /// Bytes of a body, where the route does not say otherwise.
        package var bodyBytes = 1 << 20
        /// From the headers to the last byte of the body.
        package var bodyTimeout: Duration = .seconds(60)
        /// Bytes of all bodies being received at a time.
        package var bodiesInFlightBytes = 256 << 20
        /// Requests and WebSocket handshakes a second from one IP address; twice as many in a burst.
        package var requestsPerSecondPerAddress = 500
        package var webSocketMessageBytes = 1 << 20
        /// Messages a second on one connection; twice as many in a burst. More closes it with 1008.
        package var webSocketMessagesPerSecond = 200
        /// Bytes that wait for a slow reader before it is closed with 1013.
        package var webSocketOutgoingBytes = 4 << 20
        /// Messages that wait for a slow handler before the connection is closed with 1013.
        package var webSocketIncomingMessages = 1024
        /// Bytes of messages that wait for a slow handler, likewise.
        package var webSocketIncomingBytes = 16 << 20
        /// Where messages and bodies of more than `spoolThresholdBytes` are kept while they come; nil: in memory.
        package var spoolDirectory: String?
        package var spoolThresholdBytes = 1 << 20
        /// Bytes in all spool files together.
        package var spoolBytes = 1 << 30
        /// A ping after so long without a word from the peer; closed after twice as long.
        package var webSocketPingInterval: Duration = .seconds(20)
        package init() {}
    }

    /// For logs, metrics and ``HTTPRequest/listener``.
    package var name: String
    package var address: SocketAddress
    package var router: Router
    package var limits: Limits
    package var cors: CORSPolicy

    /// - Parameter address: port 0 lets the kernel choose; see ``WebServer/port(of:)``.
    package init(
        name: String, address: SocketAddress, router: Router, limits: Limits = Limits(),
        cors: CORSPolicy = CORSPolicy(origins: .none)
    ) {
        self.name = name
        self.address = address
        self.router = router
        self.limits = limits
        self.cors = cors
    }
}
