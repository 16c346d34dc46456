internal import CLinux
package import Core
internal import Glibc

/// One TCP connection of one loop, accepted or made by us; every call belongs to the loop's thread.
///
/// Reading begins with ``start(onBytes:onClose:)``. Writing is queued up to a limit; what exceeds it is refused whole, so
/// that a message is never sent by half.
@safe package final class TCPConnection {
    package enum CloseReason: Equatable, Sendable {
        /// The peer finished.
        case peerClosed
        /// We called ``TCPConnection/close()``.
        case closedLocally
        /// The listener's idle limit passed without a byte from the peer.
        case idle
        case failed(errno: Int32)
    }

    package struct Limits: Sendable {
        /// Bytes that wait for a slow reader.
        package var outgoingBytes = 256 << 10
        package init() {}
    }

    /// Unique in this process; never used twice.
    package let id: UInt64
    package let remoteAddress: SocketAddress
    package let localAddress: SocketAddress
    package private(set) var lastReceived: Instant

    private let loop: EventLoop
    private let descriptor: Int32
    private let limits: Limits
    private var isOpen = true
    private var isConnecting: Bool
    private var queue: [UInt8] = []
    private var queueStart = 0
    private var onBytes: ((UnsafeMutableRawBufferPointer) -> Void)?
    private var onClose: ((CloseReason) -> Void)?
    /// The listener's own bookkeeping, called before `onClose`.
    var onEnd: (() -> Void)?
    /// Refused because the queue was full.
    package private(set) var messagesRefused: UInt64 = 0

    init(
        id: UInt64, descriptor: Int32, remote: SocketAddress, loop: EventLoop, limits: Limits, isConnecting: Bool
    ) {
        self.id = id
        self.descriptor = descriptor
        self.remoteAddress = remote
        self.loop = loop
        self.limits = limits
        self.isConnecting = isConnecting
        var endpoint = clinux_endpoint()
        _ = unsafe clinux_local_endpoint(descriptor, &endpoint)
        localAddress = SocketAddress(endpoint)
        lastReceived = loop.now
    }

    deinit {
        if isOpen { clinux_close(descriptor) }
    }

    /// Starts to connect; ``start(onBytes:onClose:)`` follows at once, and what is sent meanwhile waits in the queue.
    package static func connect(
        to remote: SocketAddress, from local: SocketAddress? = nil, on loop: EventLoop, limits: Limits = Limits()
    ) throws(SocketError) -> TCPConnection {
        let code: Int32
        if let local {
            var endpoint = local.endpoint
            code = unsafe clinux_tcp_connect(remote.endpoint, &endpoint)
        } else {
            code = clinux_tcp_connect(remote.endpoint, nil)
        }
        guard code >= 0 else { throw SocketError(returned: code, place: "connect tcp \(remote)") }
        return TCPConnection(
            id: ConnectionNumber.next(), descriptor: code, remote: remote, loop: loop, limits: limits,
            isConnecting: true)
    }

    /// Begins to read. `onBytes` borrows the bytes until it returns; `onClose` is called once, last.
    package func start(
        onBytes: @escaping (UnsafeMutableRawBufferPointer) -> Void, onClose: @escaping (CloseReason) -> Void
    ) throws(SocketError) {
        unsafe self.onBytes = onBytes
        self.onClose = onClose
        try loop.register(descriptor, for: isConnecting || hasQueue ? [.readable, .writable] : .readable) { readiness in
            self.handle(readiness)
        }
    }

    package var pendingBytes: Int { queue.count - queueStart }
    private var hasQueue: Bool { queueStart < queue.count }

    /// Sends or queues all of `bytes`; false, and nothing is sent, where the connection is closed or its queue is full.
    @discardableResult
    package func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        loop.assertOnLoop()
        guard isOpen else { return false }
        guard pendingBytes + bytes.count <= limits.outgoingBytes else {
            messagesRefused += 1
            return false
        }
        var sent = 0
        if !hasQueue && !isConnecting {
            let result = unsafe clinux_send(descriptor, bytes.baseAddress, bytes.count)
            // An error surfaces as a hang-up on the next turn, where closing cannot surprise the caller.
            if result > 0 { sent = result }
            if sent == bytes.count { return true }
        }
        unsafe queue.append(contentsOf: bytes[sent...])
        loop.setInterest([.readable, .writable], of: descriptor)
        return true
    }

    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        unsafe bytes.withUnsafeBytes { bytes in unsafe send(bytes) }
    }

    package func close() {
        end(.closedLocally)
    }

    func end(_ reason: CloseReason) {
        loop.assertOnLoop()
        guard isOpen else { return }
        isOpen = false
        loop.deregister(descriptor)
        clinux_close(descriptor)
        let closed = onClose
        onEnd?()
        // The handlers usually hold whoever holds this connection: let go of them.
        unsafe onBytes = nil
        onClose = nil
        onEnd = nil
        queue = []
        queueStart = 0
        closed?(reason)
    }

    private func handle(_ readiness: Readiness) {
        if isConnecting, !readiness.isDisjoint(with: [.writable, .hangup]) {
            let code = clinux_socket_error(descriptor)
            guard code == 0 else { return end(.failed(errno: code)) }
            isConnecting = false
        }
        if readiness.contains(.writable) { drainQueue() }
        if isOpen, !readiness.isDisjoint(with: [.readable, .hangup]) { read() }
    }

    private func drainQueue() {
        while hasQueue {
            let result = unsafe queue.withUnsafeBytes { bytes in
                unsafe clinux_send(descriptor, bytes.baseAddress.map { unsafe $0 + queueStart }, pendingBytes)
            }
            if result == -Int(EAGAIN) { break }
            guard result > 0 else { return end(.failed(errno: Int32(truncatingIfNeeded: -result))) }
            queueStart += result
        }
        if !hasQueue {
            queue.removeAll(keepingCapacity: queue.capacity <= 65_536)
            queueStart = 0
            loop.setInterest(.readable, of: descriptor)
        } else if queueStart > 65_536 {
            queue.removeFirst(queueStart)
            queueStart = 0
        }
    }

    private func read() {
        // At most 256 KiB a turn, so that one fast sender does not starve the loop's other work.
        unsafe withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer in
            for _ in 0..<16 where isOpen {
                let count = unsafe clinux_receive(descriptor, buffer.baseAddress, buffer.count)
                if count == -Int(EAGAIN) || count == -Int(EINTR) { return }
                if count == 0 { return end(.peerClosed) }
                if count < 0 { return end(.failed(errno: Int32(truncatingIfNeeded: -count))) }
                lastReceived = loop.now
                unsafe onBytes?(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }
}
