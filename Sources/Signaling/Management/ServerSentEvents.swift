internal import Conversation
internal import Core
internal import Synchronization

/// Messages as server-sent events ([HTML §9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html)).
///
/// Each event is named as the WebSocket's message that is its data. Ids count from 1; where a reader is too slow, the oldest
/// events are left out and the ids show the gap.
final class ServerSentEvents: Sendable {
    /// Events that wait for a slow reader.
    static let maximumWaiting = 256
    /// A comment is sent this often, so that proxies keep the connection and a reader that is gone is noticed.
    static let heartbeat: Duration = .seconds(15)

    /// The body of the answer.
    let stream: AsyncStream<[UInt8]>
    private let continuation: AsyncStream<[UInt8]>.Continuation
    private let number = Mutex(0)
    private let time: @Sendable () -> WallTime

    /// - Parameter ended: called once, when the reader is gone or ``finish()`` was called.
    init(
        every heartbeat: Duration = heartbeat, time: @escaping @Sendable () -> WallTime,
        ended: @escaping @Sendable () -> Void = {}
    ) {
        self.time = time
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream(
            bufferingPolicy: .bufferingNewest(Self.maximumWaiting))
        (self.stream, self.continuation) = (stream, continuation)
        continuation.yield(Array(": open\n\n".utf8))
        let beats = Task {
            while (try? await Task.sleep(for: heartbeat)) != nil { continuation.yield(Array(": heartbeat\n\n".utf8)) }
        }
        continuation.onTermination = { _ in
            beats.cancel()
            ended()
        }
    }

    func send(_ message: ServerMessage) {
        // In one step, so that the ids are in the order of the stream.
        number.withLock { number in
            number += 1
            continuation.yield(Self.text(of: message, number: number, at: time()))
        }
    }

    func finish() { continuation.finish() }

    /// What is said on a stage, until it ends.
    static func stream(
        _ events: AsyncStream<ConversationEvent>, every heartbeat: Duration = heartbeat,
        time: @escaping @Sendable () -> WallTime
    ) -> AsyncStream<[UInt8]> {
        let reading = Mutex<Task<Void, Never>?>(nil)
        let written = ServerSentEvents(every: heartbeat, time: time) { reading.withLock { $0?.cancel() } }
        let task = Task {
            for await event in events {
                if let message = ServerMessage(event) { written.send(message) }
            }
            written.finish()
        }
        reading.withLock { $0 = task }
        return written.stream
    }

    static func text(of message: ServerMessage, number: Int, at time: WallTime) -> [UInt8] {
        // JSON text has no line breaks of its own.
        Array("id: \(number)\nevent: \(message.type)\ndata: \(message.text(at: time))\n\n".utf8)
    }
}
