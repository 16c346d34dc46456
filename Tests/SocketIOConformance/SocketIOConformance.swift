import Core
import Foundation
import WebServer

/// Serves the applications that the public conformance suites of Engine.IO and Socket.IO speak with, on one port: each suite connects to
/// port 3000 of this machine, Engine.IO's below `/engine.io/` and Socket.IO's below `/socket.io/`.
@main
struct SocketIOConformance {
    static let usage = """
        usage: SocketIOConformance [--port 3000] [--spool FOLDER] [--maximum-payload BYTES] [--ping-timeout MS]

        Pings each 300 ms, waits 200 ms for the answer and 1000 ms for CONNECT, takes payloads of 1,000,000 bytes.
        Prints "listening on PORT" once it serves, and ends with its standard input.
        """

    static func main() async throws {
        var port = UInt16(3000)
        var limits = ListenerConfiguration.Limits()
        limits.webSocketMessagesPerSecond = 100_000
        var payload = 1_000_000
        var pingTimeout = Duration.milliseconds(200)
        var arguments = CommandLine.arguments.dropFirst()
        while let option = arguments.popFirst() {
            switch option {
            case "--port": port = arguments.popFirst().flatMap { UInt16($0) } ?? port
            case "--spool": limits.spoolDirectory = arguments.popFirst()
            case "--ping-timeout":
                pingTimeout = arguments.popFirst().flatMap { Int64($0) }.map { .milliseconds($0) } ?? pingTimeout
            case "--maximum-payload": payload = arguments.popFirst().flatMap { Int($0) } ?? payload
            default:
                print(usage)
                exit(option == "--help" ? 0 : 64)
            }
        }
        let metrics = MetricsRegistry()
        var router = Router()
        let engine = echo(payload, pingTimeout, metrics)
        engine.add(to: &router)
        let sockets = socketIO(payload, pingTimeout, metrics)
        sockets.add(to: &router)
        router.add(.get, "/metrics") { _ in .text(.ok, metrics.prometheusText()) }
        limits.webSocketMessageBytes = payload
        limits.webSocketIncomingBytes = payload
        limits.webSocketOutgoingBytes = 64 << 20
        let server = WebServer(
            listeners: [
                ListenerConfiguration(
                    name: "conformance", address: SocketAddress(.loopbackV4, port), router: router, limits: limits,
                    cors: CORSPolicy(origins: .any))
            ], metrics: metrics)
        try server.start()
        let line = "listening on \(server.port(of: "conformance") ?? 0)\n"
        try FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
        while readLine() != nil {}
        sockets.close()
        engine.close()
        await server.stop()
    }

    private static func configure(_ engine: inout EngineIOConfiguration, _ payload: Int, _ pingTimeout: Duration) {
        engine.pingInterval = .milliseconds(300)
        engine.pingTimeout = pingTimeout
        engine.maximumPayloadBytes = payload
    }

    /// Every message is sent back.
    private static func echo(_ payload: Int, _ pingTimeout: Duration, _ metrics: MetricsRegistry) -> EngineIOServer {
        var configuration = EngineIOConfiguration()
        configure(&configuration, payload, pingTimeout)
        return EngineIOServer(
            configuration: configuration, metrics: metrics,
            application: EngineIOServer.Application(
                opened: { _ in },
                received: { connection, message in
                    switch message {
                    case .text(let text): connection.send(text: text)
                    case .binary(let bytes): connection.send(binary: bytes)
                    case .largeText(let slice), .largeBinary(let slice, _):
                        connection.send(text: "\(slice.count) bytes")
                    }
                }, closed: { _, _ in }))
    }

    /// `auth` at the beginning, `message-back` for `message`, acknowledgements for `message-with-ack`.
    private static func socketIO(_ payload: Int, _ pingTimeout: Duration, _ metrics: MetricsRegistry) -> SocketIOServer
    {
        var configuration = SocketIOServer.Configuration()
        configure(&configuration.engine, payload, pingTimeout)
        configuration.connectTimeout = .milliseconds(1000)
        let server = SocketIOServer(configuration: configuration, metrics: metrics)
        server.namespace("/", admit: { _, _ in .accept }) { socket, events in
            socket.emit("auth", [socket.handshake.auth])
            for await event in events {
                let attachments = event.attachments.map { attachment -> [UInt8] in
                    switch attachment {
                    case .bytes(let bytes): bytes
                    case .large(let slice, _), .text(let slice): Array("\(slice.count) bytes".utf8)
                    }
                }
                switch event.name {
                case "message": socket.emit("message-back", event.arguments, attachments: attachments)
                case "message-with-ack": event.acknowledge(event.arguments, attachments: attachments)
                default: break
                }
            }
        }
        server.namespace("/custom", admit: { _, _ in .accept }) { socket, events in
            socket.emit("auth", [socket.handshake.auth])
            for await _ in events {}
        }
        return server
    }
}
