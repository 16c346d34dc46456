internal import CZeroMQ

/// Owns ZeroMQ's context: one thread of its own for input and output, and whoever may knock at its sockets.
@safe package final class ZeroMQContext: @unchecked Sendable {
    // SAFETY: ZeroMQ's contexts may be used by any thread; the pointer never changes.
    let handle: UnsafeMutableRawPointer

    package init() throws(ZeroMQError) {
        guard let handle = unsafe zmq_ctx_new() else { throw .last("make a context") }
        unsafe self.handle = handle
    }

    /// The sockets hold their context, so that all of them are closed by now.
    deinit {
        unsafe _ = zmq_ctx_term(handle)
    }
}
