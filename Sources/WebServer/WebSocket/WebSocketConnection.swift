package import Core
internal import Synchronization

/// The server's end of one WebSocket; may be used from any task.
///
/// What is sent waits in a bounded queue. A reader that is too slow for it is closed with 1013: nothing is ever left out
/// of the middle.
package final class WebSocketConnection: Sendable {
    enum Outgoing: Sendable {
        case text([UInt8])
        case binary([UInt8])
        case close(WebSocketCloseCode, reason: String)
        /// The queue was full: closed with 1013.
        case overflow

        var count: Int {
            switch self {
            case .text(let bytes), .binary(let bytes): bytes.count
            case .close, .overflow: 0
            }
        }
    }

    private struct State {
        var queue: [Outgoing] = []
        /// Where the queue's unsent part begins: taking from the front of an array would cost its length.
        var first = 0
        var queuedBytes = 0
        var isOpen = true
        var closeCode: WebSocketCloseCode?
        /// When a piece of a message came that is not whole yet; nil between messages.
        var pieceReceived: Instant?
        var whenDrained: (@Sendable () -> Void)?
        /// Bytes taken since the last time that nothing waited, in the kernel's queue neither.
        var sentSinceDrained = 0
    }

    /// So much must have been sent before it is worth a look whether all of it is with the kernel.
    private static let drainInterval = 64 << 10

    /// Unique in this process.
    package let id: UInt64
    package let path: String
    package let query: [String: String]
    package let headers: HTTPHeaders
    package let remoteAddress: SocketAddress
    /// The name of the listener that took the connection.
    package let listener: String

    private let state = Mutex(State())
    private let queueLimit: Int
    /// Tells the service thread that there is something to send.
    private let wake: @Sendable (UInt64) -> Void

    init(
        id: UInt64, path: String, query: [String: String], headers: HTTPHeaders, remoteAddress: SocketAddress,
        listener: String, queueLimit: Int, wake: @escaping @Sendable (UInt64) -> Void
    ) {
        self.id = id
        self.path = path
        self.query = query
        self.headers = headers
        self.remoteAddress = remoteAddress
        self.listener = listener
        self.queueLimit = queueLimit
        self.wake = wake
    }

    /// False where the connection is closed or closing; the message is then dropped.
    @discardableResult
    package func send(text: String) -> Bool {
        enqueue(.text(Array(text.utf8)))
    }

    /// False where the connection is closed or closing; the message is then dropped.
    @discardableResult
    package func send(binary: [UInt8]) -> Bool {
        enqueue(.binary(binary))
    }

    /// Sends what is queued, then the close frame. `reason` is cut to the 123 bytes that fit.
    package func close(code: WebSocketCloseCode = .normal, reason: String = "") {
        enqueue(.close(code, reason: reason))
    }

    package var isOpen: Bool { state.withLock { $0.isOpen } }
    /// Bytes that wait to be sent.
    package var queuedBytes: Int { state.withLock { $0.queuedBytes } }
    /// The code the connection was closed with, by either side; nil while it is open.
    package var closeCode: WebSocketCloseCode? { state.withLock { $0.closeCode } }

    /// Calls `action`, on the server's thread, when the kernel has taken all that was sent; not after every message, but before 128 KiB
    /// went unseen. Once, before anything is sent.
    func whenDrained(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.whenDrained = action }
    }

    @discardableResult
    private func enqueue(_ item: Outgoing) -> Bool {
        let (isAccepted, needsWake) = state.withLock { state -> (Bool, Bool) in
            guard state.isOpen else { return (false, false) }
            if case .close(let code, _) = item {
                state.isOpen = false
                state.closeCode = code
            } else if state.queuedBytes + item.count > queueLimit {
                // The reader does not keep up: what is queued is worth nothing to it any more.
                state.isOpen = false
                state.closeCode = .tryAgainLater
                state.queue = [.overflow]
                state.first = 0
                state.queuedBytes = 0
                return (false, true)
            }
            state.queue.append(item)
            state.queuedBytes += item.count
            // Behind another item it needs no call: the service thread takes items until there are none.
            return (true, state.queue.count - state.first == 1)
        }
        if needsWake { wake(id) }
        return isAccepted
    }

    // MARK: The service thread's side

    func takeNext() -> (item: Outgoing, hasMore: Bool)? {
        state.withLock { state in
            guard state.first < state.queue.count else { return nil }
            let item = state.queue[state.first]
            state.first += 1
            state.queuedBytes -= item.count
            state.sentSinceDrained += item.count
            let hasMore = state.first < state.queue.count
            if !hasMore || state.first > 256 {
                state.queue.removeFirst(state.first)
                state.first = 0
            }
            return (item, hasMore)
        }
    }

    /// Whether the service thread is to come back once the kernel takes more, though nothing waits.
    var owesDrain: Bool {
        state.withLock { $0.whenDrained != nil && $0.sentSinceDrained >= Self.drainInterval }
    }

    /// When the last piece of a message came that is still on its way; nil between messages. Who sends one cannot say anything else.
    var pieceReceived: Instant? { state.withLock { $0.pieceReceived } }

    func didReceive(pieceAt instant: Instant?) {
        state.withLock { $0.pieceReceived = instant }
    }

    func didDrain() {
        let action = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.sentSinceDrained >= Self.drainInterval else { return nil }
            state.sentSinceDrained = 0
            return state.whenDrained
        }
        action?()
    }

    func didClose(_ code: WebSocketCloseCode) {
        state.withLock { state in
            state.isOpen = false
            if state.closeCode == nil { state.closeCode = code }
            state.queue = []
            state.first = 0
            state.queuedBytes = 0
        }
    }
}
