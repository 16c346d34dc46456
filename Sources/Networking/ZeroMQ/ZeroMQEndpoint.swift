internal import Core
internal import Glibc
internal import Synchronization

/// A bound socket from which one thread receives, and into which every thread sends, without a hop to that one.
package final class ZeroMQEndpoint: Sendable {
    private let socket: Mutex<ZeroMQSocket?>
    private let changeDescriptor: Int32
    private let wakeUp: WakeUp
    /// Where it is bound.
    package let address: String

    /// Binds; everybody who reaches the address may connect.
    package init(
        _ kind: ZeroMQSocket.Kind, address: String, limits: ZeroMQSocket.Limits = ZeroMQSocket.Limits(), wakeUp: WakeUp
    ) throws(ZeroMQError) {
        let socket = try ZeroMQSocket(kind, context: ZeroMQContext(), limits: limits)
        try socket.bind(address)
        changeDescriptor = try socket.changeDescriptor
        self.address = socket.lastEndpoint
        self.wakeUp = wakeUp
        self.socket = Mutex(socket)
    }

    /// Sleeps until something changes, a wake-up or the end of `timeout` (nil: for ever). The receiving thread's.
    package func wait(_ timeout: Duration?) {
        var watched = [
            pollfd(fd: changeDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&watched, 2, timeout.map { Int32(ZeroMQServer.pollTimeout($0)) } ?? -1)
        if watched[1].revents != 0 { wakeUp.drain() }
    }

    /// At most `most` messages, fairly of all peers; one with too many parts is empty. Ask until none comes before waiting again.
    package func receive(most: Int) -> [[ZeroMQFrame]] {
        socket.withLock { socket in
            var messages: [[ZeroMQFrame]] = []
            while messages.count < most {
                switch try? socket?.receive() {
                case .message(let parts): messages.append(parts)
                case .tooManyParts: messages.append([])
                case .nothing, nil: return messages
                }
            }
            return messages
        }
    }

    /// False where the peer is gone or takes no more.
    @discardableResult
    package func send(_ parts: [[UInt8]]) -> Bool {
        let (isSent, hasMessage) = socket.withLock { socket in
            guard let socket else { return (false, false) }
            return ((try? socket.send(parts)) ?? false, socket.hasMessage)
        }
        // Sending swallowed the signal that the receiving thread waits for.
        if hasMessage { wakeUp.signal() }
        return isSent
    }

    /// Nothing is received or sent any more.
    package func close() {
        socket.withLock { $0 = nil }
    }
}
