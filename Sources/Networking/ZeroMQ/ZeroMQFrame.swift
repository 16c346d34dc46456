internal import CZeroMQ

/// Owns one part of a message as it was received; its bytes are never copied unless asked for.
@safe package final class ZeroMQFrame: @unchecked Sendable {
    // SAFETY: filled once by the socket before anybody else sees it, read only from then on; ZeroMQ lets any thread
    // close a message.
    private let message: UnsafeMutablePointer<zmq_msg_t>

    init() {
        unsafe message = .allocate(capacity: 1)
        unsafe message.initialize(to: zmq_msg_t())
        // Cannot fail: an empty message allocates nothing.
        unsafe _ = zmq_msg_init(message)
    }

    deinit {
        unsafe _ = zmq_msg_close(message)
        unsafe message.deallocate()
    }

    package var count: Int { unsafe zmq_msg_size(message) }

    package var bytes: [UInt8] { unsafe withBytes { unsafe [UInt8]($0) } }

    /// Lends the bytes.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let buffer = unsafe UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count)
        return unsafe body(buffer)
    }

    /// Receives into this frame: whether more parts follow; nil where nothing waits.
    func receive(from socket: UnsafeMutableRawPointer) throws(ZeroMQError) -> Bool? {
        while unsafe zmq_msg_recv(message, socket, ZMQ_DONTWAIT) < 0 {
            switch zmq_errno() {
            case EINTR: continue
            case EAGAIN: return nil
            default: throw .last("receive")
            }
        }
        return unsafe zmq_msg_more(message) != 0
    }
}
