package import Core

/// When a robot that is not connected is called again.
///
/// A robot serves one client at a time. Where we lost it without a goodbye it goes on holding our place for 30 to 45 s and
/// refuses us like a stranger; it also refuses calls that come within seconds of each other (HTTP 429).
package struct ReconnectionPolicy: Sendable {
    package struct Configuration: Sendable, Equatable {
        /// After the first failure; doubled with each that follows.
        package var firstDelay: Duration = .seconds(1)
        package var maximumDelay: Duration = .seconds(30)
        /// Varies each delay by up to this part of it, so that several servers or robots do not call in step.
        package var jitter = 0.2
        /// After HTTP 429 at least; robots ask for 10 to 15 s.
        package var tooSoonDelay: Duration = .seconds(15)
        /// While another client, or our own lost connection, holds the robot.
        package var busyDelay: Duration = .seconds(15)
        /// How long a robot holds the place of a client that fell silent.
        package var slotHold: Duration = .seconds(45)
        /// A connection that lasted this long was a good one: the next failure is a first one.
        package var stableAfter: Duration = .seconds(10)

        package init() {}
    }

    /// What to do next, and why a robot may refuse us meanwhile.
    package struct Retry: Sendable, Equatable {
        package var delay: Duration
        /// How long ago our connection was lost that the robot may still hold; nil where it holds none of ours.
        package var heldSince: Duration?
    }

    package let configuration: Configuration
    private let random: RandomSource
    private var failures = 0
    private var connectedAt: Instant?
    /// When a robot may last have lost us without a goodbye.
    private var leftAt: Instant?

    package init(configuration: Configuration = Configuration(), random: RandomSource) {
        self.configuration = configuration
        self.random = random
    }

    /// Failures since the last good connection.
    package var failureCount: Int { failures }

    package mutating func connected(now: Instant) {
        connectedAt = now
        leftAt = nil
    }

    /// The connection, or the attempt, is over.
    /// - Parameters:
    ///   - code: of the failure (``PhaseFailure/code``); nil where the robot said goodbye.
    ///   - leavesSlot: true where the robot had answered our offer and was told no goodbye: it may hold our place.
    package mutating func ended(code: String?, leavesSlot: Bool, now: Instant) -> Retry {
        if let connectedAt, now - connectedAt >= configuration.stableAfter { failures = 0 }
        connectedAt = nil
        if leavesSlot { leftAt = now }
        if let left = leftAt, now - left > configuration.slotHold { leftAt = nil }
        let heldSince = leftAt.map { now - $0 }
        let doubled = backoff
        failures = min(failures + 1, 32)
        switch code {
        case "busy": return Retry(delay: varied(configuration.busyDelay), heldSince: heldSince)
        case "too_soon": return Retry(delay: varied(max(configuration.tooSoonDelay, doubled)), heldSince: heldSince)
        // Time does not mend these; somebody may.
        case "key_required", "key_rejected", "not_a_robot":
            return Retry(delay: varied(configuration.maximumDelay), heldSince: heldSince)
        default: return Retry(delay: varied(doubled), heldSince: heldSince)
        }
    }

    private var backoff: Duration {
        let factor = failures < 16 ? 1 << failures : 1 << 16
        return min(configuration.firstDelay * factor, configuration.maximumDelay)
    }

    /// Never shorter than a robot asks for: the variation only adds.
    private func varied(_ delay: Duration) -> Duration {
        delay + delay * configuration.jitter * (Double(random.uint16()) / Double(UInt16.max))
    }
}
