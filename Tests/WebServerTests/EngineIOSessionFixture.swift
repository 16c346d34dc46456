import Core
import TestSupport

@testable import WebServer

/// A session and a client that speaks to it in the protocol's own bytes; what the session does is told line by line.
final class EngineIOSessionFixture {
    private var clock = ManualClock()
    var session: EngineIOSession

    /// - Parameter webSocket: the WebSocket that it begins with; nil: polling.
    init(webSocket: UInt64? = nil, _ configure: (inout EngineIOConfiguration) -> Void = { _ in }) {
        var configuration = EngineIOConfiguration()
        configure(&configuration)
        session = EngineIOSession(configuration, webSocket: webSocket, now: clock.now)
    }

    var now: Instant { clock.now }
    var untilDeadline: Duration? { session.deadline.map { $0 - clock.now } }

    func handle(_ input: EngineIOSession.Input) -> [String] {
        session.handle(input, now: clock.now).map(Self.line)
    }

    func get(_ id: UInt64) -> [String] { handle(.pollReceived(id)) }
    func post(_ body: String) -> [String] {
        handle(.payloadReceived(EngineIOPayload.packets(in: Array(body.utf8))))
    }
    func open(_ id: UInt64) -> [String] { handle(.webSocketOpened(id)) }
    func frame(_ id: UInt64, _ text: String) -> [String] {
        handle(.packetReceived(id, EngineIOPacket(WebSocketMessage.text(text))))
    }
    func say(_ text: String, isDroppable: Bool = false) -> [String] {
        handle(.send(.message(text), isDroppable: isDroppable))
    }
    /// Time passes, and the timer says so.
    func wait(_ duration: Duration) -> [String] {
        clock.advance(by: duration)
        return handle(.timeout)
    }
    /// Time passes, and the timer is late.
    func sleep(_ duration: Duration) { clock.advance(by: duration) }

    private static func line(_ output: EngineIOSession.Output) -> String {
        switch output {
        case .answerPoll(let id, let packets):
            "GET \(id): " + String(decoding: EngineIOPayload.body(of: packets), as: UTF8.self)
        case .refusePoll(let id): "GET \(id): 400"
        case .acceptPayload: "POST: ok"
        case .refusePayload: "POST: 400"
        case .sendOnWebSocket(let id, .binary(let bytes)): "WS \(id): \(bytes)"
        case .sendOnWebSocket(let id, let packet): "WS \(id): " + (packet.text ?? "?")
        case .closeWebSocket(let id): "WS \(id) closed"
        case .deliver(.message(let text)): "received \(text)"
        case .deliver(.binary(let bytes)): "received \(bytes)"
        case .deliver: "received a large one"
        case .closed(let reason): "closed: \(reason.rawValue)"
        }
    }
}
