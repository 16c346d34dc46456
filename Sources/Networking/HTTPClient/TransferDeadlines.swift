internal import Core

/// Until when one attempt may go on waiting; does no I/O. The connection's own time is libcurl's business.
struct TransferDeadlines: Sendable {
    private let firstByte: Instant
    private let total: Instant
    private let idleTimeout: Duration
    private var lastByte: Instant?
    private var isPaused = false

    /// - Parameters:
    ///   - began: when the first attempt was made; `total` counts from there.
    ///   - now: when this attempt is made.
    init(_ request: HTTPClientRequest, began: Instant, now: Instant) {
        firstByte = now + request.firstByteTimeout
        total = began + request.totalTimeout
        idleTimeout = request.idleTimeout
    }

    mutating func byteArrived(_ now: Instant) {
        lastByte = now
    }

    /// The reader takes nothing for the moment: the service is not to blame for silence.
    mutating func paused() {
        isPaused = true
    }

    mutating func resumed(_ now: Instant) {
        isPaused = false
        lastByte = now
    }

    /// When to look again.
    var deadline: Instant {
        guard let lastByte else { return min(firstByte, total) }
        return isPaused ? total : min(lastByte + idleTimeout, total)
    }

    func expired(_ now: Instant) -> HTTPClientError.Phase? {
        if now >= total { return .total }
        guard now >= deadline else { return nil }
        return lastByte == nil ? .firstByte : .idle
    }
}
