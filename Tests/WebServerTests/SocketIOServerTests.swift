import Core
import Synchronization
import Testing

@testable import WebServer

@Suite("A Socket.IO server") struct SocketIOServerTests {
    private let metrics = MetricsRegistry()

    private func refused(_ reason: String) -> UInt64 {
        metrics.counter("socketio_refused_total", help: "", labels: ["reason": reason]).current
    }

    private func closed(_ reason: String) -> UInt64 {
        metrics.counter("engineio_sessions_closed_total", help: "", labels: ["reason": reason]).current
    }

    /// Beside many others a test may take longer than a ping's interval, or than the time for CONNECT.
    private static let patient: SocketIOServer.Configuration = {
        var configuration = SocketIOServer.Configuration()
        configuration.engine.pingInterval = .seconds(3_600)
        configuration.connectTimeout = .seconds(3_600)
        return configuration
    }()

    /// `/` and `/custom` acknowledge every event with its name and arguments; `/closed` refuses.
    private func server(_ configure: (inout SocketIOServer.Configuration) -> Void = { _ in }) -> SocketIOServer {
        var configuration = Self.patient
        configure(&configuration)
        let server = SocketIOServer(configuration: configuration, metrics: metrics)
        for name in ["/", "/custom"] {
            server.namespace(name, admit: { _, _ in .accept }) { socket, events in
                for await event in events {
                    if event.name == "leave" { return }
                    if event.name == "end" { socket.disconnect(closesConnection: true) }
                    let bytes = event.attachments.map { attachment -> [UInt8] in
                        guard case .bytes(let bytes) = attachment else { return [] }
                        return bytes
                    }
                    let large = event.attachments.compactMap { attachment -> JSONValue? in
                        guard case .text(let slice) = attachment else { return nil }
                        return .integer(Int64(slice.count))
                    }
                    event.acknowledge(
                        [.string(event.name)] + event.arguments + large, attachments: large.isEmpty ? bytes : [])
                    event.acknowledge(["a second answer is none"])
                }
            }
        }
        server.namespace(
            "/closed",
            admit: { handshake, _ in
                .refuse(["message": "no", "data": handshake.auth], before: [.init("error", [["message": "busy"]])])
            }, serve: { _, _ in })
        return server
    }

    /// A client that is in `/`.
    private func connected(_ server: SocketIOServer) async -> PollingClient {
        let client = await PollingClient(server)
        await client.post("40")
        _ = await client.next()
        return client
    }

    // MARK: CONNECT

    @Test("CONNECT is answered with an id of the namespace's own, before anything else", arguments: ["", "/custom,"])
    func connect(namespace: String) async throws {
        let client = await PollingClient(server())
        #expect(await client.post("40" + namespace).body == "ok")
        let answer = await client.next()
        #expect(answer.hasPrefix("40\(namespace){"))
        let json = JSONValue(parsing: Array(answer.utf8.dropFirst(2 + namespace.utf8.count)))
        guard case .object(let members)? = json, case .string(let id)? = members["sid"] else {
            return #expect(Bool(false), "no id in \(answer)")
        }
        #expect(members.count == 1 && id.utf8.count == 20 && id != client.id)
        await client.post("42\(namespace)1[\"a\",{\"b\":null}]")
        #expect(await client.next() == "43\(namespace)1[\"a\",{\"b\":null}]")
    }

    @Test("Nothing is sent to a client before its CONNECT is answered, whoever has its socket already")
    func nothingBeforeConnect() async {
        let server = SocketIOServer(configuration: Self.patient, metrics: metrics)
        server.namespace("/", admit: { _, socket in socket.emit("early", []) ? .refuse("sent") : .accept }) {
            socket, events in
            socket.emit("welcome", [])
            for await _ in events {}
        }
        let client = await PollingClient(server)
        await client.post("40")
        #expect(await client.next().hasPrefix("40{"))
        #expect(await client.next() == #"42["welcome"]"#)
    }

    @Test("A second CONNECT to the same namespace is refused, and the first one stays")
    func twice() async {
        let client = await connected(server())
        await client.post("40")
        #expect(await client.next() == #"44{"message":"Already connected"}"#)
        await client.post(#"421["a"]"#)
        #expect(await client.next() == #"431["a"]"#)
        #expect(metrics.gauge("socketio_clients", help: "").current == 1)
    }

    @Test("An unknown namespace is refused, and the connection stays")
    func unknownNamespace() async {
        let client = await PollingClient(server())
        await client.post("40/x,")
        #expect(await client.next() == #"44/x,{"message":"Invalid namespace"}"#)
        await client.post("40/x?token=1,")
        #expect(await client.next() == #"44/x?token=1,{"message":"Invalid namespace"}"#)
        await client.post("40")
        #expect(await client.next().hasPrefix(#"40{"sid":""#))
        #expect(refused("namespace") == 2)
    }

    @Test("A refused client hears why, after what is to be said before")
    func refusedClient() async {
        let client = await PollingClient(server())
        await client.post(#"40/closed,{"token":"t"}"#)
        #expect(await client.next() == #"42/closed,["error",{"message":"busy"}]"#)
        #expect(await client.next() == #"44/closed,{"data":{"token":"t"},"message":"no"}"#)
        #expect(refused("admission") == 1)
        // It is in no namespace, so it may not say anything yet.
        await client.post(#"42/closed,["a"]"#)
        #expect(await client.next() == "400")
    }

    @Test("A client is in so many namespaces at most")
    func namespaces() async {
        let client = await PollingClient(server { $0.maximumNamespaces = 2 })
        await client.post("40\u{1E}40/custom,\u{1E}40/custom?a,")
        _ = await client.next()
        _ = await client.next()
        #expect(await client.next() == #"44/custom?a,{"message":"Too many namespaces"}"#)
    }

    @Test("Whoever is in no namespace after a while is closed", arguments: ["6", "40/x,", "40/closed,"])
    func connectTimeout(said: String) async {
        let client = await PollingClient(server { $0.connectTimeout = .milliseconds(1) })
        await client.post(said)
        var last = await client.next()
        while last.hasPrefix("4"), last != "400" { last = await client.next() }
        // The waiting GET hears of it, or the session is gone already.
        #expect(last == "1" || last == "400")
        #expect(refused("connect_timeout") == 1)
        #expect(closed("forced close") == 1)
    }

    // MARK: What a client may not say

    @Test(
        "Anything before CONNECT ends the connection",
        arguments: [#"42["a"]"#, "41", "431[]", "4", #"451-["a",{"_placeholder":true,"num":0}]"#, "bAQ=="])
    func beforeConnect(packets: String) async {
        let client = await PollingClient(server())
        await client.post(packets)
        #expect(await client.next() == "400")
        #expect(closed("parse error") == 1)
        #expect(refused("packet") == 1)
    }

    @Test(
        "What is no packet ends the connection",
        arguments: [
            "4", "4abc", "4{}", "42{}", "42[]", #"42["connect"]"#, #"44{"message":"x"}"#, "431", #"40"a""#,
            // Text while attachments are due, binary that nobody announced, and a placeholder for what does not come.
            #"451-["a",{"_placeholder":true,"num":0}]"# + "\u{1E}" + #"42["a"]"#, "bAQ==",
            #"451-["a",{"_placeholder":true,"num":0}]"# + "\u{1E}bAQ==\u{1E}bAQ==",
            #"451-["a",{"_placeholder":true,"num":1}]"#, #"4511-["a"]"#,
        ])
    func malformed(packets: String) async {
        let client = await connected(server())
        await client.post(packets)
        #expect(await client.next() == "400")
        #expect(closed("parse error") == 1)
        #expect(refused("packet") == 1)
        #expect(metrics.gauge("socketio_clients", help: "").current == 0)
    }

    @Test("Events of one that has left are not taken, and the connection stays")
    func afterLeaving() async {
        let client = await connected(server())
        await client.post("40/custom,")
        _ = await client.next()
        await client.post("41\u{1E}" + #"421["lost"]"# + "\u{1E}" + #"42/custom,2["a"]"#)
        #expect(await client.next() == #"43/custom,2["a"]"#)
        #expect(metrics.gauge("socketio_clients", help: "").current == 1)
    }

    @Test("A client that says more than its handler takes is closed")
    func flood() async {
        var configuration = Self.patient
        configuration.maximumWaitingEvents = 2
        let server = SocketIOServer(configuration: configuration, metrics: metrics)
        let (taken, take) = AsyncStream<Void>.makeStream()
        server.namespace("/", admit: { _, _ in .accept }) { _, _ in for await _ in taken {} }
        let client = await connected(server)
        await client.post(#"42["a"]"# + "\u{1E}" + #"42["b"]"#)
        #expect(closed("client too fast") == 0)
        await client.post(#"42["c"]"#)
        #expect(await client.next() == "400")
        #expect(refused("flood") == 1)
        #expect(closed("client too fast") == 1)
        take.finish()
    }

    // MARK: Attachments and large texts

    @Test("Attachments come with their event, and go with its acknowledgement")
    func attachments() async {
        let client = await connected(server())
        let packet = #"452-9["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#
        await client.post(packet + "\u{1E}bAQID\u{1E}b/w==")
        #expect(
            await client.next()
                == #"462-9["b",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#)
        #expect(await client.next() == "bAQID")
        #expect(await client.next() == "b/w==")
    }

    @Test("A long text of a spooled packet is an attachment of its event")
    func spooledEvent() async throws {
        let client = await connected(server())
        let long = String(repeating: "x", count: 1 << 20)
        #expect(await client.post(try spooled(#"421["up","\#(long)"]"#)).body == "ok")
        #expect(await client.next() == #"431["up",{"_placeholder":true,"num":0},1048576]"#)
        #expect(await client.post(try spooled(#"42["up","\#(long)\n"]"#)).body == "ok")
        #expect(await client.next() == "400")
        #expect(closed("parse error") == 1)
    }

    // MARK: Leaving

    @Test("A handler that returns takes the client out of its namespace, or ends the connection")
    func serverLeaves() async {
        let client = await connected(server())
        await client.post(#"42["leave"]"#)
        #expect(await client.next() == "41")
        await client.post("40")
        #expect(await client.next().hasPrefix("40{"))
        await client.post(#"42["end"]"#)
        #expect(await client.next() == "41")
        let last = await client.next()
        #expect(last == "1" || last == "400")
        #expect(closed("forced close") == 1)
    }

    @Test("Who left and came back keeps the new place, whatever becomes of the old one")
    func comesBack() async {
        let server = SocketIOServer(configuration: Self.patient, metrics: metrics)
        let (old, becomesOld) = AsyncStream<SocketIOSocket>.makeStream()
        let (held, hold) = AsyncStream<SocketIOEvent>.makeStream()
        server.namespace("/", admit: { _, _ in .accept }) { socket, events in
            for await event in events {
                if event.name == "hold" { hold.yield(event) } else { event.acknowledge([.string(event.name)]) }
            }
            becomesOld.yield(socket)
        }
        let client = await connected(server)
        await client.post(#"421["hold"]"# + "\u{1E}41\u{1E}40")
        #expect(await client.next().hasPrefix("40{"))
        for await socket in old {
            // The client left it long ago: neither is anybody told, nor is the new one taken away.
            #expect(socket.closeReason == "client namespace disconnect")
            socket.disconnect()
            #expect(!socket.emit("late", []))
            break
        }
        for await event in held {
            // The new socket may have asked with the same id.
            event.acknowledge(["late"])
            break
        }
        await client.post(#"421["a"]"#)
        #expect(await client.next() == #"431["a"]"#)
        #expect(metrics.gauge("socketio_clients", help: "").current == 1)
    }
}
