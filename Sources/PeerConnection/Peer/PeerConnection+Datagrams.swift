package import Core
package import TURNClient

extension PeerConnection {
    /// Takes one datagram that came from `source` (for a relayed viewer: its relayed address) on `local`. SRTP is decrypted in
    /// place.
    ///
    /// The driver passes on what came from an address that was bound to this peer by an authenticated check, or STUN that names
    /// its fragment.
    package mutating func handleDatagram(
        _ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress, on local: LocalCandidateID, now: Instant
    ) -> DatagramOutcome {
        guard phase != .closed else { return .refused(.closed) }
        guard let first = unsafe bytes.first else { return .refused(.unknownProtocol) }
        let outcome: DatagramOutcome
        // RFC 7983 §7
        switch first {
        case 0...3:
            outcome = unsafe handleSTUN(bytes, from: source, on: local, now: now)
        case 20...63:
            outcome = unsafe handleDTLS(UnsafeRawBufferPointer(bytes), now: now)
        case 128...191:
            guard phase == .connected, bytes.count >= 8 else {
                outcome = .refused(.early)
                break
            }
            // RFC 5761 §4: RTCP by its packet type.
            outcome =
                unsafe (192...223).contains(bytes[1]) ? handleControl(bytes, now: now) : handleMedia(bytes, now: now)
        default:
            outcome = .refused(.unknownProtocol)
        }
        takeOutputs(now: now)
        if case .refused = outcome { datagramsRefused &+= 1 }
        return outcome
    }

    private mutating func handleSTUN(
        _ bytes: UnsafeMutableRawBufferPointer, from source: SocketAddress, on local: LocalCandidateID, now: Instant
    ) -> DatagramOutcome {
        let message = unsafe UnsafeBufferPointer(bytes.bindMemory(to: UInt8.self))
        return switch unsafe ice.handleSTUN(message.span, from: source, on: local, now: now) {
        case .authenticatedRequest, .authenticatedResponse: .authenticatedSTUN
        case .indication: .accepted
        case .refused(let reason): .refused(.stun(reason))
        }
    }

    private mutating func handleDTLS(_ bytes: UnsafeRawBufferPointer, now: Instant) -> DatagramOutcome {
        guard phase != .failed else { return .refused(.closed) }
        guard dtls == nil else {
            unsafe dtls?.handle(bytes, now: now)
            return .accepted
        }
        // The peer's check has arrived and its ClientHello right behind it, before the answer to our own check.
        guard earlyDatagrams.count < Self.maximumEarlyDatagrams, bytes.count <= 2048 else { return .refused(.early) }
        earlyDatagrams.append(unsafe [UInt8](bytes))
        return .accepted
    }

    private mutating func handleControl(_ bytes: UnsafeMutableRawBufferPointer, now: Instant) -> DatagramOutcome {
        let packets: [RTCPPacket]
        do {
            guard let length = try unsafe inbound?.unprotectControl(bytes) else { return .refused(.early) }
            let plain = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<length]).bindMemory(to: UInt8.self)
            packets = try unsafe RTCPPacket.parse(plain.span)
        } catch let error as SRTPError {
            return .refused(.srtp(SRTPRefusal(error)))
        } catch {
            return .refused(.malformed)
        }
        for packet in packets { handle(packet, now: now) }
        requestMissingPackets(now: now)
        return .accepted
    }

    private mutating func handleMedia(_ bytes: UnsafeMutableRawBufferPointer, now: Instant) -> DatagramOutcome {
        // The payload type is in the clear: what was not agreed on is not worth a decryption.
        let payloadType = unsafe bytes[1] & 0x7F
        guard let format = inboundFormat(payloadType) else { return .refused(.unexpectedMedia) }
        let packet: RTPPacket
        let payload: [UInt8]
        do {
            guard let length = try unsafe inbound?.unprotect(bytes) else { return .refused(.early) }
            let plain = unsafe UnsafeRawBufferPointer(rebasing: bytes[0..<length]).bindMemory(to: UInt8.self)
            packet = try unsafe RTPPacket(plain.span)
            payload = deliversReceivedMedia ? unsafe plain.span.array(packet.payloadRange) : []
            if format.isRetransmission {
                // A shorter one is a bandwidth probe: nothing but padding.
                guard packet.payloadRange.count >= 2 else { return .accepted }
                let original = unsafe plain.span.uint16(at: packet.payloadRange.lowerBound)
                takeRetransmission(packet, original: original, format: format, payload: payload, now: now)
                return .accepted
            }
        } catch let error as SRTPError {
            return .refused(.srtp(SRTPRefusal(error)))
        } catch {
            return .refused(.malformed)
        }
        switch format.kind {
        case .video: Self.count(packet, in: &receivedVideo, .video, now: now)
        case .audio: Self.count(packet, in: &receivedAudio, .audio, now: now)
        }
        deliver(packet, sequenceNumber: packet.sequenceNumber, format: format, isRetransmitted: false, payload)
        requestMissingPackets(now: now)
        return .accepted
    }

    private struct InboundFormat {
        let kind: MediaKind
        /// Of the stream itself, where this is its retransmission.
        let payloadType: UInt8
        let isRetransmission: Bool
    }

    private func inboundFormat(_ payloadType: UInt8) -> InboundFormat? {
        guard let session else { return nil }
        for section in session.sections {
            guard case .media(let media) = section, let receiving = media.receiving else { continue }
            if receiving.payloadType == payloadType {
                return InboundFormat(kind: media.kind, payloadType: payloadType, isRetransmission: false)
            }
            if receiving.retransmissionPayloadType == payloadType {
                return InboundFormat(kind: media.kind, payloadType: receiving.payloadType, isRetransmission: true)
            }
        }
        return nil
    }

    /// A new SSRC begins a new stream; the SRTP context limits how often.
    private static func count(
        _ packet: RTPPacket, in stream: inout InboundStream?, _ kind: MediaKind, now: Instant
    ) {
        if stream?.ssrc != packet.ssrc { stream = InboundStream(kind: kind, ssrc: packet.ssrc) }
        stream?.statistics.handle(packet, now: now)
        if kind == .video { stream?.missing.received(packet.sequenceNumber, now: now) }
    }

    /// A packet out of its RTX wrapping ([RFC 4588 §4](https://www.rfc-editor.org/rfc/rfc4588#section-4)); one that is not
    /// missed any more is dropped.
    private mutating func takeRetransmission(
        _ packet: RTPPacket, original: UInt16, format: InboundFormat, payload: [UInt8], now: Instant
    ) {
        guard receivedVideo?.missing.recover(original) == true else { return }
        deliver(
            packet, sequenceNumber: original, format: format, isRetransmitted: true, Array(payload.dropFirst(2)))
    }

    private mutating func deliver(
        _ packet: RTPPacket, sequenceNumber: UInt16, format: InboundFormat, isRetransmitted: Bool, _ payload: [UInt8]
    ) {
        guard deliversReceivedMedia else { return }
        let ssrc = (format.kind == .video ? receivedVideo?.ssrc : receivedAudio?.ssrc) ?? packet.ssrc
        events.append(
            .rtpReceived(
                ReceivedPacket(
                    kind: format.kind, payloadType: format.payloadType, ssrc: ssrc, sequenceNumber: sequenceNumber,
                    timestamp: packet.timestamp, marker: packet.marker, isRetransmitted: isRetransmitted,
                    payload: payload)))
    }
}
