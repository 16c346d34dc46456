import Core
import Networking
import Synchronization

/// An HTTP server whose every byte a test chooses, on loopback. It says nothing that the script does not say.
final class ScriptedServer: Sendable {
    enum Step: Sendable {
        case send([UInt8])
        case close
        /// One byte after another, so far apart, for ever.
        case drip(every: Duration)

        static func text(_ text: String) -> Step { .send(Array(text.utf8)) }
    }
    /// What is answered to the `number`th request (from 1), head and body as one text. No step: nothing is ever said.
    typealias Script = @Sendable (_ request: String, _ number: Int) -> [Step]

    private struct State {
        var requests: [String] = []
        var accepted = 0
        var closed = 0
        var waiter: (isDone: @Sendable (Counts) -> Bool, continuation: CheckedContinuation<Void, Never>)?
    }
    struct Counts: Sendable {
        var requests: Int
        var accepted: Int
        var closed: Int
    }

    let port: UInt16
    private let loop: EventLoop
    private let state = Mutex(State())

    init(_ script: @escaping Script) async throws {
        loop = try EventLoop(name: "scripted-server")
        try loop.start()
        var limits = TCPListener.Limits()
        limits.connection.outgoingBytes = 64 << 20
        let listener = try TCPListener(binding: SocketAddress(.loopbackV4, 0), limits: limits)
        port = listener.localAddress.port
        let loop = loop
        _ = await loop.perform { [self] in
            try? listener.start(on: loop) { connection in
                self.update { $0.accepted += 1 }
                var received: [UInt8] = []
                try? connection.start(
                    onBytes: { bytes in
                        received += Array(bytes)
                        while let request = Self.takeRequest(&received) {
                            let number = self.update { state in
                                state.requests.append(request)
                                return state.requests.count
                            }
                            for step in script(request, number) { Self.play(step, on: connection, loop) }
                        }
                    }, onClose: { _ in self.update { $0.closed += 1 } })
            }
        }
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [String] { state.withLock { $0.requests } }

    func stop() async { await loop.stop() }

    /// Waits until `isDone` holds.
    func wait(until isDone: @escaping @Sendable (Counts) -> Bool) async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.waiter = (isDone, continuation) }
            update { _ in }
        }
    }

    @discardableResult
    private func update<Result: Sendable>(_ change: (inout State) -> Result) -> Result {
        let (result, ready) = state.withLock { state -> (Result, CheckedContinuation<Void, Never>?) in
            let result = change(&state)
            let counts = Counts(requests: state.requests.count, accepted: state.accepted, closed: state.closed)
            guard let waiter = state.waiter, waiter.isDone(counts) else { return (result, nil) }
            state.waiter = nil
            return (result, waiter.continuation)
        }
        ready?.resume()
        return result
    }

    private static func play(_ step: Step, on connection: TCPConnection, _ loop: EventLoop) {
        switch step {
        case .send(let bytes): connection.send(bytes)
        case .close: connection.close()
        case .drip(let pause):
            guard connection.send([0x20]) else { return }
            loop.schedule(at: loop.now + pause) { play(step, on: connection, loop) }
        }
    }

    /// One whole request, if there is one.
    private static func takeRequest(_ bytes: inout [UInt8]) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.upperBound]
        let field = head.lowercased().firstRange(of: "content-length: ").map { head.lowercased()[$0.upperBound...] }
        let length = field.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        let size = head.utf8.count + length
        guard bytes.count >= size else { return nil }
        defer { bytes.removeFirst(size) }
        return String(decoding: bytes.prefix(size), as: UTF8.self)
    }
}

extension ScriptedServer.Step {
    /// A whole answer with a length.
    static func answer(_ status: String = "200 OK", _ body: String = "", _ fields: String...) -> ScriptedServer.Step {
        .text(
            "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n" + fields.map { $0 + "\r\n" }.joined()
                + "\r\n" + body)
    }
}
