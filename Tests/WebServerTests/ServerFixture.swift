import Core
import Networking
import WebServer

/// A server on a port of the kernel's choice, for one test.
struct ServerFixture {
    let server: WebServer
    let metrics: MetricsRegistry
    let port: UInt16

    init(
        limits: ListenerConfiguration.Limits = .init(), cors: CORSPolicy = CORSPolicy(origins: .none),
        _ fill: (inout Router) -> Void
    ) throws {
        var router = Router()
        fill(&router)
        // A test on a loaded machine, or under a sanitizer, takes its time; what it wants limited, it sets itself.
        var limits = limits
        let usual = ListenerConfiguration.Limits()
        if limits.headerTimeout == usual.headerTimeout { limits.headerTimeout = .seconds(300) }
        if limits.bodyTimeout == usual.bodyTimeout { limits.bodyTimeout = .seconds(300) }
        if limits.webSocketPingInterval == usual.webSocketPingInterval { limits.webSocketPingInterval = .seconds(300) }
        metrics = MetricsRegistry()
        let listener = ListenerConfiguration(
            name: "test", address: SocketAddress(.loopbackV4, 0), router: router, limits: limits, cors: cors)
        server = WebServer(listeners: [listener], metrics: metrics)
        try server.start()
        port = server.port(of: "test") ?? 0
    }

    func connect() async throws -> RawClient {
        try await RawClient(port: port)
    }

    /// One request on its own connection.
    func fetch(_ request: String) async throws -> Response {
        let client = try await connect()
        await client.send(request)
        let response = await client.response()
        await client.close()
        return response
    }

    func refused(_ reason: String) -> UInt64 {
        metrics.counter(
            "web_refused_total", help: "", labels: ["reason": reason]
        ).current
    }
}
