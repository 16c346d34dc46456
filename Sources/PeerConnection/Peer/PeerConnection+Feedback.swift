package import Core
internal import TURNClient

extension PeerConnection {
    /// Takes one packet of an authenticated RTCP compound.
    mutating func handle(_ packet: RTCPPacket, now: Instant) {
        switch packet {
        case .senderReport(let report):
            receivedVideo?.statistics.handle(report, now: now)
            receivedAudio?.statistics.handle(report, now: now)
            handle(report.reports, now: now)
        case .receiverReport(let report):
            handle(report.reports, now: now)
        case .genericNACK(let nack):
            retransmit(nack, now: now)
        case .pictureLossIndication(let indication):
            if indication.media == video?.ssrc { keyFrameWasRequested() }
        case .fullIntraRequest(let request):
            guard let entry = request.entries.first(where: { $0.ssrc == video?.ssrc }),
                entry.sequenceNumber != lastFullIntraRequest
            else { return }
            lastFullIntraRequest = entry.sequenceNumber
            keyFrameWasRequested()
        case .receiverEstimatedMaximumBitRate(let estimate):
            estimatedBitRate = estimate.bitsPerSecond
        case .goodbye, .sourceDescription, .transportFeedback, .unknown:
            // A goodbye ends streams; that the peer itself leaves, DTLS says.
            break
        }
    }

    private mutating func handle(_ blocks: [ReportBlock], now: Instant) {
        for block in blocks {
            video?.handleReport(block, now: now)
            audio?.handleReport(block, now: now)
        }
    }

    private mutating func keyFrameWasRequested() {
        keyFrameRequests &+= 1
        guard sendsVideo, !hasKeyFrameRequestPending else { return }
        hasKeyFrameRequestPending = true
        events.append(.keyFrameRequested)
    }

    /// Asks the peer for a key frame of the picture that it sends (PLI), where it agreed to be asked.
    package mutating func requestKeyFrame(now: Instant) {
        guard phase == .connected, let media = receivedVideo?.ssrc, mayAsk(by: "nack pli") else { return }
        sendFeedback(.pictureLossIndication(PictureLossIndication(sender: ownSSRC, media: media)), now: now)
    }

    /// Asks again for what has not come, and for a key frame where asking has been in vain.
    mutating func requestMissingPackets(now: Instant) {
        guard phase == .connected, path != nil, let media = receivedVideo?.ssrc else { return }
        let roundTripTime = ice.selectedPair?.roundTripTime
        let lost = receivedVideo?.missing.due(now: now, roundTripTime: roundTripTime) ?? []
        if !lost.isEmpty, mayAsk(by: "nack") {
            sendFeedback(.genericNACK(GenericNACK(sender: ownSSRC, media: media, lost: lost)), now: now)
        }
        if let abandoned = receivedVideo?.missing.abandoned, abandoned != receivedVideo?.abandonedAtRequest {
            receivedVideo?.abandonedAtRequest = abandoned
            requestKeyFrame(now: now)
        }
    }

    private func mayAsk(by feedback: String) -> Bool {
        session?.receiving(.video)?.receiving?.feedback.contains(feedback) ?? false
    }

    /// Sender reports of both streams in one compound: their clocks are read at one moment.
    mutating func sendReports(now: Instant, wallTime: WallTime) {
        var blocks = reportBlocks(now: now)
        var packets: [RTCPPacket] = []
        if sendsVideo, var report = video?.senderReport(now: now, wallTime: wallTime) {
            report.reports = blocks
            blocks = []
            packets.append(.senderReport(report))
        }
        if sendsAudio, var report = audio?.senderReport(now: now, wallTime: wallTime) {
            report.reports = blocks
            blocks = []
            packets.append(.senderReport(report))
        }
        if packets.isEmpty { packets.append(.receiverReport(ReceiverReport(ssrc: ownSSRC, reports: blocks))) }
        packets.append(description)
        sendControl(packets)
    }

    /// A compound of a report, our name and BYE (RFC 3550 §6.1 and §6.6).
    mutating func sendGoodbye() {
        let sources = [sendsVideo ? video?.ssrc : nil, sendsAudio ? audio?.ssrc : nil].compactMap { $0 }
        let goodbye = Goodbye(sources: sources.isEmpty ? [ownSSRC] : sources)
        sendControl([
            .receiverReport(ReceiverReport(ssrc: ownSSRC, reports: [])), description, .goodbye(goodbye),
        ])
    }

    private mutating func sendFeedback(_ packet: RTCPPacket, now: Instant) {
        let isAloneAllowed = session?.receiving(.video)?.reducedSizeRTCP ?? false
        let report = RTCPPacket.receiverReport(ReceiverReport(ssrc: ownSSRC, reports: []))
        sendControl(isAloneAllowed ? [packet] : [report, description, packet])
    }

    private mutating func sendControl(_ packets: [RTCPPacket]) {
        guard let overhead = outbound?.profile.controlOverhead else { return }
        var bytes = RTCPPacket.encode(packets)
        let plain = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: overhead))
        let length = unsafe bytes.withUnsafeMutableBytes { buffer in
            try? unsafe outbound?.protectControl(buffer, length: plain)
        }
        guard length == bytes.count else { return }
        packetsSent &+= 1
        bytesSent &+= UInt64(bytes.count)
        transmit(bytes)
    }

    private mutating func reportBlocks(now: Instant) -> [ReportBlock] {
        [receivedVideo?.statistics.reportBlock(now: now), receivedAudio?.statistics.reportBlock(now: now)]
            .compactMap { $0 }
    }

    private var description: RTCPPacket {
        let sources = [sendsVideo ? video?.ssrc : nil, sendsAudio ? audio?.ssrc : nil].compactMap { $0 }
        return .sourceDescription(
            SourceDescription(
                chunks: (sources.isEmpty ? [ownSSRC] : sources).map {
                    SourceDescription.Chunk(ssrc: $0, cname: negotiation.cname)
                }))
    }

    /// Who we are in RTCP: a stream of ours, else a name drawn for reports alone.
    private var ownSSRC: SSRC {
        if sendsVideo, let ssrc = video?.ssrc { return ssrc }
        if sendsAudio, let ssrc = audio?.ssrc { return ssrc }
        return reportSSRC
    }
}
