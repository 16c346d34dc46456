package import Core

/// A token bucket: so many a second, and so many at once.
package struct RateLimit: Sendable {
    /// A second.
    package let rate: Double
    /// At once.
    package let burst: Double
    private var available: Double
    private var updated: Instant?

    package init(rate: Double, burst: Double) {
        self.rate = rate
        self.burst = burst
        available = burst
    }

    /// Takes one; false where none is left.
    package mutating func take(now: Instant) -> Bool {
        if let updated, now > updated { available = min(burst, available + (now - updated).seconds * rate) }
        updated = now
        guard available >= 1 else { return false }
        available -= 1
        return true
    }
}
