internal import Core
internal import Networking

/// Copies the sockets' counters into the metrics once a second.
struct SocketMetrics: Sendable {
    private struct Instruments {
        let socket: UDPSocket
        let received: Gauge
        let sent: Gauge
        let dropped: Gauge
        let refused: Gauge
        let calls: Gauge
    }
    private let instruments: [Instruments]

    init(_ sockets: MediaSockets, _ registry: MetricsRegistry) {
        instruments = sockets.named.map { name, socket in
            func gauge(_ what: String, _ help: String) -> Gauge {
                registry.gauge("avatar_udp_\(what)", help: help, labels: ["socket": name])
            }
            return Instruments(
                socket: socket, received: gauge("datagrams_received", "Datagrams received since the start."),
                sent: gauge("datagrams_sent", "Datagrams sent since the start."),
                dropped: gauge("datagrams_dropped", "Datagrams lost because the send buffer was full."),
                refused: gauge("datagrams_refused", "Datagrams that the kernel refused."),
                calls: gauge("system_calls", "Send and receive calls."))
        }
    }

    func start(on loop: EventLoop) {
        loop.submit { self.update(loop) }
    }

    private func update(_ loop: EventLoop) {
        for each in instruments {
            let counters = each.socket.counters
            each.received.set(Double(counters.datagramsReceived))
            each.sent.set(Double(counters.datagramsSent))
            each.dropped.set(Double(counters.datagramsDropped))
            each.refused.set(Double(counters.datagramsRefused))
            each.calls.set(Double(counters.systemCalls))
        }
        loop.schedule(at: loop.now + .seconds(1)) { update(loop) }
    }
}
