internal import Core

/// How many messages a viewer may send: a token bucket that begins full and holds a second's worth.
struct MessageRate {
    /// Messages a second.
    let limit: Int
    private var tokens: Double
    private var filledAt: Instant

    init(limit: Int, now: Instant) {
        self.limit = limit
        tokens = Double(limit)
        filledAt = now
    }

    /// False where the viewer has sent too many.
    mutating func take(now: Instant) -> Bool {
        tokens = min(Double(limit), tokens + (now - filledAt).seconds * Double(limit))
        filledAt = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
