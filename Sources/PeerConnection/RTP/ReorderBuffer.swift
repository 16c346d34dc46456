package import Core

/// A packet in its place, and when it came.
package struct OrderedPacket: Equatable, Sendable {
    package var packet: ReceivedPacket
    package var receivedAt: Instant

    package init(packet: ReceivedPacket, receivedAt: Instant) {
        self.packet = packet
        self.receivedAt = receivedAt
    }
}

/// Puts the packets of one stream into the order of their sequence numbers.
///
/// Does no I/O. A packet that is in order goes on at once; behind a gap packets wait until it is filled, by a retransmission
/// perhaps, or until ``maximumWait`` or ``maximumPackets`` is reached. Feed it with ``receive(_:now:)``, and with
/// ``handleTimeout(now:)`` once ``deadline`` has passed; then drain ``pollPacket()``.
package struct ReorderBuffer: Sendable {
    package struct Counts: Equatable, Sendable {
        package var received: UInt64 = 0
        /// Came in another order than they were sent, and in time.
        package var reordered: UInt64 = 0
        /// Came after they had been given up, or twice.
        package var late: UInt64 = 0
        /// Sequence numbers given up.
        package var lost: UInt64 = 0
        /// Times the numbers began anew.
        package var restarts: UInt64 = 0
    }

    /// Numbers that may be missing in one gap, or that a packet may be late by; farther away is another count.
    package static let maximumDistance = 3000

    /// How long a gap is waited at.
    package let maximumWait: Duration
    /// Packets that may wait behind gaps.
    package let maximumPackets: Int
    package private(set) var counts = Counts()

    private var ssrc: SSRC?
    /// The number that goes on next; nil before the first packet.
    private var next: UInt16?
    /// What a second packet must carry that confirms a jump.
    private var expectedAfterJump: UInt16?
    /// In the order of their numbers, each once, none of which is ``next``.
    private var waiting: [OrderedPacket] = []
    private var gapSince: Instant?
    private var ready = PendingQueue<OrderedPacket>()

    package init(maximumWait: Duration = .milliseconds(100), maximumPackets: Int = 512) {
        self.maximumWait = maximumWait
        self.maximumPackets = max(maximumPackets, 1)
    }

    /// When a gap is given up; nil where there is none.
    package var deadline: Instant? { gapSince.map { $0 + maximumWait } }

    package mutating func receive(_ packet: ReceivedPacket, now: Instant) {
        counts.received &+= 1
        let arrival = OrderedPacket(packet: packet, receivedAt: now)
        guard let next, packet.ssrc == ssrc else { return begin(with: arrival) }
        let number = packet.sequenceNumber
        let distance = Int(Int16(bitPattern: number &- next))
        guard abs(distance) <= Self.maximumDistance else {
            // One stray number leads nowhere; a second one behind it is the stream itself.
            if expectedAfterJump == number {
                begin(with: arrival)
            } else {
                expectedAfterJump = number &+ 1
                counts.late &+= 1
            }
            return
        }
        expectedAfterJump = nil
        if distance == 0 {
            if !waiting.isEmpty { counts.reordered &+= 1 }
            pass(arrival)
            passWaiting()
        } else if distance < 0 {
            counts.late &+= 1
        } else {
            insert(arrival, distance: distance, from: next, now: now)
        }
    }

    /// Gives up the gaps that have been waited at for long enough.
    package mutating func handleTimeout(now: Instant) {
        while let since = gapSince, since + maximumWait <= now { giveUp() }
    }

    /// The next packet in order; nil where it has yet to come.
    package mutating func pollPacket() -> OrderedPacket? {
        ready.popFirst()
    }

    // MARK: Order

    private mutating func begin(with arrival: OrderedPacket) {
        if next != nil {
            counts.restarts &+= 1
            while gapSince != nil { giveUp() }
        }
        ssrc = arrival.packet.ssrc
        expectedAfterJump = nil
        pass(arrival)
    }

    private mutating func pass(_ arrival: OrderedPacket) {
        ready.append(arrival)
        next = arrival.packet.sequenceNumber &+ 1
    }

    private mutating func insert(_ arrival: OrderedPacket, distance: Int, from next: UInt16, now: Instant) {
        // Nearly always it belongs at the end.
        var index = waiting.count
        while index > 0 {
            let other = Int(waiting[index - 1].packet.sequenceNumber &- next)
            if other == distance {
                counts.late &+= 1
                return
            }
            if other < distance { break }
            index -= 1
        }
        if index < waiting.count { counts.reordered &+= 1 }
        waiting.insert(arrival, at: index)
        if gapSince == nil { gapSince = now }
        if waiting.count > maximumPackets { giveUp() }
    }

    /// Goes on behind the first gap.
    private mutating func giveUp() {
        guard let first = waiting.first, let next else {
            gapSince = nil
            return
        }
        counts.lost &+= UInt64(first.packet.sequenceNumber &- next)
        self.next = first.packet.sequenceNumber
        passWaiting()
    }

    private mutating func passWaiting() {
        var passed = 0
        while passed < waiting.count, waiting[passed].packet.sequenceNumber == next {
            pass(waiting[passed])
            passed += 1
        }
        waiting.removeFirst(passed)
        gapSince = waiting.first?.receivedAt
    }
}
