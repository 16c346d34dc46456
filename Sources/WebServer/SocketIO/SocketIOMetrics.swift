internal import Core
internal import Synchronization

/// Counts a Socket.IO server's clients and what it refused them.
struct SocketIOMetrics: Sendable {
    enum Refusal: String, CaseIterable {
        case connectTimeout = "connect_timeout"
        case namespace
        case admission
        case flood
        case packet
    }

    private final class SharedCount: Sendable {
        let value = Atomic<Int>(0)
    }

    private let clients: Gauge
    private let count = SharedCount()
    private let refusals: [Refusal: Counter]

    init(_ metrics: MetricsRegistry) {
        clients = metrics.gauge("socketio_clients", help: "Clients in Socket.IO namespaces")
        var refusals: [Refusal: Counter] = [:]
        for refusal in Refusal.allCases {
            refusals[refusal] = metrics.counter(
                "socketio_refused_total", help: "Socket.IO clients and packets refused, by reason",
                labels: ["reason": refusal.rawValue])
        }
        self.refusals = refusals
    }

    func refused(_ refusal: Refusal) { refusals[refusal]?.increment() }
    func malformed(_ error: SocketIOParseError) { refused(.packet) }

    func entered() { clients.set(Double(count.value.wrappingAdd(1, ordering: .relaxed).newValue)) }
    func left() { clients.set(Double(count.value.wrappingSubtract(1, ordering: .relaxed).newValue)) }
}
