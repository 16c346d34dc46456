package import Core
internal import TURNClient

extension PeerConnection {
    /// Largest RTP packet, protection included, that is retransmitted: beyond the path's datagrams.
    private static let retransmissionCapacity = 1500

    /// Bytes of the batch that a frame takes; the driver flushes first where they are not there.
    package func batchByteCount(of frame: MediaFrame, reservingBefore reserved: Int) -> Int {
        let header = (frame.kind == .video ? video?.headerLength : audio?.headerLength) ?? 0
        let overhead = reserved + header + (profile?.tagLength ?? 0)
        return frame.payloads.storage.count + frame.payloads.count * overhead
    }

    /// Writes the frame's packets, protected, back to back into `batch`, each behind `reserved` free bytes (for the header of a
    /// ChannelData message). Send them to ``path`` in one go.
    ///
    /// The hot path: no allocation, no copy but the payload's. Until a key frame has been sent a picture that needs one is not.
    package mutating func write(
        _ frame: MediaFrame, into batch: UnsafeMutableRawBufferPointer, reservingBefore reserved: Int = 0, now: Instant
    ) -> WrittenPackets {
        guard phase == .connected, path != nil else { return .none }
        let written: WrittenPackets
        switch frame.kind {
        case .video:
            guard frame.codec == videoCodec, hasSentKeyFrame || frame.payloads.isKeyFrame else { return .none }
            written = unsafe Self.write(
                frame, on: &video, &outbound, numbers: &transportSequenceNumber, into: batch, reserved: reserved,
                now: now)
            if written.count > 0 { hasSentKeyFrame = true }
        case .audio:
            guard sendsAudio else { return .none }
            written = unsafe Self.write(
                frame, on: &audio, &outbound, numbers: &transportSequenceNumber, into: batch, reserved: reserved,
                now: now)
        }
        packetsSent &+= UInt64(written.count)
        bytesSent &+= UInt64(written.byteCount)
        return written
    }

    private static func write(
        _ frame: MediaFrame, on stream: inout RTPSendStream?, _ context: inout SRTPSendContext?,
        numbers: inout UInt16, into batch: UnsafeMutableRawBufferPointer, reserved: Int, now: Instant
    ) -> WrittenPackets {
        guard let headerLength = stream?.headerLength, let tagLength = context?.profile.tagLength, reserved >= 0 else {
            return .none
        }
        let payloads = frame.payloads
        let overhead = reserved + headerLength + tagLength
        guard payloads.count > 0, payloads.storage.count + payloads.count * overhead <= batch.count else {
            return .none
        }
        let sendTime = absoluteSendTime(now)
        var offset = 0
        for index in 0..<payloads.count {
            let packet = unsafe UnsafeMutableRawBufferPointer(rebasing: batch[(offset + reserved)...])
            let plain =
                unsafe stream?.writePacket(
                    of: frame, packetIndex: index, into: packet, absoluteSendTime: sendTime,
                    transportSequenceNumber: numbers) ?? 0
            numbers &+= 1
            guard plain > 0,
                let length = try? unsafe context?.protect(packet, headerLength: headerLength, length: plain)
            else {
                return WrittenPackets(count: index, segmentSize: payloads.payloadSize + overhead, byteCount: offset)
            }
            offset += reserved + length
        }
        return WrittenPackets(
            count: payloads.count, segmentSize: min(payloads.payloadSize + overhead, offset), byteCount: offset)
    }

    /// Sends again what a NACK names, as far as it is remembered and the budget allows.
    mutating func retransmit(_ nack: GenericNACK, now: Instant) {
        guard sendsVideo, nack.media == video?.ssrc, let headerLength = video?.headerLength else { return }
        let roundTripTime = ice.selectedPair?.roundTripTime
        let granted = video?.handleNACK(nack.lost, roundTripTime: roundTripTime, now: now) ?? []
        let sendTime = absoluteSendTime(now)
        for sequenceNumber in granted {
            let bytes: [UInt8]? = unsafe withUnsafeTemporaryAllocation(
                byteCount: Self.retransmissionCapacity, alignment: 8
            ) { buffer in
                let plain =
                    unsafe video?.writeRetransmission(
                        of: sequenceNumber, into: buffer, absoluteSendTime: sendTime,
                        transportSequenceNumber: transportSequenceNumber) ?? 0
                guard plain > 0,
                    let length = try? unsafe outbound?.protect(buffer, headerLength: headerLength, length: plain)
                else { return nil }
                return unsafe [UInt8](buffer[0..<length])
            }
            guard let bytes else { continue }
            transportSequenceNumber &+= 1
            packetsSent &+= 1
            bytesSent &+= UInt64(bytes.count)
            transmit(bytes)
        }
    }
}
