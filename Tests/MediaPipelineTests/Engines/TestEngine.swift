import Core
import Networking

@testable import MediaPipeline

/// An engine of the tests' own: a real DEALER that says what the test wants.
final class TestEngine {
    struct Silence: Error {
        let awaited: String
    }

    private let socket: ZeroMQSocket

    init(_ endpoint: String, keys: CurveKeyPair? = nil, server: CurveKey? = nil) throws {
        socket = try ZeroMQSocket(.dealer, context: ZeroMQContext())
        if let keys, let server { try socket.useCurve(keys, server: server) }
        try socket.connect(endpoint)
    }

    func send(_ header: JSONValue, _ payload: [UInt8]? = nil) throws {
        _ = try socket.send([Array(header.text.utf8)] + (payload.map { [$0] } ?? []))
    }

    func send(raw parts: [[UInt8]]) throws {
        _ = try socket.send(parts)
    }

    static func avatar(
        _ id: String, width: Int = 64, height: Int = 64, format: String = "bgr24", patches: Bool = false,
        idleCount: Int = 2
    ) -> JSONValue {
        [
            "id": .string(id), "width": JSONValue(width), "height": JSONValue(height), "fps": 25,
            "pixel_format": .string(format), "patches": .boolean(patches), "idle_count": JSONValue(idleCount),
        ]
    }

    func hello(_ avatars: [JSONValue], token: String? = nil, canPrepare: Bool = false) throws {
        try send([
            "type": "hello", "version": 1, "engine": "test", "token": JSONValue(token), "avatars": .array(avatars),
            "audio": ["rate": 16000], "can_prepare": .boolean(canPrepare),
        ])
    }

    /// The next message, whatever it is; pings are answered where the test does not want them.
    func receiveAny(answersPings: Bool = true) throws -> (header: JSONValue, payload: [UInt8]) {
        let deadline = SystemClock.now() + .seconds(20)
        while SystemClock.now() < deadline {
            guard case .message(let parts) = try socket.receive() else {
                _ = socket.wait(.milliseconds(500))
                continue
            }
            guard let header = parts.first.flatMap({ JSONValue(parsing: $0.bytes) }) else { continue }
            guard answersPings, header["type"] == "ping" else { return (header, parts.count > 1 ? parts[1].bytes : []) }
            try send(["type": "pong", "id": header["id"] ?? .null])
        }
        throw Silence(awaited: "anything")
    }

    /// The next message of that type; others are passed over.
    func receive(_ type: String, answersPings: Bool = true) throws -> (header: JSONValue, payload: [UInt8]) {
        let deadline = SystemClock.now() + .seconds(20)
        while SystemClock.now() < deadline {
            let message = try receiveAny(answersPings: answersPings)
            if message.header["type"] == .string(type) { return message }
        }
        throw Silence(awaited: type)
    }

    /// Sends what is asked for: grey pictures, brighter by one each.
    func sendIdlePictures(_ avatar: String, width: Int = 64, height: Int = 64, count: Int = 2) throws {
        var sent = 0
        while sent < count {
            let request = try receive("idle_request").header
            guard case .array(let indices)? = request["indices"] else { continue }
            for index in indices {
                let value = UInt8(100 + (index.integerValue ?? 0))
                try send(
                    ["type": "idle_picture", "avatar": .string(avatar), "index": index],
                    [UInt8](repeating: value, count: width * height * 3))
                sent += 1
            }
        }
    }

    func sendFrame(
        session: String, epoch: Int = 0, utterance: String, firstSample: Int, _ picture: [UInt8]
    ) throws {
        try send(
            [
                "type": "frame", "session": .string(session), "epoch": JSONValue(epoch),
                "utterance": .string(utterance), "first_sample": JSONValue(firstSample), "kind": "full",
            ], picture)
    }
}

extension EngineSupervisor.Limits {
    /// No engine hangs by them, however long its test must wait for a processor.
    static var patient: EngineSupervisor.Limits {
        var limits = EngineSupervisor.Limits()
        limits.pong = .seconds(3600)
        return limits
    }
}
