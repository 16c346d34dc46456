internal import Core

/// A budget that refills with time up to a bound.
///
/// The owner gives rate and bound with each use, so that an account may be moved to other terms.
struct TokenBucket: Sendable {
    private var level: Double
    private var filledAt: Instant

    init(level: Double, now: Instant) {
        self.level = level
        self.filledAt = now
    }

    /// Takes `amount` where it is there; else takes nothing and says false.
    mutating func take(_ amount: Double, perSecond rate: Double, atMost bound: Double, now: Instant) -> Bool {
        refill(perSecond: rate, atMost: bound, now: now)
        guard level >= amount else { return false }
        level -= amount
        return true
    }

    /// Adds what was earned otherwise than by waiting.
    mutating func earn(_ amount: Double, atMost bound: Double) {
        level = max(level, min(bound, level + amount))
    }

    private mutating func refill(perSecond rate: Double, atMost bound: Double, now: Instant) {
        guard now > filledAt else { return }
        level = min(bound, level + (now - filledAt).seconds * rate)
        filledAt = now
    }
}
