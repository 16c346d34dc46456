internal import CLinux
package import Core
internal import Glibc
internal import Synchronization

/// A bound, non-blocking UDP socket.
///
/// Made on any thread (so that a start-up can fail in place), then used by one loop: receive with
/// ``startReceiving(on:into:_:)``, send one datagram with ``send(_:to:)`` and many with ``SendBatch/flush(through:)``.
/// Closed when the last reference goes.
package final class UDPSocket: Sendable {
    package struct Options: Sendable {
        /// Asked of the kernel, in bytes; about 7 ms of a saturated gigabit per MiB.
        package var receiveBufferBytes: Int32 = 4 << 20
        package var sendBufferBytes: Int32 = 4 << 20
        /// Several sockets of this process share the port, and the kernel spreads the senders among them.
        package var sharesPort = false
        package init() {}
    }

    package enum SendOutcome: Equatable, Sendable {
        case sent
        /// The send buffer is full: dropped and counted.
        case dropped
        /// The kernel refused it (unroutable, too long): dropped and counted.
        case refused(errno: Int32)
    }

    /// What happened to this socket since its start.
    package struct Counters: Sendable, Equatable {
        package var datagramsReceived: UInt64 = 0
        /// Longer than the arena's datagram capacity.
        package var datagramsTruncated: UInt64 = 0
        package var datagramsSent: UInt64 = 0
        /// Lost because the send buffer was full.
        package var datagramsDropped: UInt64 = 0
        /// Lost because the kernel refused the destination or the size.
        package var datagramsRefused: UInt64 = 0
        package var systemCalls: UInt64 = 0
    }

    /// The address that was bound, with the port that the kernel chose where 0 was asked for.
    package let localAddress: SocketAddress
    package let descriptor: Int32
    let isIPv6: Bool
    /// False from the start on an old kernel, and after an interface turned out to have no checksum offload.
    let segments: Atomic<Bool>

    let received = Atomic<UInt64>(0)
    let truncated = Atomic<UInt64>(0)
    let sent = Atomic<UInt64>(0)
    let dropped = Atomic<UInt64>(0)
    let refused = Atomic<UInt64>(0)
    let calls = Atomic<UInt64>(0)

    package init(binding address: SocketAddress, _ options: Options = Options()) throws(SocketError) {
        let place = "bind udp \(address)"
        let descriptor = clinux_udp_socket(
            address.endpoint, options.receiveBufferBytes, options.sendBufferBytes, options.sharesPort)
        guard descriptor >= 0 else {
            throw SocketError(returned: descriptor, place: place, holder: PortOwner.describe(address.port, .udp))
        }
        self.descriptor = descriptor
        var endpoint = clinux_endpoint()
        _ = unsafe clinux_local_endpoint(descriptor, &endpoint)
        isIPv6 = !address.ip.isIPv4
        localAddress = SocketAddress(address.ip, endpoint.port)
        segments = Atomic(clinux_supports_udp_segment(descriptor))
    }

    deinit {
        clinux_close(descriptor)
    }

    package var counters: Counters {
        Counters(
            datagramsReceived: received.load(ordering: .relaxed),
            datagramsTruncated: truncated.load(ordering: .relaxed),
            datagramsSent: sent.load(ordering: .relaxed), datagramsDropped: dropped.load(ordering: .relaxed),
            datagramsRefused: refused.load(ordering: .relaxed), systemCalls: calls.load(ordering: .relaxed))
    }

    /// Calls `handler` on the loop for every datagram. The bytes lie in `arena`, may be changed in place, and are valid
    /// until the handler returns.
    package func startReceiving(
        on loop: EventLoop, into arena: ReceiveArena,
        _ handler: @escaping (_ bytes: UnsafeMutableRawBufferPointer, _ source: SocketAddress) -> Void
    ) throws(SocketError) {
        try loop.register(descriptor, for: .readable) { _ in
            // A flood on one socket must not starve the others: at most four batches, then the loop goes round.
            for _ in 0..<4 {
                let count = unsafe self.receive(into: arena, handler)
                if count < arena.count { break }
            }
        }
    }

    package func stopReceiving(on loop: EventLoop) {
        loop.deregister(descriptor)
    }

    /// One `recvmmsg`: how many datagrams it brought; 0 where none waits.
    @discardableResult
    package func receive(
        into arena: ReceiveArena,
        _ handler: (_ bytes: UnsafeMutableRawBufferPointer, _ source: SocketAddress) -> Void
    ) -> Int {
        let batch = unsafe arena.batch
        let count = unsafe clinux_receive_batch_receive(batch, descriptor)
        calls.wrappingAdd(1, ordering: .relaxed)
        // A pending error of an earlier send (ICMP) is reported once and means nothing for what comes next.
        guard count > 0 else { return 0 }
        received.wrappingAdd(UInt64(count), ordering: .relaxed)
        for index in 0..<count {
            let length = unsafe clinux_receive_batch_length(batch, index)
            guard length >= 0 else {
                truncated.wrappingAdd(1, ordering: .relaxed)
                continue
            }
            let bytes = unsafe UnsafeMutableRawBufferPointer(
                start: clinux_receive_batch_bytes(batch, index), count: Int(length))
            unsafe handler(bytes, SocketAddress(clinux_receive_batch_source(batch, index)))
        }
        return Int(count)
    }

    /// Sends one datagram at once; for what does not come in batches.
    @discardableResult
    package func send(_ bytes: UnsafeRawBufferPointer, to destination: SocketAddress) -> SendOutcome {
        let result = unsafe clinux_send_to(
            descriptor, bytes.baseAddress, bytes.count, destination.endpoint, isIPv6)
        calls.wrappingAdd(1, ordering: .relaxed)
        if result >= 0 {
            sent.wrappingAdd(1, ordering: .relaxed)
            return .sent
        }
        let code = Int32(truncatingIfNeeded: -result)
        if code == EAGAIN || code == ENOBUFS {
            dropped.wrappingAdd(1, ordering: .relaxed)
            return .dropped
        }
        refused.wrappingAdd(1, ordering: .relaxed)
        return .refused(errno: code)
    }

    @discardableResult
    package func send(_ bytes: [UInt8], to destination: SocketAddress) -> SendOutcome {
        unsafe bytes.withUnsafeBytes { bytes in unsafe send(bytes, to: destination) }
    }
}

/// Where datagrams are received: `count` slots of `datagramCapacity` bytes, made once and shared by a loop's sockets.
@safe package final class ReceiveArena {
    package let count: Int
    package let datagramCapacity: Int
    let batch: OpaquePointer

    package init(count: Int = 64, datagramCapacity: Int = 2048) {
        precondition(count > 0 && count <= 1024 && datagramCapacity > 0 && datagramCapacity <= 65_536)
        self.count = count
        self.datagramCapacity = datagramCapacity
        unsafe batch = clinux_receive_batch_make(Int32(count), Int32(datagramCapacity))
    }

    deinit {
        unsafe clinux_receive_batch_free(batch)
    }
}
