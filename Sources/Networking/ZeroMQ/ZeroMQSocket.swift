internal import CZeroMQ
internal import Core

/// Owns one ZeroMQ socket. Used by one thread at a time.
@safe package final class ZeroMQSocket {
    package enum Kind: Sendable {
        case router, dealer, reply, publish

        var number: Int32 {
            switch self {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .reply: ZMQ_REP
            case .publish: ZMQ_PUB
            }
        }
    }

    /// Bounds against a peer that sends without end.
    package struct Limits: Sendable {
        /// Bytes of one part; a peer that sends a longer one loses its connection.
        package var partBytes = 16 << 20
        /// Parts of one message, the routing id included; the rest is read and thrown away.
        package var parts = 4
        /// Messages that wait to be received, for each peer; then it is not read any more.
        package var waitingToBeReceived: Int32 = 64
        /// Messages that wait to be sent to each peer; then sending fails.
        package var waitingToBeSent: Int32 = 4096

        package init() {}
    }

    /// What one look at the socket brought.
    package enum Reception {
        case nothing
        case message([ZeroMQFrame])
        /// Its first part; there were more than allowed.
        case tooManyParts(ZeroMQFrame)
    }

    private let context: ZeroMQContext
    let handle: UnsafeMutableRawPointer
    private let limits: Limits

    package init(_ kind: Kind, context: ZeroMQContext, limits: Limits = Limits()) throws(ZeroMQError) {
        guard let handle = unsafe zmq_socket(context.handle, kind.number) else { throw .last("make a socket") }
        unsafe self.handle = handle
        self.context = context
        self.limits = limits
        try set(ZMQ_LINGER, 0, "set linger")
        try set(ZMQ_SNDHWM, limits.waitingToBeSent, "set the send limit")
        try set(ZMQ_RCVHWM, limits.waitingToBeReceived, "set the receive limit")
        try set(ZMQ_IPV6, 1, "allow IPv6")
        if kind == .router {
            // Sending to a peer that is gone, or takes no more, is an error and not a silent loss.
            try set(ZMQ_ROUTER_MANDATORY, 1, "be told of lost peers")
        }
        var size = Int64(limits.partBytes)
        guard unsafe zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &size, 8) == 0 else { throw .last("limit messages") }
    }

    deinit {
        unsafe _ = zmq_close(handle)
    }

    // MARK: Options

    private func set(_ option: Int32, _ value: Int32, _ place: String) throws(ZeroMQError) {
        var value = value
        guard unsafe zmq_setsockopt(handle, option, &value, 4) == 0 else { throw .last(place) }
    }

    private func set(_ option: Int32, _ bytes: [UInt8], _ place: String) throws(ZeroMQError) {
        guard unsafe zmq_setsockopt(handle, option, bytes, bytes.count) == 0 else { throw .last(place) }
    }

    /// Peers must know the server's public key, and are asked of at the ZAP address under `domain`.
    package func serveCurve(_ secretKey: CurveKey, domain: String) throws(ZeroMQError) {
        try set(ZMQ_CURVE_SERVER, 1, "serve CURVE")
        try set(ZMQ_CURVE_SECRETKEY, secretKey.bytes, "set the secret key")
        try set(ZMQ_ZAP_DOMAIN, Array(domain.utf8), "set the ZAP domain")
    }

    package func useCurve(_ keys: CurveKeyPair, server: CurveKey) throws(ZeroMQError) {
        try set(ZMQ_CURVE_SERVERKEY, server.bytes, "set the server's key")
        try set(ZMQ_CURVE_PUBLICKEY, keys.publicKey.bytes, "set the public key")
        try set(ZMQ_CURVE_SECRETKEY, keys.secretKey.bytes, "set the secret key")
    }

    package func bind(_ endpoint: String) throws(ZeroMQError) {
        guard unsafe zmq_bind(handle, endpoint) == 0 else { throw .last("bind \(endpoint)") }
    }

    package func connect(_ endpoint: String) throws(ZeroMQError) {
        guard unsafe zmq_connect(handle, endpoint) == 0 else { throw .last("connect \(endpoint)") }
    }

    /// Where the socket is bound, with the port that a `*` became.
    package var lastEndpoint: String {
        var text = [CChar](repeating: 0, count: 512)
        var count = text.count
        guard unsafe zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &count) == 0 else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Becomes readable when something changes; what that is, ``hasMessage`` tells, which must then be asked until it is false.
    var changeDescriptor: Int32 {
        get throws(ZeroMQError) { try option(ZMQ_FD, "find its descriptor") }
    }

    /// Whether a message waits. Ask after every message that was sent, too: sending swallows the descriptor's signal.
    var hasMessage: Bool {
        ((try? option(ZMQ_EVENTS, "look for messages")) ?? 0) & Int32(ZMQ_POLLIN) != 0
    }

    private func option(_ name: Int32, _ place: String) throws(ZeroMQError) -> Int32 {
        var value: Int32 = 0
        var count = 4
        guard unsafe zmq_getsockopt(handle, name, &value, &count) == 0 else { throw .last(place) }
        return value
    }

    // MARK: Messages

    /// Takes one whole message, without waiting.
    package func receive() throws(ZeroMQError) -> Reception {
        var parts: [ZeroMQFrame] = []
        var isTooLong = false
        var hasMore = true
        while hasMore {
            let part = ZeroMQFrame()
            // The parts of a message arrive together: only the first look can find nothing.
            guard let more = try unsafe part.receive(from: handle) else { return .nothing }
            hasMore = more
            if parts.count < limits.parts { parts.append(part) } else { isTooLong = true }
        }
        return isTooLong ? .tooManyParts(parts[0]) : .message(parts)
    }

    /// Sends one message of one or more parts, without waiting. False where the peer is gone or takes no more.
    package func send(_ parts: [[UInt8]]) throws(ZeroMQError) -> Bool {
        for (index, part) in parts.enumerated() {
            let flags = index + 1 < parts.count ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT
            while unsafe zmq_send(handle, part, part.count, flags) < 0 {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN, EHOSTUNREACH: return false
                default: throw .last("send")
                }
            }
        }
        return true
    }

    /// Waits until this socket has a message, at most so long.
    package func wait(_ timeout: Duration) -> Bool {
        var item = unsafe zmq_pollitem_t(socket: handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
        return unsafe zmq_poll(&item, 1, ZeroMQServer.pollTimeout(timeout)) > 0
    }
}
