import Core
import Networking
import Synchronization

/// A TCP client that sends what a test says, byte by byte if need be, and collects what comes back.
final class RawClient: Sendable {
    private struct State {
        var received: [UInt8] = []
        var isClosed = false
        var waiter: (isDone: @Sendable ([UInt8]) -> Bool, continuation: CheckedContinuation<Void, Never>)?
    }
    private let loop: EventLoop
    private let state = Mutex(State())
    private let connection: LoopBound<TCPConnection?>

    init(port: UInt16) async throws {
        loop = try EventLoop(name: "raw-client")
        try loop.start()
        connection = LoopBound(nil, on: loop)
        _ = await loop.perform { [self] in
            let made = try? TCPConnection.connect(to: SocketAddress(.loopbackV4, port), on: loop)
            try? made?.start(
                onBytes: { bytes in self.update { $0.received += Array(bytes) } },
                onClose: { _ in self.update { $0.isClosed = true } })
            connection.withValue { $0 = made }
        }
    }

    private func update(_ change: (inout State) -> Void) {
        let ready = state.withLock { state -> CheckedContinuation<Void, Never>? in
            change(&state)
            guard let waiter = state.waiter, state.isClosed || waiter.isDone(state.received) else { return nil }
            state.waiter = nil
            return waiter.continuation
        }
        ready?.resume()
    }

    func send(_ text: String) async { await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async {
        _ = await loop.perform { [self] in connection.withValue { _ = $0?.send(bytes) } }
    }

    /// Waits until `isDone` holds for everything received so far, or the connection is closed.
    @discardableResult
    func receive(until isDone: @escaping @Sendable ([UInt8]) -> Bool) async -> [UInt8] {
        await withCheckedContinuation { continuation in
            state.withLock { $0.waiter = (isDone, continuation) }
            update { _ in }
        }
        return state.withLock { $0.received }
    }

    /// Everything up to the server's close.
    func receiveAll() async -> String {
        String(decoding: await receive(until: { _ in false }), as: UTF8.self)
    }

    /// One response with a Content-Length; what was received is then forgotten.
    func response() async -> Response {
        await receive(until: { Response($0) != nil })
        let bytes = takeReceived()
        return Response(bytes) ?? Response(head: "closed: " + String(decoding: bytes, as: UTF8.self), body: [])
    }

    func takeReceived() -> [UInt8] {
        state.withLock { state in
            defer { state.received = [] }
            return state.received
        }
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    func close() async {
        _ = await loop.perform { [self] in connection.withValue { $0?.close() } }
        await loop.stop()
    }
}

/// One response as it came over the wire.
struct Response {
    var head: String
    var body: [UInt8]

    var status: Int { Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? {
        for line in head.split(separator: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.first?.lowercased() == name.lowercased(), parts.count == 2 { return String(parts[1].dropFirst()) }
        }
        return nil
    }

    init(head: String, body: [UInt8]) {
        self.head = head
        self.body = body
    }

    /// Nil where it is not complete yet.
    init?(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        head = String(text[..<end.lowerBound])
        let headCount = text[..<end.upperBound].utf8.count
        body = Array(bytes.dropFirst(headCount))
        guard let field = header("Content-Length") else { return }
        guard body.count >= Int(field) ?? 0 else { return nil }
    }
}
