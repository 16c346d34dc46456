package import Core

/// One stage's media clock: frame `n` is due at `origin + n / framesPerSecond`, packet `m` of sound at `origin + m * 20 ms`.
///
/// Due times and RTP timestamps are computed from the index alone, so picture and sound cannot drift apart.
package struct MediaClock: Sendable {
    package let origin: Instant
    package let framesPerSecond: Int64

    package init(origin: Instant, framesPerSecond: Int) {
        self.origin = origin
        self.framesPerSecond = Int64(max(1, framesPerSecond))
    }

    /// The last whole second before `instant`: stages that begin there all tick at the same moments, so that one turn of
    /// the media loop serves many of them.
    package static func sharedOrigin(before instant: Instant) -> Instant {
        Instant(nanoseconds: instant.nanoseconds - instant.nanoseconds % 1_000_000_000)
    }

    package func time(ofFrame index: Int64) -> Instant {
        origin + .nanoseconds(index * 1_000_000_000 / framesPerSecond)
    }

    package func time(ofPacket index: Int64) -> Instant {
        origin + .nanoseconds(index * OpusFormat.packetDuration.nanoseconds)
    }

    /// The last frame that is due at `instant`.
    package func frame(dueAt instant: Instant) -> Int64 {
        let elapsed = max(0, instant.nanoseconds - origin.nanoseconds)
        // Whole seconds apart, so that years of uptime do not overflow.
        let (seconds, rest) = elapsed.quotientAndRemainder(dividingBy: 1_000_000_000)
        var index = seconds * framesPerSecond + rest * framesPerSecond / 1_000_000_000
        // Due times are rounded down, so the next frame may already be due.
        if time(ofFrame: index + 1) <= instant { index += 1 }
        return index
    }

    /// The last packet that is due at `instant`.
    package func packet(dueAt instant: Instant) -> Int64 {
        max(0, instant.nanoseconds - origin.nanoseconds) / OpusFormat.packetDuration.nanoseconds
    }

    /// In units of 1/90,000 s; wraps.
    package func rtpTimestamp(ofFrame index: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: index * 90_000 / framesPerSecond)
    }

    /// In units of 1/48,000 s; wraps.
    package func rtpTimestamp(ofPacket index: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: index * Int64(OpusFormat.samplesPerPacket))
    }
}
