package import Core

/// Maps the RTP clock of a stream that comes in to our clock, and moves its timestamps so that they never go back.
///
/// Within an epoch the timestamps keep the sender's own distances: what goes out is what came in plus a constant. When a timestamp
/// was due on our clock is told by the fastest packets: one that comes earlier than expected moves the expectation at once, one that
/// comes later by no more than two clocks may drift apart. Sender reports map the one to the other, so a receiver follows the
/// sender's clock, not the network's jitter.
///
/// A stream that was held up, by the network or by a thread that came late, goes on with the sender's distances: what waited comes
/// at once behind it, and the delay is gone. Only one that stays late has another clock than before: its sender paused with the
/// clock stopped.
/// - SeeAlso: [RFC 3550 §5.1](https://www.rfc-editor.org/rfc/rfc3550#section-5.1)
package struct StreamClock: Sendable {
    package struct Stamp: Equatable, Sendable {
        /// What goes out; wraps.
        package var rtpTimestamp: UInt32
        /// When the frame would have come without jitter; never falls, never lies behind its arrival.
        package var presentationTime: Instant
        /// True where the frame does not continue the ones before: the first, and those after a break.
        package var isBreak: Bool
    }

    /// What two clocks may drift apart: 2,000 parts in a million, ten times what quartz does.
    private static let driftDivisor: Int64 = 500
    /// Timestamps that lead the arrivals by more belong to another count; those that are later by more may have been held up.
    package static let tolerance: Duration = .seconds(1)
    /// A stream that was later than ``tolerance`` for so long was not held up.
    package static let patience: Duration = .seconds(4)
    /// Nothing holds a stream up for longer: timestamps that are later belong to another count.
    package static let maximumDelay: Duration = .seconds(10)

    private struct Reference: Sendable {
        var timestamp: UInt32
        /// When that timestamp was due.
        var due: Instant
        /// Added to what comes in.
        var offset: UInt32
        /// When it became later than ``tolerance``; nil while it is not.
        var lateSince: Instant?
        var stamp: Stamp
    }

    private let rateHz: Int64
    private var last: Reference?
    private var isInterrupted = false

    /// - Parameter rateHz: ticks a second of both RTP clocks.
    package init(rateHz: UInt32) {
        self.rateHz = Int64(max(1, rateHz))
    }

    /// The next frame begins anew, whatever its timestamp says.
    package mutating func interrupt() {
        isInterrupted = true
    }

    /// The stamp of a frame, to be called in the order of sequence numbers; `arrival` never falls.
    package mutating func stamp(timestamp: UInt32, arrival: Instant) -> Stamp {
        guard let last else {
            return begin(at: timestamp, rtpTimestamp: ticks(in: arrival - .zero), arrival)
        }
        let step = Int64(Int32(bitPattern: timestamp &- last.timestamp))
        let expected = last.due + duration(of: step)
        let delay = arrival - expected
        let lateSince = delay > Self.tolerance ? last.lateSince ?? arrival : nil
        let isOtherCount =
            delay < .zero - Self.tolerance || delay > Self.maximumDelay
            || step <= 0 && delay > Self.tolerance || lateSince.map { arrival - $0 >= Self.patience } ?? false
        guard !isInterrupted, !isOtherCount else {
            let passed = max(1, ticks(in: arrival - last.stamp.presentationTime))
            return begin(at: timestamp, rtpTimestamp: Int64(last.stamp.rtpTimestamp) &+ passed, arrival)
        }
        let due = delay <= .zero ? arrival : expected + min(delay, duration(of: abs(step) / Self.driftDivisor))
        var moved = timestamp &+ last.offset
        // A timestamp that stands still or goes back is none that a receiver could order frames by.
        if Int32(bitPattern: moved &- last.stamp.rtpTimestamp) <= 0 { moved = last.stamp.rtpTimestamp &+ 1 }
        let stamp = Stamp(
            rtpTimestamp: moved, presentationTime: max(due, last.stamp.presentationTime), isBreak: false)
        self.last = Reference(
            timestamp: timestamp, due: due, offset: last.offset, lateSince: lateSince, stamp: stamp)
        return stamp
    }

    private mutating func begin(at timestamp: UInt32, rtpTimestamp: Int64, _ arrival: Instant) -> Stamp {
        isInterrupted = false
        let moved = UInt32(truncatingIfNeeded: rtpTimestamp)
        let stamp = Stamp(
            rtpTimestamp: moved, presentationTime: max(arrival, last?.stamp.presentationTime ?? arrival), isBreak: true)
        last = Reference(timestamp: timestamp, due: arrival, offset: moved &- timestamp, stamp: stamp)
        return stamp
    }

    private func duration(of ticks: Int64) -> Duration {
        .nanoseconds(ticks / rateHz * 1_000_000_000 + ticks % rateHz * 1_000_000_000 / rateHz)
    }

    private func ticks(in duration: Duration) -> Int64 {
        let nanoseconds = duration.nanoseconds
        return nanoseconds / 1_000_000_000 &* rateHz &+ nanoseconds % 1_000_000_000 * rateHz / 1_000_000_000
    }
}
