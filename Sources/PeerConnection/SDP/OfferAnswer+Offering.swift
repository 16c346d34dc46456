extension OfferAnswer {
    /// The numbers that our own offers give; an answer keeps them.
    private enum Offered {
        static func payloadType(_ codec: MediaCodec) -> UInt8 {
            switch codec {
            case .vp8: 96
            case .h264: 102
            case .opus: 111
            }
        }
        /// Of the RTX stream.
        static func repair(_ codec: MediaCodec) -> UInt8? { codec.kind == .video ? payloadType(codec) + 1 : nil }
        static let mid: UInt8 = 1
        static let absoluteSendTime: UInt8 = 2
        static let transportSequenceNumber: UInt8 = 3
        static let audioLevel: UInt8 = 4
    }

    /// Offers what the capabilities allow: audio, video, and data channels last, bundled. The side that offered first goes on
    /// offering: this is no way to renegotiate a session that began with the peer's offer.
    package mutating func offer(transport: LocalTransport) -> SessionDescription {
        var media: [MediaDescription] = []
        for kind in [MediaKind.audio, .video] where capabilities.sends(kind) || capabilities.receives(kind) {
            let codecs = capabilities.codecs(kind)
            guard let first = codecs.first else { continue }
            let formats = codecs.map { codec in
                Format(
                    codec: codec, payloadType: Offered.payloadType(codec),
                    repair: capabilities.offersRetransmission ? Offered.repair(codec) : nil)
            }
            media.append(
                describe(
                    offered(kind, first, index: media.count), as: formats,
                    in: MediaDescription(
                        media: kind == .video ? "video" : "audio", port: 9, transportProtocol: "UDP/TLS/RTP/SAVPF",
                        formats: []), transport: transport, setup: .actpass, includesCandidates: media.isEmpty))
        }
        if capabilities.dataChannels != nil {
            media.append(offeredApplication(index: media.count, transport: transport))
        }
        let mids = media.compactMap(\.mid).joined(separator: " ")
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
            guard ours.media == theirs.media else {
                throw NegotiationError(
                    .answerMismatch, "the section is not the one that was offered", mediaIndex: index)
            }
            sections.append(answered(ours, by: theirs, index: index))
        }
        // A robot's stack counts the sections anew (go2.md 2.2): the place tells which is meant, not the name.
        let accepted = sections.compactMap(\.index)
        guard let first = accepted.first else {
            let reasons = sections.enumerated().compactMap { index, section -> String? in
                guard case .rejected(let reason) = section else { return nil }
                return "section \(index): \(reason)"
            }
            throw NegotiationError(.nothingInCommon, reasons.joined(separator: "; "))
        }
        let theirBundle = answer.bundle
        let bundled = accepted.filter { index in answer.media[index].mid.map(theirBundle.contains) ?? false }
        guard accepted.count == 1 || bundled == accepted else {
            throw NegotiationError(.answerMismatch, "the peer does not bundle, and there is one transport only")
        }
        let bundle = bundled.compactMap { offer.media[$0].mid }
        let remote = try RemoteTransport(
            answer, bundle: theirBundle, first: first, tag: answer.media[first].mid)
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

    /// What the answer makes of one section of our offer.
    private func answered(_ ours: MediaDescription, by theirs: MediaDescription, index: Int) -> NegotiatedSection {
        guard theirs.port != 0 else { return .rejected(reason: "refused by the peer") }
        let mid = ours.mid ?? ""
        guard let kind = ours.kind else { return negotiate(application: theirs, index: index, mid: mid) }
        let section = negotiate(
            theirs, kind: kind, index: index, maySend: ours.direction.sends, mayReceive: ours.direction.receives,
            follows: .theirPreference)
        guard case .media(var media) = section else { return section }
        media.mid = mid
        // What we receive carries the numbers of our offer, whatever the answer says of its own (RFC 3264 §6.1).
        if let codec = media.receiving?.codec {
            media.receiving?.payloadType = Offered.payloadType(codec)
            if media.receiving?.retransmissionPayloadType != nil {
                media.receiving?.retransmissionPayloadType = Offered.repair(codec)
            }
        }
        return .media(media)
    }

    private func offered(_ kind: MediaKind, _ codec: MediaCodec, index: Int) -> NegotiatedMedia {
        let numbers = capabilities.usesTransportFeedback
        var media = NegotiatedMedia(
            index: index, mid: String(index), kind: kind,
            direction: MediaDirection(sends: capabilities.sends(kind), receives: capabilities.receives(kind)),
            extensions: RTPHeaderExtensionIDs(
                mid: Offered.mid, absoluteSendTime: Offered.absoluteSendTime,
                transportSequenceNumber: numbers ? Offered.transportSequenceNumber : nil,
                audioLevel: kind == .audio && capabilities.receives(kind) ? Offered.audioLevel : nil),
            reducedSizeRTCP: true)
        let payloadType = Offered.payloadType(codec)
        let repair = capabilities.offersRetransmission ? Offered.repair(codec) : nil
        var feedback: Set<String> = numbers ? ["transport-cc"] : []
        if kind == .video { feedback.formUnion(["nack", "nack pli", "ccm fir"]) }
        // We read estimates and make none.
        if kind == .video, !numbers, media.direction.sends { feedback.insert("goog-remb") }
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
