package import Core

/// One outbound stream to one viewer: header rewrite, numbering, retransmission and what sender reports count.
///
/// The hot path, ``writePacket(of:packetIndex:into:absoluteSendTime:transportSequenceNumber:)``, allocates nothing.
package struct RTPSendStream: Sendable {
    /// The stream that repairs this one ([RFC 4588](https://www.rfc-editor.org/rfc/rfc4588)).
    package struct Retransmission: Equatable, Sendable {
        package let ssrc: SSRC
        package let payloadType: UInt8

        package init(ssrc: SSRC, payloadType: UInt8) {
            self.ssrc = ssrc
            self.payloadType = payloadType
        }
    }

    package let kind: MediaKind
    package let ssrc: SSRC
    package private(set) var payloadType: UInt8
    package private(set) var retransmission: Retransmission?
    /// Added to the stage's clock: each viewer has its own origin (RFC 3550 §5.1 wants it random).
    package let timestampOffset: UInt32

    private var header: RTPHeaderTemplate
    private var retransmissionHeader: RTPHeaderTemplate?
    private var nextSequenceNumber: UInt16
    private var nextRetransmissionSequenceNumber: UInt16
    /// Nil before the first packet that may be asked for again.
    private var ring: RetransmissionRing?
    /// Maps the RTP clock to the media clock, from the frame written last.
    private var lastFrame: (timestamp: UInt32, presentationTime: Instant)?
    var sentReports = SentReports()
    package internal(set) var statistics = Statistics()

    package init(
        kind: MediaKind, ssrc: SSRC, payloadType: UInt8, retransmission: Retransmission? = nil, mid: String,
        extensions: RTPHeaderExtensionIDs, random: RandomSource
    ) {
        self.kind = kind
        self.ssrc = ssrc
        self.payloadType = payloadType
        self.retransmission = retransmission
        timestampOffset = random.uint32()
        // 15 bits: a wrap within the first packets would leave the receiver's SRTP rollover counter in doubt (RFC 3711 §3.3.1).
        nextSequenceNumber = random.uint16() & 0x7FFF
        nextRetransmissionSequenceNumber = random.uint16() & 0x7FFF
        header = RTPHeaderTemplate(ssrc: ssrc, payloadType: payloadType, mid: mid, extensions: extensions)
        retransmissionHeader = retransmission.map {
            RTPHeaderTemplate(ssrc: $0.ssrc, payloadType: $0.payloadType, mid: mid, extensions: extensions)
        }
    }

    /// Takes over what a later exchange of descriptions agreed on. Sequence numbers and timestamps go on: the SRTP index of a
    /// stream never goes back.
    package mutating func renegotiate(
        payloadType: UInt8, retransmission: Retransmission?, mid: String, extensions: RTPHeaderExtensionIDs
    ) {
        self.payloadType = payloadType
        self.retransmission = retransmission
        header = RTPHeaderTemplate(ssrc: ssrc, payloadType: payloadType, mid: mid, extensions: extensions)
        retransmissionHeader = retransmission.map {
            RTPHeaderTemplate(ssrc: $0.ssrc, payloadType: $0.payloadType, mid: mid, extensions: extensions)
        }
    }

    /// Header bytes of every packet of this stream; the payload follows.
    package var headerLength: Int { header.length }
    /// True where each packet takes a transport-wide sequence number.
    package var carriesTransportSequenceNumber: Bool { header.carriesTransportSequenceNumber }

    /// Writes the RTP header of one packet of `frame` and remembers the packet for retransmission.
    /// - Returns: header bytes; 0, and nothing is changed, where `buffer` is too small or the frame has no such packet.
    package mutating func writeHeader(
        of frame: MediaFrame, packetIndex: Int, into buffer: UnsafeMutableRawBufferPointer, absoluteSendTime: UInt32,
        transportSequenceNumber: UInt16 = 0
    ) -> Int {
        guard buffer.count >= header.length, packetIndex >= 0, packetIndex < frame.payloads.count else { return 0 }
        let timestamp = frame.rtpTimestamp &+ timestampOffset
        let sequenceNumber = nextSequenceNumber
        // RFC 7741 §4.1 and RFC 6184 §5.1: the marker ends a picture. In Opus it would start a talk spurt, and ours never pauses
        // (RFC 7587 §4.1).
        let marker = kind == .video && frame.endsPicture && packetIndex == frame.payloads.count - 1
        unsafe header.write(
            marker: marker, sequenceNumber: sequenceNumber, timestamp: timestamp, absoluteSendTime: absoluteSendTime,
            transportSequenceNumber: transportSequenceNumber, into: buffer)
        nextSequenceNumber &+= 1
        lastFrame = (timestamp, frame.presentationTime)
        statistics.packetsSent &+= 1
        statistics.payloadBytesSent &+= UInt64(frame.payloads.range(of: packetIndex).count)
        if retransmissionHeader != nil {
            if ring == nil { ring = RetransmissionRing(for: frame.codec) }
            ring?.append(
                RetransmissionRing.Entry(
                    payloads: frame.payloads, payloadIndex: packetIndex, timestamp: timestamp,
                    sequenceNumber: sequenceNumber, marker: marker, retransmittedAt: nil))
        }
        return header.length
    }

    /// Writes one whole packet of `frame`, header and payload.
    /// - Returns: the packet's bytes; 0, and nothing is changed, where `buffer` is too small or the frame has no such packet.
    package mutating func writePacket(
        of frame: MediaFrame, packetIndex: Int, into buffer: UnsafeMutableRawBufferPointer, absoluteSendTime: UInt32,
        transportSequenceNumber: UInt16 = 0
    ) -> Int {
        guard packetIndex >= 0, packetIndex < frame.payloads.count else { return 0 }
        let range = frame.payloads.range(of: packetIndex)
        guard buffer.count >= header.length + range.count else { return 0 }
        let headerLength = unsafe writeHeader(
            of: frame, packetIndex: packetIndex, into: buffer, absoluteSendTime: absoluteSendTime,
            transportSequenceNumber: transportSequenceNumber)
        unsafe Self.copy(frame.payloads, range, to: UnsafeMutableRawBufferPointer(rebasing: buffer[headerLength...]))
        return headerLength + range.count
    }

    /// Which of the packets that a NACK names are to be sent again now.
    ///
    /// Without an RTX stream none are: a second packet of the same SRTP index must be the same to the bit, and ours carries
    /// another send time; with AES-GCM that would give the authentication key away (RFC 7714 §8.4).
    package mutating func handleNACK(_ lost: [UInt16], roundTripTime: Duration?, now: Instant) -> [UInt16] {
        statistics.packetsNacked &+= UInt64(lost.count)
        guard retransmissionHeader != nil else { return [] }
        return lost.filter {
            ring?.grant($0, roundTripTime: roundTripTime ?? statistics.roundTripTime ?? .zero, now: now) ?? false
        }
    }

    /// Writes the packet again on the RTX stream: its payload behind its original sequence number.
    /// - Returns: the packet's bytes; 0 where it is forgotten or `buffer` is too small.
    /// - SeeAlso: [RFC 4588 §4](https://www.rfc-editor.org/rfc/rfc4588#section-4)
    package mutating func writeRetransmission(
        of sequenceNumber: UInt16, into buffer: UnsafeMutableRawBufferPointer, absoluteSendTime: UInt32,
        transportSequenceNumber: UInt16 = 0
    ) -> Int {
        guard let header = retransmissionHeader, let entry = ring?.entry(sequenceNumber) else { return 0 }
        let range = entry.payloads.range(of: entry.payloadIndex)
        let payloadOffset = header.length + 2
        guard buffer.count >= payloadOffset + range.count else { return 0 }
        unsafe header.write(
            marker: entry.marker, sequenceNumber: nextRetransmissionSequenceNumber, timestamp: entry.timestamp,
            absoluteSendTime: absoluteSendTime, transportSequenceNumber: transportSequenceNumber, into: buffer)
        unsafe buffer.storeBytes(of: sequenceNumber.bigEndian, toByteOffset: header.length, as: UInt16.self)
        unsafe Self.copy(
            entry.payloads, range, to: UnsafeMutableRawBufferPointer(rebasing: buffer[payloadOffset...]))
        nextRetransmissionSequenceNumber &+= 1
        statistics.packetsRetransmitted &+= 1
        statistics.bytesRetransmitted &+= UInt64(range.count)
        return payloadOffset + range.count
    }

    /// What this stream's sender report says now; nil before the first packet.
    ///
    /// The RTP time is the last frame's, extrapolated along the media clock, so sound and picture reports agree by construction.
    package mutating func senderReport(now: Instant, wallTime: WallTime) -> SenderReport? {
        guard let (timestamp, presentationTime) = lastFrame else { return nil }
        let elapsed = (now - presentationTime).nanoseconds
        let rate = Int64(kind.clockRateHz)
        let ticks = elapsed / 1_000_000_000 * rate + elapsed % 1_000_000_000 * rate / 1_000_000_000
        let report = SenderReport(
            ssrc: ssrc, ntpTimestamp: wallTime.ntpTimestamp,
            rtpTimestamp: timestamp &+ UInt32(truncatingIfNeeded: ticks),
            packetCount: UInt32(truncatingIfNeeded: statistics.packetsSent),
            octetCount: UInt32(truncatingIfNeeded: statistics.payloadBytesSent), reports: [])
        sentReports.note(compactNTP: report.compactNTP, at: now)
        return report
    }

    private static func copy(
        _ payloads: PacketizedPayloads, _ range: Range<Int>, to buffer: UnsafeMutableRawBufferPointer
    ) {
        unsafe payloads.storage.withUnsafeBytes { bytes in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }
}
