internal import Core

/// What a receiver says of one stream.
///
/// ```
/// |SSRC (32)|fraction lost (8)|cumulative lost (24, signed)|extended highest sequence number (32)|jitter (32)|LSR (32)|DLSR (32)|
/// ```
/// - SeeAlso: [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1)
package struct ReportBlock: Equatable, Sendable {
    static let length = 24

    package var ssrc: SSRC
    /// Lost since the report before, in 1/256.
    package var fractionLost: UInt8
    /// Lost since the start; 24 bits, signed.
    package var cumulativeLost: Int32
    package var extendedHighestSequenceNumber: UInt32
    /// Interarrival jitter, in clock units.
    package var jitter: UInt32
    /// The middle 32 bits of the NTP time of the last sender report; 0: none came yet.
    package var lastSenderReport: UInt32
    /// Since that report arrived, in 1/65,536 s.
    package var delaySinceLastSenderReport: UInt32

    package init(
        ssrc: SSRC, fractionLost: UInt8 = 0, cumulativeLost: Int32 = 0, extendedHighestSequenceNumber: UInt32 = 0,
        jitter: UInt32 = 0, lastSenderReport: UInt32 = 0, delaySinceLastSenderReport: UInt32 = 0
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.cumulativeLost = cumulativeLost
        self.extendedHighestSequenceNumber = extendedHighestSequenceNumber
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }

    init?(_ reader: inout ByteReader) {
        guard let source = reader.readUInt32(), let fraction = reader.readUInt8(), let lost = reader.readUInt24(),
            let highest = reader.readUInt32(), let jitter = reader.readUInt32(), let last = reader.readUInt32(),
            let delay = reader.readUInt32()
        else { return nil }
        ssrc = SSRC(source)
        fractionLost = fraction
        cumulativeLost = Int32(bitPattern: lost << 8) >> 8
        extendedHighestSequenceNumber = highest
        self.jitter = jitter
        lastSenderReport = last
        delaySinceLastSenderReport = delay
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(ssrc.value)
        writer.write(fractionLost)
        writer.writeUInt24(UInt32(bitPattern: cumulativeLost) & 0xFF_FFFF)
        writer.write(extendedHighestSequenceNumber)
        writer.write(jitter)
        writer.write(lastSenderReport)
        writer.write(delaySinceLastSenderReport)
    }

    static func parse(_ count: Int, _ reader: inout ByteReader) -> [ReportBlock]? {
        var blocks: [ReportBlock] = []
        for _ in 0..<count {
            guard let block = ReportBlock(&reader) else { return nil }
            blocks.append(block)
        }
        return blocks
    }
}

/// SR: how a stream's RTP clock stands to the wall clock, and how much was sent.
/// - SeeAlso: [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1)
package struct SenderReport: Equatable, Sendable {
    package var ssrc: SSRC
    package var ntpTimestamp: UInt64
    package var rtpTimestamp: UInt32
    package var packetCount: UInt32
    package var octetCount: UInt32
    package var reports: [ReportBlock]

    package init(
        ssrc: SSRC, ntpTimestamp: UInt64, rtpTimestamp: UInt32, packetCount: UInt32, octetCount: UInt32,
        reports: [ReportBlock]
    ) {
        self.ssrc = ssrc
        self.ntpTimestamp = ntpTimestamp
        self.rtpTimestamp = rtpTimestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
        self.reports = reports
    }

    /// The middle 32 bits of the NTP timestamp, by which report blocks name this report.
    package var compactNTP: UInt32 { UInt32(truncatingIfNeeded: ntpTimestamp >> 16) }

    init?(body: Span<UInt8>, count: Int) {
        var reader = ByteReader(body)
        guard let source = reader.readUInt32(), let ntp = reader.readUInt64(), let rtp = reader.readUInt32(),
            let packets = reader.readUInt32(), let octets = reader.readUInt32(),
            let blocks = ReportBlock.parse(count, &reader)
        else { return nil }
        self.init(
            ssrc: SSRC(source), ntpTimestamp: ntp, rtpTimestamp: rtp, packetCount: packets, octetCount: octets,
            reports: blocks)
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(ssrc.value)
        writer.write(ntpTimestamp)
        writer.write(rtpTimestamp)
        writer.write(packetCount)
        writer.write(octetCount)
        for report in reports.prefix(31) { report.encode(into: &writer) }
    }
}

/// RR: what a receiver that sends nothing says of the streams it gets.
/// - SeeAlso: [RFC 3550 §6.4.2](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.2)
package struct ReceiverReport: Equatable, Sendable {
    package var ssrc: SSRC
    package var reports: [ReportBlock]

    package init(ssrc: SSRC, reports: [ReportBlock]) {
        self.ssrc = ssrc
        self.reports = reports
    }

    init?(body: Span<UInt8>, count: Int) {
        var reader = ByteReader(body)
        guard let source = reader.readUInt32(), let blocks = ReportBlock.parse(count, &reader) else { return nil }
        self.init(ssrc: SSRC(source), reports: blocks)
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(ssrc.value)
        for report in reports.prefix(31) { report.encode(into: &writer) }
    }
}
