internal import CCURL

/// Owns libcurl's set of transfers and its pool of connections. One thread uses it; ``wakeUp()`` alone is for all.
// SAFETY: curl_multi_wakeup may be called from any thread while the handle lives; HTTPTransferThread keeps to one thread
// for the rest and calls it under the lock that also guards the end of the handle.
@safe final class MultiHandle: @unchecked Sendable {
    /// libcurl's own start, once a process; since 7.84 it may be made by any thread.
    private static let isReady = curl_global_init(CCURL_GLOBAL_ALL) == CURLE_OK

    private let handle: UnsafeMutableRawPointer

    /// Nil where libcurl has no memory or no descriptors.
    init?(_ configuration: HTTPClient.Configuration) {
        guard Self.isReady, let handle = unsafe curl_multi_init() else { return nil }
        unsafe self.handle = handle
        unsafe _ = ccurl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, configuration.keptConnections)
        unsafe _ = ccurl_multi_set_long(handle, CURLMOPT_MAX_TOTAL_CONNECTIONS, configuration.maximumConnections)
    }

    deinit {
        unsafe curl_multi_cleanup(handle)
    }

    func add(_ easy: borrowing EasyHandle) -> Bool {
        unsafe easy.withPointer { unsafe curl_multi_add_handle(handle, $0) == CURLM_OK }
    }

    /// A transfer that is not over yet loses its connection.
    func remove(_ easy: borrowing EasyHandle) {
        unsafe easy.withPointer { unsafe _ = curl_multi_remove_handle(handle, $0) }
    }

    /// Does what can be done without waiting; callbacks run meanwhile.
    func perform() -> Bool {
        var running: Int32 = 0
        return unsafe curl_multi_perform(handle, &running) == CURLM_OK
    }

    /// The next transfer that is over.
    func nextDone() -> (identity: UInt, result: CURLcode)? {
        var result = CURLE_OK
        guard let easy = unsafe ccurl_next_done(handle, &result) else { return nil }
        return (UInt(bitPattern: easy), result)
    }

    /// Waits for a socket, for ``wakeUp()``, for a timer of libcurl's, or for so many milliseconds.
    func wait(_ milliseconds: Int32) {
        unsafe _ = curl_multi_poll(handle, nil, 0, milliseconds, nil)
    }

    func wakeUp() {
        unsafe _ = curl_multi_wakeup(handle)
    }
}
