import Core
import TestSupport

@testable import PeerConnection

/// The data channels of two peers on a virtual network with a hand-moved clock: packets take a while, and may be lost, doubled or
/// overtaken.
///
/// The SCTP library has one clock for the whole process, so tests that let time pass run in a process of their own: see
/// ``SCTPTests``.
final class ChannelPair {
    enum Side { case client, server }

    private struct Flight {
        let due: Instant
        let destination: Side
        let bytes: [UInt8]
    }

    /// Shares out of 100.
    struct Faults {
        var lost = 0
        var doubled = 0
        var late = 0
    }

    var client: DataChannels
    var server: DataChannels
    private(set) var now: Instant
    var latency: Duration = .milliseconds(10)
    var faults = Faults()
    /// Asked for each packet on its way to that side; true loses it.
    var loses: (Side, [UInt8]) -> Bool = { _, _ in false }
    private let random: RandomSource
    private var flights: [Flight] = []
    var clientEvents: [DataChannels.Event] = []
    var serverEvents: [DataChannels.Event] = []
    private(set) var packets = 0

    /// A pair after another in one process begins where the other's clock stands.
    init(
        client: DataChannelLimits = DataChannelLimits(), server: DataChannelLimits = DataChannelLimits(),
        seed: UInt64 = 1, now: Instant = Instant(nanoseconds: 1_000_000_000)
    ) {
        self.now = now
        self.client = DataChannels(limits: client)
        self.server = DataChannels(limits: server)
        random = .seeded(seed)
    }

    func start(_ side: Side, maximumMessageBytes: Int = 262_144) {
        let application = NegotiatedApplication(
            index: 0, mid: "0", remotePort: 5000, remoteMaximumMessageBytes: maximumMessageBytes)
        switch side {
        case .client: client.start(application, isClient: true, now: now)
        case .server: server.start(application, isClient: false, now: now)
        }
    }

    /// Brings both up.
    func connect(maximumMessageBytes: Int = 262_144) -> Bool {
        start(.client, maximumMessageBytes: maximumMessageBytes)
        start(.server, maximumMessageBytes: maximumMessageBytes)
        return run(for: .seconds(20)) { $0.state == .established && $1.state == .established }
    }

    /// Lets time pass, event by event, until `condition` holds or `limit` is over. True where it held.
    @discardableResult
    func run(
        for limit: Duration,
        until condition: (borrowing DataChannels, borrowing DataChannels) -> Bool = { _, _ in false }
    ) -> Bool {
        let end = now + limit
        while true {
            drain()
            if condition(client, server) { return true }
            let due = flights.map(\.due) + [client.deadline, server.deadline].compactMap { $0 }
            guard let next = due.min(), next <= end else {
                now = end
                return condition(client, server)
            }
            now = max(now, next)
            let arriving = flights.filter { $0.due <= now }
            flights.removeAll { $0.due <= now }
            for flight in arriving {
                switch flight.destination {
                case .client: _ = client.handle(flight.bytes, now: now)
                case .server: _ = server.handle(flight.bytes, now: now)
                }
            }
            if let deadline = client.deadline, deadline <= now { client.handleTimeout(now: now) }
            if let deadline = server.deadline, deadline <= now { server.handleTimeout(now: now) }
        }
    }

    func drain() {
        while let packet = client.pollTransmit() { put(packet, to: .server) }
        while let packet = server.pollTransmit() { put(packet, to: .client) }
        while let event = client.pollEvent() { clientEvents.append(event) }
        while let event = server.pollEvent() { serverEvents.append(event) }
    }

    private func put(_ bytes: [UInt8], to side: Side) {
        packets += 1
        guard !loses(side, bytes), !happens(faults.lost) else { return }
        let copies = happens(faults.doubled) ? 2 : 1
        for _ in 0..<copies {
            let delay = happens(faults.late) ? latency * 3 : latency
            flights.append(Flight(due: now + delay, destination: side, bytes: bytes))
        }
    }

    private func happens(_ share: Int) -> Bool {
        share > 0 && Int(random.uint32() % 100) < share
    }
}

extension [DataChannels.Event] {
    /// The messages, in the order of their coming.
    var messages: [DataChannelMessage] {
        compactMap { event in
            if case .message(_, let message) = event { message } else { nil }
        }
    }

    /// The channels that were opened.
    var opened: [(id: DataChannelID, settings: DataChannelSettings, isIncoming: Bool)] {
        compactMap { event in
            if case .opened(let id, let settings, let isIncoming) = event { (id, settings, isIncoming) } else { nil }
        }
    }

    var closed: [DataChannelID] {
        compactMap { event in
            if case .closed(let id) = event { id } else { nil }
        }
    }

    var endings: [String] {
        compactMap { event in
            if case .ended(let reason) = event { reason } else { nil }
        }
    }
}
