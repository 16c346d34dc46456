import Core

/// An Internet in memory: hosts, NATs, and a path that loses, delays, reorders and duplicates as a seed has it.
///
/// It carries datagrams between socket addresses and knows nothing of what is in them. A test sends with
/// ``send(_:from:to:now:)``, moves its clock to ``nextArrival`` and takes ``arrivals(until:)``.
public struct VirtualNetwork {
    /// What one datagram may suffer on its way.
    public struct Conditions: Sendable {
        /// 0...1
        package var loss: Double
        /// 0...1
        package var duplication: Double
        package var delay: Duration
        /// Up to this is added to the delay, at random: datagrams sent within it may overtake each other.
        package var jitter: Duration

        package init(
            loss: Double = 0, duplication: Double = 0, delay: Duration = .milliseconds(10), jitter: Duration = .zero
        ) {
            self.loss = loss
            self.duplication = duplication
            self.delay = delay
            self.jitter = jitter
        }

        package static let perfect = Conditions()
        /// 15 % lost, 10 % twice, 10 to 90 ms.
        package static let bad = Conditions(loss: 0.15, duplication: 0.1, jitter: .milliseconds(80))
    }

    public struct Arrival: Sendable {
        package let bytes: [UInt8]
        /// As the receiver sees it: behind its NATs.
        package let source: SocketAddress
        /// The receiving socket's own address.
        package let destination: SocketAddress
        package let time: Instant
    }

    package struct Counters: Equatable, Sendable {
        package var sent = 0
        package var sentBytes = 0
        package var lost = 0
        package var duplicated = 0
        package var delivered = 0
        /// Dropped by a NAT's filter, or sent to an address that nobody has.
        package var unreachable = 0
    }

    private struct InFlight {
        let arrival: Arrival
        let order: Int
    }

    package var conditions: Conditions
    package private(set) var counters = Counters()
    private let random: RandomSource
    private var nats: [VirtualNAT] = []
    /// Which NAT a host is behind; hosts that are not in it are on the public Internet.
    private var natOfHost: [IPAddress: Int] = [:]
    private var silenced: Set<IPAddress> = []
    private var inFlight: [InFlight] = []
    private var order = 0

    package init(seed: UInt64, conditions: Conditions = .perfect) {
        random = .seeded(seed)
        self.conditions = conditions
    }

    /// Places a NAT with its public address and the hosts behind it.
    package mutating func addNAT(_ behaviour: VirtualNAT.Behaviour, at address: IPAddress, hosts: [IPAddress]) {
        for host in hosts { natOfHost[host] = nats.count }
        nats.append(VirtualNAT(behaviour: behaviour, address: address))
    }

    /// The NAT loses its state, as a rebooted router does: the same sockets come from new ports hereafter.
    package mutating func rebootNAT(at address: IPAddress) {
        for index in nats.indices where nats[index].address == address { nats[index].reboot() }
    }

    /// The host vanishes: nothing it sends leaves it, nothing reaches it.
    package mutating func silence(_ host: IPAddress) { silenced.insert(host) }
    package mutating func unsilence(_ host: IPAddress) { silenced.remove(host) }

    package mutating func send(_ bytes: [UInt8], from: SocketAddress, to: SocketAddress, now: Instant) {
        counters.sent += 1
        counters.sentBytes += bytes.count
        guard !silenced.contains(from.ip) else {
            counters.lost += 1
            return
        }
        guard let (source, destination) = route(from: from, to: to), !silenced.contains(destination.ip) else {
            counters.unreachable += 1
            return
        }
        if chance(conditions.loss) {
            counters.lost += 1
        } else {
            schedule(bytes, source, destination, now)
        }
        if chance(conditions.duplication) {
            counters.duplicated += 1
            schedule(bytes, source, destination, now)
        }
    }

    /// When the next datagram arrives.
    package var nextArrival: Instant? { inFlight.last?.arrival.time }

    /// Takes what has arrived, oldest first.
    package mutating func arrivals(until now: Instant) -> [Arrival] {
        var arrived: [Arrival] = []
        while let next = inFlight.last, next.arrival.time <= now {
            inFlight.removeLast()
            guard !silenced.contains(next.arrival.destination.ip) else { continue }
            counters.delivered += 1
            arrived.append(next.arrival)
        }
        return arrived
    }

    /// Through the sender's NAT and the receiver's; nil where it ends.
    private mutating func route(
        from: SocketAddress, to: SocketAddress
    ) -> (source: SocketAddress, destination: SocketAddress)? {
        let senderNAT = natOfHost[from.ip]
        if let receiverNAT = natOfHost[to.ip] {
            // A private address reaches only hosts behind the same NAT.
            return senderNAT == receiverNAT ? (from, to) : nil
        }
        var source = from
        if let senderNAT { source = nats[senderNAT].outbound(from: from, to: to) }
        guard let receiverNAT = nats.firstIndex(where: { $0.address == to.ip }) else { return (source, to) }
        // Hairpinning works, by the outer address (RFC 4787 REQ-9).
        guard let inner = nats[receiverNAT].inbound(from: source, to: to.port) else { return nil }
        return (source, inner)
    }

    private mutating func schedule(
        _ bytes: [UInt8], _ source: SocketAddress, _ destination: SocketAddress, _ now: Instant
    ) {
        let jitter = conditions.jitter * Int(random.uint16()) / Int(UInt16.max)
        let time = now + conditions.delay + jitter
        let entry = InFlight(
            arrival: Arrival(bytes: bytes, source: source, destination: destination, time: time), order: order)
        order += 1
        // Latest first, so that the next one is taken from the end.
        let place =
            inFlight.firstIndex { ($0.arrival.time, $0.order) < (time, entry.order) } ?? inFlight.endIndex
        inFlight.insert(entry, at: place)
    }

    private func chance(_ probability: Double) -> Bool {
        probability > 0 && Double(random.uint32()) < probability * 4_294_967_296
    }
}
