internal import Conversation
internal import Core

/// A conversation as server-sent events ([HTML §9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html)).
///
/// Each event is named as the WebSocket's message of the same content, which is its data. Ids count from 1; where a
/// reader is too slow, the oldest events are left out and the ids show the gap.
enum ServerSentEvents {
    /// Events that wait for a slow reader.
    static let maximumWaiting = 256
    /// A comment is sent this often, so that proxies keep the connection and a reader that is gone is noticed.
    static let heartbeat: Duration = .seconds(15)

    static func stream(
        _ events: AsyncStream<ConversationEvent>, every heartbeat: Duration = heartbeat,
        time: @escaping @Sendable () -> WallTime
    ) -> AsyncStream<[UInt8]> {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(bufferingPolicy: .bufferingNewest(maximumWaiting))
        continuation.yield(Array(": open\n\n".utf8))
        let beats = Task {
            while (try? await Task.sleep(for: heartbeat)) != nil { continuation.yield(Array(": heartbeat\n\n".utf8)) }
        }
        let reading = Task {
            var number = 0
            for await event in events {
                guard let message = ServerMessage(event) else { continue }
                number += 1
                continuation.yield(text(of: message, number: number, at: time()))
            }
            beats.cancel()
            continuation.finish()
        }
        continuation.onTermination = { _ in
            beats.cancel()
            reading.cancel()
        }
        return stream
    }

    static func text(of message: ServerMessage, number: Int, at time: WallTime) -> [UInt8] {
        // JSON text has no line breaks of its own.
        Array("id: \(number)\nevent: \(message.type)\ndata: \(message.text(at: time))\n\n".utf8)
    }
}
