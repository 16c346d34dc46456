internal import Core

/// Why bytes are no RTCP compound packet.
package enum RTCPParseError: Error, Equatable {
    case truncated
    /// The version field is not 2.
    case version(UInt8)
    /// Padding in a packet that is not the last, or of an impossible length.
    case padding
    /// More packets than one datagram of ours can mean.
    case tooManyPackets
    /// A packet's content contradicts its type or its length.
    case malformed(packetType: UInt8)
}

/// One packet of an RTCP compound.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P| RC/FMT  |  packet type  |  length in words, less one    |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
/// - SeeAlso: [RFC 3550 §6](https://www.rfc-editor.org/rfc/rfc3550#section-6),
///   [RFC 4585 §6](https://www.rfc-editor.org/rfc/rfc4585#section-6)
package enum RTCPPacket: Equatable, Sendable {
    case senderReport(SenderReport)
    case receiverReport(ReceiverReport)
    case sourceDescription(SourceDescription)
    case goodbye(Goodbye)
    case genericNACK(GenericNACK)
    case transportFeedback(TransportFeedback)
    case pictureLossIndication(PictureLossIndication)
    case fullIntraRequest(FullIntraRequest)
    case receiverEstimatedMaximumBitRate(ReceiverEstimatedMaximumBitRate)
    /// A type or a feedback format that we do not know; skipped by its length.
    case unknown(packetType: UInt8, format: UInt8)

    enum PacketType {
        static let senderReport: UInt8 = 200
        static let receiverReport: UInt8 = 201
        static let sourceDescription: UInt8 = 202
        static let goodbye: UInt8 = 203
        static let transportLayerFeedback: UInt8 = 205
        static let payloadSpecificFeedback: UInt8 = 206
    }

    enum FeedbackFormat {
        static let genericNACK: UInt8 = 1
        static let transportFeedback: UInt8 = 15
        static let pictureLossIndication: UInt8 = 1
        static let fullIntraRequest: UInt8 = 4
        static let applicationLayer: UInt8 = 15
    }

    /// Packets in one compound; a hundred empty ones would fit in a datagram and mean nothing.
    package static let maximumPackets = 32

    /// Parses a compound, or a lone feedback packet ([RFC 5506](https://www.rfc-editor.org/rfc/rfc5506)).
    package static func parse(_ bytes: Span<UInt8>) throws(RTCPParseError) -> [RTCPPacket] {
        var reader = ByteReader(bytes)
        var packets: [RTCPPacket] = []
        guard !reader.isAtEnd else { throw .truncated }
        while !reader.isAtEnd {
            guard packets.count < maximumPackets else { throw .tooManyPackets }
            guard let first = reader.readUInt8(), let type = reader.readUInt8(), let words = reader.readUInt16() else {
                throw .truncated
            }
            guard first >> 6 == 2 else { throw .version(first >> 6) }
            guard let body = reader.readSpan(Int(words) * 4) else { throw .truncated }
            var end = body.count
            if first & 0x20 != 0 {
                guard reader.isAtEnd, end > 0 else { throw .padding }
                let padding = Int(body[end - 1])
                // RFC 3550 wants a multiple of four; libwebrtc pads transport feedback by one to three bytes.
                guard padding > 0, padding <= end else { throw .padding }
                end -= padding
            }
            packets.append(try parse(type: type, count: first & 0x1F, body: body.extracting(0..<end)))
        }
        return packets
    }

    private static func parse(type: UInt8, count: UInt8, body: Span<UInt8>) throws(RTCPParseError) -> RTCPPacket {
        let packet: RTCPPacket?
        switch (type, count) {
        case (PacketType.senderReport, _):
            packet = SenderReport(body: body, count: Int(count)).map(RTCPPacket.senderReport)
        case (PacketType.receiverReport, _):
            packet = ReceiverReport(body: body, count: Int(count)).map(RTCPPacket.receiverReport)
        case (PacketType.sourceDescription, _):
            packet = SourceDescription(body: body, count: Int(count)).map(RTCPPacket.sourceDescription)
        case (PacketType.goodbye, _):
            packet = Goodbye(body: body, count: Int(count)).map(RTCPPacket.goodbye)
        case (PacketType.transportLayerFeedback, FeedbackFormat.genericNACK):
            packet = GenericNACK(body: body).map(RTCPPacket.genericNACK)
        case (PacketType.transportLayerFeedback, FeedbackFormat.transportFeedback):
            packet = TransportFeedback(body: body).map(RTCPPacket.transportFeedback)
        case (PacketType.payloadSpecificFeedback, FeedbackFormat.pictureLossIndication):
            packet = PictureLossIndication(body: body).map(RTCPPacket.pictureLossIndication)
        case (PacketType.payloadSpecificFeedback, FeedbackFormat.fullIntraRequest):
            packet = FullIntraRequest(body: body).map(RTCPPacket.fullIntraRequest)
        case (PacketType.payloadSpecificFeedback, FeedbackFormat.applicationLayer)
        where ReceiverEstimatedMaximumBitRate.isMeant(by: body):
            packet = ReceiverEstimatedMaximumBitRate(body: body).map(RTCPPacket.receiverEstimatedMaximumBitRate)
        default:
            packet = .unknown(packetType: type, format: count)
        }
        guard let packet else { throw .malformed(packetType: type) }
        return packet
    }

    /// Serialises a compound. Reports come first and a goodbye last by the caller's order (RFC 3550 §6.1); An `unknown` packet writes its header alone.
    package static func encode(_ packets: [RTCPPacket]) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 128)
        for packet in packets { packet.encode(into: &writer) }
        return writer.bytes
    }

    private func encode(into writer: inout ByteWriter) {
        let start = writer.count
        let (type, count) = typeAndCount
        writer.write(0x80 | count)
        writer.write(type)
        writer.write(UInt16(0))
        switch self {
        case .senderReport(let report): report.encode(into: &writer)
        case .receiverReport(let report): report.encode(into: &writer)
        case .sourceDescription(let description): description.encode(into: &writer)
        case .goodbye(let goodbye): goodbye.encode(into: &writer)
        case .genericNACK(let nack): nack.encode(into: &writer)
        case .transportFeedback(let feedback): feedback.encode(into: &writer)
        case .pictureLossIndication(let indication): indication.encode(into: &writer)
        case .fullIntraRequest(let request): request.encode(into: &writer)
        case .receiverEstimatedMaximumBitRate(let estimate): estimate.encode(into: &writer)
        case .unknown: break
        }
        writer.pad(to: 4)
        writer.overwrite(UInt16(clamping: (writer.count - start) / 4 - 1), at: start + 2)
    }

    private var typeAndCount: (type: UInt8, count: UInt8) {
        switch self {
        case .senderReport(let report): (PacketType.senderReport, UInt8(min(report.reports.count, 31)))
        case .receiverReport(let report): (PacketType.receiverReport, UInt8(min(report.reports.count, 31)))
        case .sourceDescription(let description):
            (PacketType.sourceDescription, UInt8(min(description.chunks.count, 31)))
        case .goodbye(let goodbye): (PacketType.goodbye, UInt8(min(goodbye.sources.count, 31)))
        case .genericNACK: (PacketType.transportLayerFeedback, FeedbackFormat.genericNACK)
        case .transportFeedback: (PacketType.transportLayerFeedback, FeedbackFormat.transportFeedback)
        case .pictureLossIndication: (PacketType.payloadSpecificFeedback, FeedbackFormat.pictureLossIndication)
        case .fullIntraRequest: (PacketType.payloadSpecificFeedback, FeedbackFormat.fullIntraRequest)
        case .receiverEstimatedMaximumBitRate: (PacketType.payloadSpecificFeedback, FeedbackFormat.applicationLayer)
        case .unknown(let packetType, let format): (packetType, format & 0x1F)
        }
    }
}
