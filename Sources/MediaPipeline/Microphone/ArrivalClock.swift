internal import Core

/// When packets of one stream would arrive without jitter, and how much jitter there is.
///
/// The fastest packets tell: one that comes earlier than expected moves the expectation at once, one that comes later by
/// no more than two clocks may drift apart.
struct ArrivalClock: Sendable {
    /// What two clocks may drift apart: 2,000 parts in a million, ten times what quartz does.
    private static let driftDivisor: Int64 = 500
    /// The jitter that is remembered shrinks by so much a second.
    private static let forgetting: Duration = .milliseconds(10)
    /// Beyond this an expectation is worth nothing.
    private static let longestDelay: Duration = .seconds(1)

    private var expected: (timestamp: UInt32, arrival: Instant)?
    private var jitter: Duration = .zero

    /// How long it makes sense to wait for a packet whose successor has come.
    var wait: Duration {
        min(max(jitter, JitterBuffer.shortestWait), JitterBuffer.longestWait)
    }

    /// The arrival of this packet had there been no jitter.
    mutating func handle(timestamp: UInt32, arrival: Instant) -> Instant {
        guard let before = expected else {
            expected = (timestamp, arrival)
            return arrival
        }
        let samples = Int64(Int32(bitPattern: timestamp &- before.timestamp))
        let passed = Duration.nanoseconds(samples * 1_000_000_000 / Int64(OpusFormat.sampleRateHz))
        var due = before.arrival + passed
        let delay = arrival - due
        if delay > Self.longestDelay || delay < .zero - Self.longestDelay {
            due = arrival
        } else if delay < .zero {
            due = arrival
        } else {
            due += min(delay, .nanoseconds(abs(passed.nanoseconds) / Self.driftDivisor))
            let forgotten = Self.forgetting.nanoseconds * abs(samples) / Int64(OpusFormat.sampleRateHz)
            jitter = max(delay, jitter - .nanoseconds(min(forgotten, jitter.nanoseconds)))
        }
        expected = (timestamp, due)
        return due
    }
}
