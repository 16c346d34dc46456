import Core
import Networking
import Synchronization

@testable import Go2Bridge

/// A robot's HTTP server on loopback whose every byte a test chooses. After its steps it says nothing more.
final class ScriptedRobot: Sendable {
    enum Step: Sendable {
        case send(String)
        case close
        /// One byte after another, so far apart, for ever.
        case drip(every: Duration)
        /// So many bytes at once.
        case flood(Int)

        /// A whole answer as Boost.Beast gives it: with a length, and without a word about closing.
        static func answer(_ status: String = "200 OK", _ body: String) -> Step {
            .send("HTTP/1.1 \(status)\r\nServer: Boost.Beast/1.0\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
    }

    struct Request: Sendable, Equatable {
        /// Numbers the TCP connection, from 1.
        var connection: Int
        var line: String
        /// Lower-case, without the request line.
        var fields: String
        var body: String
    }

    typealias Script = @Sendable (Request) -> [Step]

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var heard: CheckedContinuation<Void, Never>?
    }

    let port: UInt16
    private let loop: EventLoop
    private let state = Mutex(State())

    init(_ script: @escaping Script) async throws {
        loop = try EventLoop(name: "scripted-robot")
        try loop.start()
        var limits = TCPListener.Limits()
        limits.connection.outgoingBytes = 16 << 20
        let listener = try TCPListener(binding: SocketAddress(.loopbackV4, 0), limits: limits)
        port = listener.localAddress.port
        let loop = loop
        _ = await loop.perform { [self] in
            try? listener.start(on: loop) { connection in
                let number = self.state.withLock { state in
                    state.connections += 1
                    return state.connections
                }
                var received: [UInt8] = []
                try? connection.start(
                    onBytes: { bytes in
                        received += Array(bytes)
                        guard let request = Self.takeRequest(&received, on: number) else { return }
                        let heard = self.state.withLock { state in
                            state.requests.append(request)
                            return state.heard.take()
                        }
                        heard?.resume()
                        for step in script(request) { Self.play(step, on: connection, loop) }
                    }, onClose: { _ in })
            }
        }
    }

    /// Where it is. The other port is one on which nothing ever listens.
    func address(key: RobotKey? = nil, isPlain: Bool = false) -> RobotAddress {
        var address = RobotAddress(.loopbackV4, key: key)
        address.notifyPort = isPlain ? 1 : port
        address.offerPort = isPlain ? port : 1
        return address
    }

    var requests: [Request] { state.withLock { $0.requests } }

    func stop() async { await loop.stop() }

    /// Returns once a request has arrived.
    func firstRequest() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.requests.isEmpty { state.heard = continuation }
                return !state.requests.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }

    private static func play(_ step: Step, on connection: TCPConnection, _ loop: EventLoop) {
        switch step {
        case .send(let text): connection.send(Array(text.utf8))
        case .close: connection.close()
        case .flood(let count): connection.send([UInt8](repeating: UInt8(ascii: "A"), count: count))
        case .drip(let pause):
            guard connection.send([UInt8(ascii: "A")]) else { return }
            loop.schedule(at: loop.now + pause) { play(step, on: connection, loop) }
        }
    }

    private static func takeRequest(_ bytes: inout [UInt8], on connection: Int) -> Request? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n"), let lineEnd = text.firstRange(of: "\r\n") else { return nil }
        let fields = text[lineEnd.upperBound..<end.lowerBound].lowercased()
        let field = fields.firstRange(of: "content-length: ").map { fields[$0.upperBound...] }
        let length = field.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        let headSize = text[..<end.upperBound].utf8.count
        guard bytes.count >= headSize + length else { return nil }
        let body = String(decoding: bytes[headSize..<(headSize + length)], as: UTF8.self)
        bytes.removeFirst(headSize + length)
        return Request(
            connection: connection, line: String(text[..<lineEnd.lowerBound]), fields: fields, body: body)
    }
}

extension ScriptedRobot {
    static let answerSDP = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"

    /// A robot that does everything right: `con_notify` under `seal`, `con_ing_02468` with the exact cipher, closing after
    /// each answer.
    static func wellBehaved(
        seal: RobotCipherSuite.Seal, data2: JSONValue?,
        reply: JSONValue = ["sdp": .string(answerSDP), "type": "answer"]
    ) -> Script {
        { request in
            if request.line.contains(" /con_notify ") {
                return [.answer(RobotCipherSuite.notice(seal: seal, data2: data2)), .close]
            }
            guard request.line.contains(" /con_ing_02468 "), let (key, _) = RobotCipherSuite.open(request.body) else {
                return [.close]
            }
            return [.answer(RobotCipherSuite.answer(reply, sessionKey: key)), .close]
        }
    }
}

extension ScriptedRobot.Step {
    static func answer(_ body: String) -> ScriptedRobot.Step { .answer("200 OK", body) }
}
