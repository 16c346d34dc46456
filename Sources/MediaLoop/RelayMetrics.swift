internal import Core
internal import Networking
internal import TURNServer

/// Copies the embedded relay's counters into the metrics once a second.
struct RelayMetrics {
    private typealias Count = (counter: Counter, value: (TURNServer.Counters) -> UInt64)

    private let allocations: Gauge
    private let counts: [Count]
    private let refusedStreams: Counter

    init(_ registry: MetricsRegistry) {
        allocations = registry.gauge("avatar_relay_allocations", help: "Allocations on the embedded relay.")
        func count(_ name: String, _ help: String, _ value: @escaping (TURNServer.Counters) -> UInt64) -> Count {
            (registry.counter(name, help: help), value)
        }
        func refused(_ reason: String, _ value: @escaping (TURNServer.Counters) -> UInt64) -> Count {
            (Self.refusals(registry, reason), value)
        }
        counts = [
            count("avatar_relay_allocations_total", "Allocations that the embedded relay made.") { $0.allocationsMade },
            count("avatar_relay_datagrams_total", "Datagrams of relayed viewers.") { $0.datagramsRelayed },
            count("avatar_relay_challenges_total", "Requests without credentials that were answered 401.") {
                $0.challenged
            },
            refused("credential") { $0.refusedCredential },
            refused("stale nonce") { $0.refusedStaleNonce },
            refused("wrong user") { $0.refusedWrongUser },
            refused("allocation mismatch") { $0.refusedAllocationMismatch },
            refused("quota") { $0.refusedQuota },
            refused("capacity") { $0.refusedCapacity },
            refused("peer") { $0.refusedPeer &+ $0.droppedForbiddenPeer },
            refused("request") { $0.refusedRequest },
            refused("malformed") { $0.droppedMalformed },
            refused("rate") { $0.droppedOverRate },
            refused("amplification") { $0.droppedAmplification },
            refused("no allocation") { $0.droppedWithoutAllocation },
            refused("no permission") { $0.droppedWithoutPermission },
        ]
        refusedStreams = Self.refusals(registry, "connection limit")
    }

    private static func refusals(_ registry: MetricsRegistry, _ reason: String) -> Counter {
        registry.counter(
            "avatar_relay_refused_total", help: "What the embedded relay refused or dropped, by reason.",
            labels: ["reason": reason])
    }

    /// `read` tells the relay's state on the loop's thread; nil where there is no embedded relay, or not any more.
    func start(
        on loop: EventLoop, _ read: @escaping () -> (counters: TURNServer.Counters, allocations: Int, streams: UInt64)?
    ) {
        guard let now = read() else { return }
        allocations.set(Double(now.allocations))
        // The counters are ours alone and only ever hold the relay's own value.
        for (counter, value) in counts { counter.increment(by: value(now.counters) &- counter.current) }
        refusedStreams.increment(by: now.streams &- refusedStreams.current)
        loop.schedule(at: loop.now + .seconds(1)) { start(on: loop, read) }
    }
}
