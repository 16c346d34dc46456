import Core
import PeerConnection

/// Any datagram as an RTP packet, and its bytes as the numbers of a hostile NACK.
@c(LLVMFuzzerTestOneInput)
package func fuzzRTP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    _ = RTPPacket.isRTCP(input.span)
    retransmit(input)
    guard let packet = try? RTPPacket(input.span) else { return 0 }
    precondition(packet.payloadRange.upperBound <= input.count && packet.extensionRange.upperBound <= input.count)
    for id in UInt8.min...UInt8.max {
        guard let range = packet.rangeOfExtension(id, in: input.span) else { continue }
        precondition(range.upperBound <= packet.extensionRange.upperBound, "an element leaves its extension")
    }
    let ids = RTPHeaderExtensionIDs(mid: 1, absoluteSendTime: 2, transportSequenceNumber: 3)
    _ = packet.mid(ids, in: input.span)
    _ = packet.absoluteSendTime(ids, in: input.span)
    _ = packet.transportSequenceNumber(ids, in: input.span)

    var stream = RTPReceiveStream(ssrc: packet.ssrc, clockRateHz: packet.timestamp)
    var now = Instant.zero
    for _ in 0..<3 {
        stream.handle(packet, now: now)
        now += .milliseconds(Int64(packet.sequenceNumber))
        _ = stream.reportBlock(now: now)
    }
    return 0
}

private func retransmit(_ input: [UInt8]) {
    var stream = RTPSendStream(
        kind: .video, ssrc: SSRC(1), payloadType: 96, retransmission: .init(ssrc: SSRC(2), payloadType: 97), mid: "0",
        extensions: RTPHeaderExtensionIDs(mid: 1, absoluteSendTime: 2), random: .seeded(UInt64(input.count)))
    let payloads = VP8Packetizer.packetize(frame: input, isKeyFrame: false, maximumPayload: 64 + Int(input.first ?? 0))
    let frame = MediaFrame(
        codec: .vp8, payloads: payloads, rtpTimestamp: 0, presentationTime: .zero, epoch: 0, capturedAt: .zero)
    var buffer = [UInt8](repeating: 0, count: 600)
    var sent: [UInt16] = []
    for index in payloads.ranges.indices {
        let length = buffer.withUnsafeMutableBytes {
            stream.writePacket(of: frame, packetIndex: index, into: $0, absoluteSendTime: 0)
        }
        guard let packet = try? RTPPacket(buffer.span.extracting(0..<length)) else {
            preconditionFailure("our own packet is refused")
        }
        sent.append(packet.sequenceNumber)
    }
    let asked = stride(from: 0, to: input.count - 1, by: 2).map { UInt16(input[$0]) << 8 | UInt16(input[$0 + 1]) }
    for number in stream.handleNACK(asked + sent, roundTripTime: nil, now: .zero) {
        let length = buffer.withUnsafeMutableBytes {
            stream.writeRetransmission(of: number, into: $0, absoluteSendTime: 0)
        }
        precondition(length > 0, "a packet was granted that is not there")
    }
}
