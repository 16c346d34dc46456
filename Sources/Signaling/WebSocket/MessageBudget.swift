package import Core

/// How many messages a connection may send: a bucket that refills evenly.
///
/// A browser with many interfaces trickles some dozens of candidates in a burst; nothing honest comes near these limits.
package struct MessageBudget: Sendable {
    /// Messages at once.
    package static let capacity = 200.0
    /// Messages a second in the long run.
    package static let refill = 20.0

    private var level = Self.capacity
    private var last: Instant

    package init(now: Instant) {
        last = now
    }

    /// Takes one message's worth; false where the connection is to be closed.
    package mutating func spend(now: Instant) -> Bool {
        level = min(Self.capacity, level + max(0, (now - last).seconds) * Self.refill)
        last = now
        guard level >= 1 else { return false }
        level -= 1
        return true
    }
}
