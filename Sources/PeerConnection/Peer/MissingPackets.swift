internal import Core

/// Which packets of an inbound stream are missing and when they are asked for (again).
/// - SeeAlso: [RFC 4585 §6.2.1](https://www.rfc-editor.org/rfc/rfc4585#section-6.2.1)
struct MissingPackets: Sendable {
    private struct Entry: Sendable {
        let sequenceNumber: UInt16
        var nextRequest: Instant
        var requests = 0
    }

    /// Packets in one gap, and in all; a longer gap is a break that only a key frame mends.
    static let limit = 256
    /// After the last one the packet is given up.
    static let maximumRequests = 8
    /// A retransmission is awaited at least this long, and at least 1.5 round trips.
    static let minimumInterval: Duration = .milliseconds(30)

    private var highest: UInt16?
    private var entries: [Entry] = []
    private(set) var requested: UInt64 = 0
    private(set) var recovered: UInt64 = 0
    private(set) var abandoned: UInt64 = 0

    /// When ``due(now:roundTripTime:)`` has something to say.
    var deadline: Instant? { entries.lazy.map(\.nextRequest).min() }

    mutating func received(_ sequenceNumber: UInt16, now: Instant) {
        guard let highest else {
            self.highest = sequenceNumber
            return
        }
        guard sequenceNumber.isNewer(than: highest) else {
            _ = recover(sequenceNumber)
            return
        }
        let gap = Int(sequenceNumber &- highest) - 1
        self.highest = sequenceNumber
        if gap + entries.count > Self.limit {
            abandoned += UInt64(entries.count + gap)
            entries.removeAll()
        } else if gap > 0 {
            for offset in 1...gap {
                entries.append(
                    Entry(sequenceNumber: highest &+ UInt16(truncatingIfNeeded: offset), nextRequest: now))
            }
            requested += UInt64(gap)
        }
    }

    /// Notes that a missing packet came, late or by retransmission. False where it was not missed.
    mutating func recover(_ sequenceNumber: UInt16) -> Bool {
        guard let index = entries.firstIndex(where: { $0.sequenceNumber == sequenceNumber }) else { return false }
        entries.remove(at: index)
        recovered += 1
        return true
    }

    /// The sequence numbers to ask for now.
    mutating func due(now: Instant, roundTripTime: Duration?) -> [UInt16] {
        guard entries.contains(where: { $0.nextRequest <= now }) else { return [] }
        let interval = max(Self.minimumInterval, (roundTripTime ?? .zero) * 1.5)
        var sequenceNumbers: [UInt16] = []
        var kept: [Entry] = []
        for var entry in entries {
            if entry.nextRequest <= now {
                guard entry.requests < Self.maximumRequests else {
                    abandoned += 1
                    continue
                }
                entry.requests += 1
                entry.nextRequest = now + interval
                sequenceNumbers.append(entry.sequenceNumber)
            }
            kept.append(entry)
        }
        entries = kept
        return sequenceNumbers
    }
}

/// One stream that the peer sends: its reports and what is missing of it.
struct InboundStream: Sendable {
    let kind: MediaKind
    var statistics: RTPReceiveStream
    var missing = MissingPackets()
    /// What was abandoned when a key frame was asked for last.
    var abandonedAtRequest: UInt64 = 0

    var ssrc: SSRC { statistics.ssrc }

    init(kind: MediaKind, ssrc: SSRC) {
        self.kind = kind
        statistics = RTPReceiveStream(ssrc: ssrc, clockRateHz: kind.clockRateHz)
    }

    var summary: InboundStatistics {
        InboundStatistics(
            packetsReceived: statistics.packetsReceived, payloadBytesReceived: statistics.payloadBytesReceived,
            jitter: statistics.jitter, packetsRequested: missing.requested, packetsRecovered: missing.recovered,
            packetsAbandoned: missing.abandoned)
    }
}
