package import Core

/// Statistics of one inbound stream, for receiver reports.
/// - SeeAlso: [RFC 3550 §6.4.1, A.1, A.3 and A.8](https://www.rfc-editor.org/rfc/rfc3550#appendix-A.1)
package struct RTPReceiveStream: Sendable {
    /// A jump ahead of at least this many packets counts as a restart once a second packet confirms it (RFC 3550 A.1).
    private static let maximumDropout: UInt16 = 3000
    /// A packet late by no more than this is late, not a restart.
    private static let maximumMisorder: UInt16 = 100

    package enum Arrival: Equatable, Sendable {
        case inOrder
        /// Late or sent twice; counted.
        case late
        /// Far off the sequence: not counted until the next packet confirms the jump.
        case suspect
    }

    package let ssrc: SSRC
    package let clockRateHz: UInt32
    package private(set) var packetsReceived: UInt64 = 0
    package private(set) var payloadBytesReceived: UInt64 = 0

    private var baseSequenceNumber: UInt32 = 0
    private var highestSequenceNumber: UInt16 = 0
    private var cycles: UInt32 = 0
    /// What a second packet after a jump must carry.
    private var expectedAfterJump: UInt16?
    private var received: UInt32 = 0
    private var expectedPrior: UInt32 = 0
    private var receivedPrior: UInt32 = 0
    private var hasStarted = false
    /// The jitter times 16, in clock units (RFC 3550 A.8).
    private var scaledJitter: UInt32 = 0
    private var lastTransit: UInt32?
    private var lastSenderReport: (compactNTP: UInt32, receivedAt: Instant)?

    package init(ssrc: SSRC, clockRateHz: UInt32) {
        self.ssrc = ssrc
        self.clockRateHz = clockRateHz
    }

    /// Interarrival jitter.
    package var jitter: Duration {
        .seconds(Double(scaledJitter >> 4) / Double(max(clockRateHz, 1)))
    }

    @discardableResult
    package mutating func handle(_ packet: RTPPacket, now: Instant) -> Arrival {
        let arrival = updateSequence(packet.sequenceNumber)
        guard arrival != .suspect else { return arrival }
        received &+= 1
        packetsReceived &+= 1
        payloadBytesReceived &+= UInt64(packet.payloadRange.count)
        updateJitter(timestamp: packet.timestamp, now: now)
        return arrival
    }

    package mutating func handle(_ report: SenderReport, now: Instant) {
        guard report.ssrc == ssrc else { return }
        lastSenderReport = (report.compactNTP, now)
    }

    /// The block that our next report carries; nil before the first packet. Starts a new interval of the fraction lost.
    package mutating func reportBlock(now: Instant) -> ReportBlock? {
        guard hasStarted else { return nil }
        let extended = cycles | UInt32(highestSequenceNumber)
        let expected = extended &- baseSequenceNumber &+ 1
        let lost = Int64(expected) - Int64(received)
        let expectedInterval = expected &- expectedPrior
        let lostInterval = Int64(expectedInterval) - Int64(received &- receivedPrior)
        expectedPrior = expected
        receivedPrior = received
        let fraction = expectedInterval == 0 || lostInterval <= 0 ? 0 : (lostInterval << 8) / Int64(expectedInterval)
        var delay: UInt32 = 0
        if let lastSenderReport {
            let nanoseconds = max((now - lastSenderReport.receivedAt).nanoseconds, 0)
            delay = UInt32(clamping: nanoseconds / 1_000_000 * 65_536 / 1000)
        }
        return ReportBlock(
            ssrc: ssrc, fractionLost: UInt8(clamping: fraction),
            cumulativeLost: Int32(max(-0x80_0000, min(0x7F_FFFF, lost))), extendedHighestSequenceNumber: extended,
            jitter: scaledJitter >> 4, lastSenderReport: lastSenderReport?.compactNTP ?? 0,
            delaySinceLastSenderReport: delay)
    }

    private mutating func updateSequence(_ sequenceNumber: UInt16) -> Arrival {
        guard hasStarted else {
            restart(at: sequenceNumber)
            return .inOrder
        }
        let ahead = sequenceNumber &- highestSequenceNumber
        if ahead == 0 { return .late }
        if ahead < Self.maximumDropout {
            if sequenceNumber < highestSequenceNumber { cycles &+= 1 << 16 }
            highestSequenceNumber = sequenceNumber
            return .inOrder
        }
        if 0 &- ahead <= Self.maximumMisorder { return .late }
        if expectedAfterJump == sequenceNumber {
            restart(at: sequenceNumber)
            return .inOrder
        }
        expectedAfterJump = sequenceNumber &+ 1
        return .suspect
    }

    private mutating func restart(at sequenceNumber: UInt16) {
        hasStarted = true
        baseSequenceNumber = UInt32(sequenceNumber)
        highestSequenceNumber = sequenceNumber
        cycles = 0
        received = 0
        expectedPrior = 0
        receivedPrior = 0
        expectedAfterJump = nil
        lastTransit = nil
    }

    private mutating func updateJitter(timestamp: UInt32, now: Instant) {
        let rate = UInt64(clockRateHz)
        let nanoseconds = UInt64(clamping: now.nanoseconds)
        let arrival = nanoseconds / 1_000_000_000 &* rate &+ nanoseconds % 1_000_000_000 &* rate / 1_000_000_000
        let transit = UInt32(truncatingIfNeeded: arrival) &- timestamp
        defer { lastTransit = transit }
        guard let lastTransit else { return }
        let difference = Int32(bitPattern: transit &- lastTransit).magnitude
        // A restarted or hostile clock must not overflow the estimate: at most a minute.
        let bounded = min(difference, UInt32(clamping: rate &* 60), 1 << 27)
        scaledJitter = scaledJitter &+ bounded &- ((scaledJitter &+ 8) >> 4)
    }
}
