package import Core

extension RTPSendStream {
    /// What was sent, and what the receiver says became of it.
    package struct Statistics: Equatable, Sendable {
        package internal(set) var packetsSent: UInt64 = 0
        package internal(set) var payloadBytesSent: UInt64 = 0
        package internal(set) var packetsNacked: UInt64 = 0
        package internal(set) var packetsRetransmitted: UInt64 = 0
        package internal(set) var bytesRetransmitted: UInt64 = 0
        /// Lost since the start, as the receiver counts; a duplicate may make it negative.
        package internal(set) var packetsLost: Int32 = 0
        /// Lost since the report before, 0...1.
        package internal(set) var fractionLost: Double = 0
        /// Interarrival jitter (RFC 3550 §6.4.1).
        package internal(set) var jitter: Duration = .zero
        package internal(set) var roundTripTime: Duration?
    }

    /// Takes in what the receiver reports on this stream.
    package mutating func handleReport(_ report: ReportBlock, now: Instant) {
        guard report.ssrc == ssrc else { return }
        statistics.packetsLost = report.cumulativeLost
        statistics.fractionLost = Double(report.fractionLost) / 256
        let rate = Double(kind.clockRateHz)
        statistics.jitter = .seconds(Double(report.jitter) / rate)
        if let roundTripTime = sentReports.roundTripTime(report, now: now) {
            statistics.roundTripTime = roundTripTime
        }
    }
}

/// When the last sender reports went out, by the name that receiver reports give them.
///
/// The round trip is measured on the monotonic clock: a wall clock that is set meanwhile does no harm.
/// - SeeAlso: [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1)
struct SentReports: Sendable {
    /// Reports; at one a second a receiver reports on one of these.
    private static let capacity = 4
    private var reports: [(compactNTP: UInt32, sentAt: Instant)] = []

    mutating func note(compactNTP: UInt32, at now: Instant) {
        if reports.count == Self.capacity { reports.removeFirst() }
        reports.append((compactNTP, now))
    }

    /// Nil where the block names no report of ours or its delay is impossible.
    func roundTripTime(_ block: ReportBlock, now: Instant) -> Duration? {
        guard block.lastSenderReport != 0,
            let report = reports.last(where: { $0.compactNTP == block.lastSenderReport })
        else { return nil }
        let delay = Duration.nanoseconds(Int64(block.delaySinceLastSenderReport) * 1_000_000_000 / 65_536)
        let roundTripTime = now - report.sentAt - delay
        return roundTripTime >= .zero ? roundTripTime : nil
    }
}
