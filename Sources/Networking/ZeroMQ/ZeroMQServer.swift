internal import CLinux
internal import CZeroMQ
internal import Core
internal import Glibc

/// Wakes a thread that waits for sockets; any thread may signal.
package final class WakeUp: Sendable {
    let descriptor: Int32

    package init() throws(SocketError) {
        descriptor = clinux_eventfd()
        guard descriptor >= 0 else { throw SocketError(returned: descriptor, place: "make an eventfd") }
    }

    deinit {
        clinux_close(descriptor)
    }

    package func signal() {
        clinux_eventfd_signal(descriptor)
    }

    func drain() {
        clinux_eventfd_drain(descriptor)
    }

    /// Sleeps until somebody signals.
    package func wait() {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&watched, 1, -1) < 1 {}
        drain()
    }
}

/// A ROUTER socket that others connect to, with the allow-list at its door. Used by one thread at a time.
@safe package final class ZeroMQServer {
    /// Who may connect.
    package struct Guard: Sendable {
        package var secretKey: CurveKey
        package var allowedKeys: Set<CurveKey>
        package var domain: String

        package init(secretKey: CurveKey, allowedKeys: Set<CurveKey>, domain: String) {
            self.secretKey = secretKey
            self.allowedKeys = allowedKeys
            self.domain = domain
        }
    }

    private let socket: ZeroMQSocket
    private let door: ZeroMQSocket?
    private let guardian: Guard?
    private let wakeUp: WakeUp
    /// Peers that were turned away at the door so far.
    package private(set) var refusedCount = 0
    package let endpoint: String

    /// Binds. `guardian` nil: everybody who reaches the endpoint may connect.
    package init(
        endpoint: String, limits: ZeroMQSocket.Limits = ZeroMQSocket.Limits(), guardian: Guard?, wakeUp: WakeUp
    ) throws(ZeroMQError) {
        let context = try ZeroMQContext()
        if let guardian {
            // Before the socket that asks it: a door that is not there is an open one.
            var doorLimits = ZeroMQSocket.Limits()
            doorLimits.parts = 8
            let door = try ZeroMQSocket(.reply, context: context, limits: doorLimits)
            try door.bind("inproc://zeromq.zap.01")
            self.door = door
            let socket = try ZeroMQSocket(.router, context: context, limits: limits)
            try socket.serveCurve(guardian.secretKey, domain: guardian.domain)
            self.socket = socket
        } else {
            door = nil
            socket = try ZeroMQSocket(.router, context: context, limits: limits)
        }
        try socket.bind(endpoint)
        self.endpoint = socket.lastEndpoint
        self.guardian = guardian
        self.wakeUp = wakeUp
    }

    /// Sleeps until a message, a wake-up or the end of `timeout` (nil: for ever); opens the door to who knocks meanwhile.
    package func wait(_ timeout: Duration?) {
        var items = unsafe [
            zmq_pollitem_t(socket: socket.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
            zmq_pollitem_t(socket: nil, fd: wakeUp.descriptor, events: Int16(ZMQ_POLLIN), revents: 0),
        ]
        if let door {
            unsafe items.append(zmq_pollitem_t(socket: door.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
        }
        let count = unsafe Int32(items.count)
        guard unsafe zmq_poll(&items, count, timeout.map(Self.pollTimeout) ?? -1) > 0 else { return }
        if unsafe items[1].revents != 0 { wakeUp.drain() }
        if unsafe items.count > 2 && items[2].revents != 0 { answerTheDoor() }
    }

    /// Whole milliseconds, rounded up, so that a deadline has passed when the wait ends.
    static func pollTimeout(_ duration: Duration) -> Int {
        max(0, Int((min(duration, .seconds(3600)).nanoseconds + 999_999) / 1_000_000))
    }

    private func answerTheDoor() {
        guard let door, let guardian else { return }
        while case .message(let parts)? = try? door.receive() {
            guard let request = ZAPRequest(parts.map(\.bytes)) else {
                // A REP socket owes an answer to whatever came.
                _ = try? door.send([Array("1.0".utf8), [], Array("500".utf8), [], [], []])
                continue
            }
            let isAllowed = request.publicKey.map(guardian.allowedKeys.contains) ?? false
            if !isAllowed { refusedCount += 1 }
            _ = try? door.send(request.answer(isAllowed: isAllowed))
        }
    }

    /// One message of one peer, without waiting; the first part is the peer's routing id.
    package func receive() throws(ZeroMQError) -> ZeroMQSocket.Reception {
        try socket.receive()
    }

    /// False where that peer is gone or takes no more.
    package func send(_ parts: [[UInt8]], to peer: [UInt8]) throws(ZeroMQError) -> Bool {
        try socket.send([peer] + parts)
    }
}
