internal import CWebSockets
internal import Core
internal import Glibc

/// One `struct lws`, borrowed: libwebsockets owns it and says when it goes (LWS_CALLBACK_WSI_DESTROY).
///
/// Every call belongs to the service thread.
@safe struct LWSInstance {
    private let pointer: OpaquePointer
    private static let peek = Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)

    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    func requestWritable() {
        unsafe lws_callback_on_writable(pointer)
    }

    /// Ends the connection once the service thread is back in its loop.
    func kill() {
        unsafe clws_kill(pointer)
    }

    func clearTimeout() {
        unsafe lws_set_timeout(pointer, NO_PENDING_TIMEOUT, 0)
    }

    /// While a request is being answered, libwebsockets would spin on unread input: it must not look.
    func setReading(_ isOn: Bool) {
        unsafe lws_rx_flow_control(pointer, isOn ? 1 : 0)
    }

    /// Whether the last write is still in libwebsockets' own buffer.
    var hasBufferedOutput: Bool {
        unsafe lws_partial_buffered(pointer) != 0
    }

    /// Whether the peer has finished its side, as seen without reading.
    var peerHasFinished: Bool {
        var byte: UInt8 = 0
        return unsafe recv(lws_get_socket_fd(pointer), &byte, 1, Self.peek) == 0
    }

    /// The answer is complete: back to awaiting a request. False where the connection ends instead.
    func completeTransaction() -> Bool {
        unsafe lws_http_transaction_completed(pointer) == 0
    }

    func setCloseReason(_ code: WebSocketCloseCode, _ reason: String) {
        // A control frame carries 125 bytes, two of them the code; cut between characters.
        var bytes = Array(reason.utf8.prefix(123))
        while !bytes.isEmpty, String(validating: bytes, as: UTF8.self) == nil { bytes.removeLast() }
        let count = bytes.count
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            unsafe lws_close_reason(
                pointer, lws_close_status(rawValue: UInt32(code.value)), buffer.baseAddress, count)
        }
    }

    func setTimer(seconds: Int64) {
        unsafe lws_set_timer_usecs(pointer, seconds * 1_000_000)
    }

    /// Whether the bytes of the LWS_CALLBACK_RECEIVE that runs are the last of their message.
    var isMessageComplete: Bool {
        unsafe lws_is_final_fragment(pointer) != 0 && lws_remaining_packet_payload(pointer) == 0
    }

    var isMessageBinary: Bool {
        unsafe lws_frame_is_binary(pointer) != 0
    }

    // MARK: The request's headers (while LWS_CALLBACK_HTTP or _CONFIRM_UPGRADE runs)

    /// The value of a header; fragments of a repeated header are joined by commas.
    func header(_ token: lws_token_indexes) -> String? {
        let length = unsafe Int(lws_hdr_total_length(pointer, token))
        guard length > 0 else { return nil }
        return unsafe text(capacity: length) { unsafe lws_hdr_copy(pointer, $0, Int32($1), token) }
    }

    /// One fragment of a header: `name=value` of the query.
    func fragment(_ index: Int, of token: lws_token_indexes) -> String? {
        let length = unsafe Int(lws_hdr_fragment_length(pointer, token, Int32(index)))
        guard length > 0 else { return nil }
        return unsafe text(capacity: length) {
            unsafe lws_hdr_copy_fragment(pointer, $0, Int32($1), token, Int32(index))
        }
    }

    /// A header that libwebsockets has no token for; `name` is lower-case and ends with a colon.
    func customHeader(_ name: String) -> String? {
        let length = unsafe Int(lws_hdr_custom_length(pointer, name, Int32(name.utf8.count)))
        guard length > 0 else { return nil }
        return unsafe text(capacity: length) {
            unsafe lws_hdr_custom_copy(pointer, $0, Int32($1), name, Int32(name.utf8.count))
        }
    }

    /// Nil where the bytes are no UTF-8, so that no two readers can differ about them.
    private func text(capacity: Int, _ copy: (UnsafeMutablePointer<CChar>, Int) -> Int32) -> String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity + 1) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            let count = unsafe Int(copy(start, capacity + 1))
            guard count >= 0, count <= capacity else { return nil }
            return unsafe String(validating: buffer[..<count], as: UTF8.self)
        }
    }

    // MARK: Writing (in a writable callback)

    /// Hands `bytes` to libwebsockets, which keeps what the kernel does not take. False: the connection is dead.
    func write(_ bytes: [UInt8], as kind: lws_write_protocol) -> Bool {
        let padding = Int(CLWS_PRE)
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: padding + bytes.count) { buffer in
            guard let start = buffer.baseAddress else { return false }
            unsafe bytes.withUnsafeBufferPointer { source in
                guard let first = source.baseAddress else { return }
                unsafe (start + padding).initialize(from: first, count: source.count)
            }
            return unsafe lws_write(pointer, start + padding, bytes.count, kind) >= 0
        }
    }
}
