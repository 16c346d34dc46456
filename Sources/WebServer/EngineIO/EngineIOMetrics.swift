internal import Core
internal import Synchronization

/// Counts an Engine.IO server's sessions and refusals.
struct EngineIOMetrics: Sendable {
    private let sessions: Gauge
    private let openCount: SharedCount
    private let opens: Counter
    private let dropped: Counter
    private let refusals: [Int: Counter]
    private let closes: [EngineIOSession.CloseReason: Counter]

    private final class SharedCount: Sendable {
        let value = Atomic<Int>(0)
    }

    init(_ metrics: MetricsRegistry) {
        openCount = SharedCount()
        sessions = metrics.gauge("engineio_sessions", help: "Engine.IO sessions that are open")
        opens = metrics.counter("engineio_sessions_opened_total", help: "Engine.IO sessions opened")
        dropped = metrics.counter(
            "engineio_packets_dropped_total", help: "Droppable packets left out for clients that were too slow")
        var refusals: [Int: Counter] = [:]
        for refusal in EngineIOServer.Refusal.allCases {
            refusals[refusal.rawValue] = metrics.counter(
                "engineio_refused_total", help: "Engine.IO requests refused, by the protocol's message",
                labels: ["reason": refusal.message])
        }
        self.refusals = refusals
        var closes: [EngineIOSession.CloseReason: Counter] = [:]
        for reason in EngineIOSession.CloseReason.allCases {
            closes[reason] = metrics.counter(
                "engineio_sessions_closed_total", help: "Engine.IO sessions ended, by reason",
                labels: ["reason": reason.rawValue])
        }
        self.closes = closes
    }

    func opened() {
        opens.increment()
        sessions.set(Double(openCount.value.wrappingAdd(1, ordering: .relaxed).newValue))
    }

    func closed(_ reason: EngineIOSession.CloseReason, dropped count: Int) {
        closes[reason]?.increment()
        dropped.increment(by: UInt64(count))
        sessions.set(Double(openCount.value.wrappingSubtract(1, ordering: .relaxed).newValue))
    }

    func refused(_ refusal: EngineIOServer.Refusal) {
        refusals[refusal.rawValue]?.increment()
    }
}
