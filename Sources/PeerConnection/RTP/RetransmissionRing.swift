internal import Core

/// The packets of one stream that were sent last, by sequence number, so that lost ones can be sent again.
///
/// Holds no bytes of its own: an entry points at the payloads that all viewers share. A receiver that asks too often gets what
/// the budget allows: NACKs must not turn a viewer into an amplifier.
struct RetransmissionRing: Sendable {
    /// Packets; about three seconds of 1 Mbit/s.
    static let defaultCapacity = 512
    /// What a joiner of a camera's H.264 is sent at once fits (1 MiB), so that none of it is forgotten before it is missed.
    static let passedThroughCapacity = 1024
    /// Bytes that may be retransmitted at once; refilled by half of what is sent. A key frame that was lost whole fits.
    static let maximumBudget = 96 * 1024
    /// The same packet is not sent again sooner than this, nor sooner than a round trip.
    static let minimumInterval: Duration = .milliseconds(10)

    struct Entry: Sendable {
        let payloads: PacketizedPayloads
        let payloadIndex: Int
        let timestamp: UInt32
        let sequenceNumber: UInt16
        let marker: Bool
        var retransmittedAt: Instant?
    }

    /// A power of two, so that a sequence number's low bits are its slot.
    let capacity: Int
    private var entries: [Entry?] = []
    private var budget = maximumBudget

    init(for codec: MediaCodec = .vp8) {
        capacity = codec == .h264 ? Self.passedThroughCapacity : Self.defaultCapacity
    }

    mutating func append(_ entry: Entry) {
        if entries.isEmpty { entries = Array(repeating: nil, count: capacity) }
        entries[Int(entry.sequenceNumber) % capacity] = entry
        budget = min(budget + entry.payloads.range(of: entry.payloadIndex).count / 2, Self.maximumBudget)
    }

    /// The packet, where it is still remembered.
    func entry(_ sequenceNumber: UInt16) -> Entry? {
        guard !entries.isEmpty, let entry = entries[Int(sequenceNumber) % capacity],
            entry.sequenceNumber == sequenceNumber
        else { return nil }
        return entry
    }

    /// Takes the packet's size out of the budget and notes the time; false where it is forgotten, was just sent, or the budget is spent.
    mutating func grant(_ sequenceNumber: UInt16, roundTripTime: Duration, now: Instant) -> Bool {
        guard var entry = entry(sequenceNumber) else { return false }
        if let last = entry.retransmittedAt, now - last < max(roundTripTime, Self.minimumInterval) { return false }
        let size = entry.payloads.range(of: entry.payloadIndex).count
        guard size <= budget else { return false }
        budget -= size
        entry.retransmittedAt = now
        entries[Int(sequenceNumber) % capacity] = entry
        return true
    }
}
