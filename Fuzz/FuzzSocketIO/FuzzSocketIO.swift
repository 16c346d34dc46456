import Core
import Synchronization

@testable import WebServer

/// What a Socket.IO client says: one packet, a spooled one, and a whole connection's payloads to a server without sockets.
@c(LLVMFuzzerTestOneInput)
package func fuzzSocketIO(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    checkPacket(input)
    checkLongTexts(input)
    checkConnection(input)
    return 0
}

/// What is read is written to something that reads the same.
private func checkPacket(_ bytes: [UInt8]) {
    guard let packet = try? SocketIOPacket(parsing: bytes) else { return }
    precondition(packet.attachmentCount <= 10 && packet.namespace.first == "/")
    if case .event(let name, _) = packet.kind { precondition(!SocketIOPacket.reservedEvents.contains(name)) }
    if case .connectError = packet.kind { preconditionFailure("a client refuses") }
    precondition((try? SocketIOPacket(parsing: Array(packet.text.utf8))) == packet, "a packet changed")
}

/// Long texts, here of more than eight bytes, are found as a slow reader finds them.
private func checkLongTexts(_ bytes: [UInt8]) {
    let slice = spool(bytes)
    let spooled = slice.bytes
    let found = LongTexts(slice, firstNumber: 3, maximumInline: maximumInline)
    let expected = slowly(bytes)
    precondition(found?.rest == expected?.rest, "the rest is another")
    precondition(found?.texts.map { spooled[$0.range] } == expected?.texts, "the texts are others")
}

private func spool(_ bytes: [UInt8]) -> SpooledSlice {
    guard var file = SpoolFile(directory: "/tmp", budget: budget), bytes.withUnsafeBytes({ file.append($0) }),
        let spooled = file.finish()
    else { preconditionFailure("no spool file, or the budget is not given back") }
    return SpooledSlice(spooled, 0..<bytes.count)
}

private func slowly(_ bytes: [UInt8]) -> (rest: [UInt8], texts: [[UInt8]])? {
    var rest: [UInt8] = []
    var texts: [[UInt8]] = []
    var start: Int?
    var hasEscapes = false
    var isEscaped = false
    for (index, byte) in bytes.enumerated() {
        if let first = start {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                (isEscaped, hasEscapes) = (true, true)
            } else if byte == UInt8(ascii: "\"") {
                start = nil
                let text = bytes[first + 1..<index]
                if text.count <= maximumInline {
                    rest += bytes[first...index]
                } else {
                    guard !hasEscapes, texts.count < 16 else { return nil }
                    rest += Array("{\"_placeholder\":true,\"num\":\(3 + texts.count)}".utf8)
                    texts.append(Array(text))
                }
            }
        } else if byte == UInt8(ascii: "\"") {
            (start, hasEscapes) = (index, false)
        } else {
            rest.append(byte)
        }
    }
    return start == nil ? (rest, texts) : nil
}

private let maximumInline = 8
private let budget = SpoolBudget(limit: 1 << 20)

/// The end of a connection, as it was told on whatever thread.
private final class Ending: Sendable {
    private let isTold = Atomic<Bool>(false)

    var isOver: Bool { isTold.load(ordering: .acquiring) }
    func tell() { precondition(!isTold.exchange(true, ordering: .acquiringAndReleasing), "two ends") }
}

/// The input as payloads and large messages, cut at newlines, from a client that is in no namespace yet. It never takes what it is told.
private func checkConnection(_ input: [UInt8]) {
    let connection = EngineIOConnection(
        id: "fuzz", handshake: EngineIOHandshake(HTTPRequest(method: .get, path: "/")),
        configuration: configuration.engine, webSocket: nil)
    let client = SocketIOClient(connection, configuration, namespaces, metrics)
    defer { withExtendedLifetime(client) {} }
    let ending = Ending()
    // Weak, as a server holds it: the client holds the connection.
    connection.attach { [weak client] _, happening in
        switch happening {
        case .received(let message):
            precondition(!ending.isOver, "something is received after the end")
            client?.receive(message)
        case .closed(let reason):
            ending.tell()
            client?.connectionClosed(reason.rawValue)
        }
    }
    for body in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
        // A line with `s` before it is a large packet, one with `S` a large attachment.
        if connection.isOpen, body.first == UInt8(ascii: "s") {
            client.receive(.largeText(spool(Array(body.dropFirst()))))
            continue
        }
        if connection.isOpen, body.first == UInt8(ascii: "S") {
            client.receive(.largeBinary(spool(Array(body.dropFirst())), isBase64: true))
            continue
        }
        let wasOpen = connection.isOpen
        let isAccepted = connection.receive(EngineIOPayload.packets(in: Array(body)))
        precondition(wasOpen || !isAccepted, "a payload is taken after the end")
        precondition(connection.queuedBytes <= configuration.engine.maximumQueuedBytes)
    }
    connection.close()
    precondition(!connection.isOpen && !connection.send(text: "late"), "something is said after the end")
    precondition(ending.isOver && clients.current == 0, "an end that is not told, or somebody who stays in a namespace")
}

private let configuration: SocketIOServer.Configuration = {
    var configuration = SocketIOServer.Configuration()
    configuration.engine.maximumQueuedBytes = 4_096
    configuration.maximumWaitingEvents = 8
    configuration.maximumNamespaces = 3
    return configuration
}()

private let namespaces: [String: SocketIOServer.Namespace] = [
    "/": SocketIOServer.Namespace(admit: { _, _ in .accept }, open: answer),
    "/a": SocketIOServer.Namespace(admit: { _, _ in .accept }, open: answer),
    "/no": SocketIOServer.Namespace(
        admit: { handshake, _ in .refuse(handshake.auth, before: [SocketIOEmission("error", [])]) }, open: answer),
]

private func answer(_ socket: SocketIOSocket) -> SocketIOReceiver {
    SocketIOReceiver(
        received: { event in
            precondition(event.attachments.count <= 10, "more attachments than allowed")
            event.acknowledge(event.arguments)
            socket.emit(event.name, event.arguments, isDroppable: true)
            if event.name == "leave" { socket.disconnect() }
            return event.name != "flood"
        }, closed: { precondition(!socket.isConnected, "a socket is over and does not know") })
}

private let registry = MetricsRegistry()
private let metrics = SocketIOMetrics(registry)
private let clients = registry.gauge("socketio_clients", help: "")
