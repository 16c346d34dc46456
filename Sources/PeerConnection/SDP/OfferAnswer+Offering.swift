extension OfferAnswer {
    /// The numbers that our own offers give; an answer keeps them.
    private enum Offered {
        static let vp8: UInt8 = 96
        static let vp8Retransmission: UInt8 = 97
        static let opus: UInt8 = 111
        static let mid: UInt8 = 1
        static let absoluteSendTime: UInt8 = 2
        static let transportSequenceNumber: UInt8 = 3
        static let audioLevel: UInt8 = 4
    }

    /// Offers what the capabilities allow: video, then audio, bundled. The side that offered first goes on offering: this is no
    /// way to renegotiate a session that began with the peer's offer.
    package mutating func offer(transport: LocalTransport) -> SessionDescription {
        var negotiated: [NegotiatedMedia] = []
        for kind in [MediaKind.video, .audio] where capabilities.sends(kind) || capabilities.receives(kind) {
            negotiated.append(offered(kind, index: negotiated.count))
        }
        let mids = negotiated.map(\.mid).joined(separator: " ")
        let media = negotiated.map { media in
            describe(
                media,
                in: MediaDescription(
                    media: media.kind == .video ? "video" : "audio", port: 9,
                    transportProtocol: "UDP/TLS/RTP/SAVPF", formats: []),
                transport: transport, setup: .actpass, includesCandidates: media.index == 0)
        }
        let description = SessionDescription(
            origin: nextOrigin(),
            attributes: [SDPAttribute("group", "BUNDLE \(mids)"), SDPAttribute("msid-semantic", "WMS *")],
            media: media)
        pendingOffer = description
        return description
    }

    /// Takes the answer to our last offer.
    package mutating func accept(_ answer: SessionDescription) throws(NegotiationError) -> NegotiatedSession {
        guard let offer = pendingOffer else { throw NegotiationError(.unexpectedAnswer, "no offer of ours is open") }
        guard offer.media.count == answer.media.count else {
            throw NegotiationError(.answerMismatch, "the answer has another number of sections than the offer")
        }
        var sections: [NegotiatedSection] = []
        for (index, pair) in zip(offer.media, answer.media).enumerated() {
            let (ours, theirs) = pair
            guard ours.media == theirs.media, theirs.mid == nil || theirs.mid == ours.mid, let kind = ours.kind else {
                throw NegotiationError(
                    .answerMismatch, "the section is not the one that was offered", mediaIndex: index)
            }
            if theirs.port == 0 {
                sections.append(.rejected(reason: "refused by the peer"))
                continue
            }
            var section = negotiate(
                theirs, kind: kind, index: index, maySend: ours.direction.sends, mayReceive: ours.direction.receives)
            if case .media(var media) = section {
                media.mid = ours.mid ?? ""
                // What we receive carries the numbers of our offer, whatever the answer says of its own (RFC 3264 §6.1).
                media.receiving?.payloadType = kind == .video ? Offered.vp8 : Offered.opus
                if media.receiving?.retransmissionPayloadType != nil {
                    media.receiving?.retransmissionPayloadType = Offered.vp8Retransmission
                }
                section = .media(media)
            }
            sections.append(section)
        }
        let accepted = sections.compactMap(\.media)
        guard let first = accepted.first else {
            throw NegotiationError(.nothingInCommon, "the peer refused every section")
        }
        let bundle = answer.bundle.filter { mid in accepted.contains { $0.mid == mid } }
        guard accepted.count == 1 || accepted.allSatisfy({ bundle.contains($0.mid) }) else {
            throw NegotiationError(.answerMismatch, "the peer does not bundle, and there is one transport only")
        }
        let remote = try RemoteTransport(
            answer, bundle: answer.bundle, accepted: accepted, tag: bundle.first ?? answer.media[first.index].mid)
        let setup: DTLSSetup
        switch remote.setup {
        case .active: setup = .passive
        case .passive: setup = .active
        case .actpass: throw NegotiationError(.setup, "an answer must choose a=setup:active or passive")
        }
        try checkAssociation(remote, setup)
        let session = NegotiatedSession(remote: remote, localSetup: setup, sections: sections, bundle: bundle)
        pendingOffer = nil
        agreed = session
        return session
    }

    private func offered(_ kind: MediaKind, index: Int) -> NegotiatedMedia {
        let numbers = capabilities.usesTransportFeedback
        var media = NegotiatedMedia(
            index: index, mid: String(index), kind: kind,
            direction: MediaDirection(sends: capabilities.sends(kind), receives: capabilities.receives(kind)),
            extensions: RTPHeaderExtensionIDs(
                mid: Offered.mid, absoluteSendTime: Offered.absoluteSendTime,
                transportSequenceNumber: numbers ? Offered.transportSequenceNumber : nil,
                audioLevel: kind == .audio && capabilities.receives(kind) ? Offered.audioLevel : nil),
            reducedSizeRTCP: true)
        let codec: MediaCodec = kind == .video ? .vp8 : .opus
        let payloadType = kind == .video ? Offered.vp8 : Offered.opus
        let repair = kind == .video ? Offered.vp8Retransmission : nil
        var feedback: Set<String> = numbers ? ["transport-cc"] : []
        if kind == .video { feedback.formUnion(["nack", "nack pli", "ccm fir"]) }
        if kind == .video, !numbers { feedback.insert("goog-remb") }
        if media.direction.sends {
            media.sending = NegotiatedMedia.Sending(
                codec: codec, payloadType: payloadType, ssrc: identity.ssrc(kind),
                retransmission: repair.map {
                    RTPSendStream.Retransmission(ssrc: identity.videoRetransmission, payloadType: $0)
                }, feedback: feedback)
        }
        if media.direction.receives {
            media.receiving = NegotiatedMedia.Receiving(
                codec: codec, payloadType: payloadType, retransmissionPayloadType: repair, sources: [],
                retransmissionSources: [:], cname: nil, feedback: feedback)
        }
        return media
    }
}
