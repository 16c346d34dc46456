import Core
import PeerConnection

/// Any datagram as a compound: what parses is written and read back, reports and picture requests unchanged.
@c(LLVMFuzzerTestOneInput)
package func fuzzRTCP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let packets = try? RTCPPacket.parse(input.span) else { return 0 }
    precondition(packets.count <= RTCPPacket.maximumPackets)
    var stream = RTPSendStream(
        kind: .video, ssrc: SSRC(1), payloadType: 96, mid: "0", extensions: RTPHeaderExtensionIDs(), random: .seeded(1))
    for packet in packets {
        let bytes = RTCPPacket.encode([packet])
        switch packet {
        case .senderReport(let report):
            precondition((try? RTCPPacket.parse(bytes.span)) == [packet], "a sender report changed on its way")
            feed(report.reports, to: &stream)
        case .receiverReport(let report):
            precondition((try? RTCPPacket.parse(bytes.span)) == [packet], "a receiver report changed on its way")
            feed(report.reports, to: &stream)
        case .pictureLossIndication, .fullIntraRequest:
            precondition((try? RTCPPacket.parse(bytes.span)) == [packet], "a picture request changed on its way")
        case .genericNACK(let nack):
            precondition(nack.lost.count <= GenericNACK.maximumLost + 16)
            _ = stream.handleNACK(nack.lost, roundTripTime: nil, now: .zero)
        case .transportFeedback(let feedback):
            precondition(feedback.arrivals.count <= input.count, "more arrivals than bytes")
        case .sourceDescription, .goodbye, .receiverEstimatedMaximumBitRate:
            precondition((try? RTCPPacket.parse(bytes.span))?.count == 1, "our own packet is refused")
        case .unknown: break
        }
    }
    return 0
}

private func feed(_ reports: [ReportBlock], to stream: inout RTPSendStream) {
    for var report in reports {
        report.ssrc = stream.ssrc
        stream.handleReport(report, now: .zero)
    }
}
