extension OfferAnswer {
    /// Says what is agreed for one section of an offer, given the sections before it: each kind is sent once and received once.
    func negotiate(
        _ section: MediaDescription, index: Int, after earlier: [NegotiatedSection]
    ) -> NegotiatedSection {
        if section.media == MediaDescription.application {
            return negotiate(application: section, index: index, after: earlier)
        }
        guard let kind = section.kind else { return .rejected(reason: "media type \(section.media) is not supported") }
        let others = earlier.compactMap(\.media).filter { $0.kind == kind }
        return negotiate(
            section, kind: kind, index: index,
            maySend: capabilities.sends(kind) && !others.contains { $0.sending != nil },
            mayReceive: capabilities.receives(kind) && !others.contains { $0.receiving != nil },
            follows: .ourPreference)
    }

    /// Whose order of codecs counts.
    enum CodecOrder {
        /// In answers of ours.
        case ourPreference
        /// In answers of the peer's.
        case theirPreference
    }

    /// Picks the codec and its payload type.
    /// - Parameter sends: we would send it, so the format must take what we have.
    func choose(
        in section: MediaDescription, kind: MediaKind, sends: Bool, follows order: CodecOrder
    ) -> (codec: MediaCodec, payloadType: UInt8)? {
        let codecs = capabilities.codecs(kind)
        var choices: [(codec: MediaCodec, payloadType: UInt8, rank: Int)] = []
        for (place, map) in section.rtpMaps.enumerated() {
            guard let preference = codecs.firstIndex(where: { map.isCodec($0.rawValue, clockRateHz: kind.clockRateHz) })
            else { continue }
            var rank = order == .ourPreference ? preference * 2 : place * 2
            if codecs[preference] == .h264 {
                let format = section.h264Format(map.payloadType)
                guard format.takesOurs || !sends else { continue }
                if !format.takesOurs || format.profile != .constrainedBaseline { rank += 1 }
            }
            choices.append((codecs[preference], map.payloadType, rank))
        }
        // The first of the best.
        guard let best = choices.map(\.rank).min(), let choice = choices.first(where: { $0.rank == best }) else {
            return nil
        }
        return (choice.codec, choice.payloadType)
    }

    /// Reads one section of a peer's offer or answer against what we are willing to do in it.
    func negotiate(
        _ section: MediaDescription, kind: MediaKind, index: Int, maySend: Bool, mayReceive: Bool,
        follows order: CodecOrder
    ) -> NegotiatedSection {
        guard section.transportProtocol.hasSuffix("RTP/SAVPF") else {
            return .rejected(reason: "transport \(section.transportProtocol) is not supported")
        }
        guard section.has("rtcp-mux") else { return .rejected(reason: "RTCP on a port of its own is not supported") }
        let remote = section.direction
        let direction = MediaDirection(sends: maySend && remote.receives, receives: mayReceive && remote.sends)
        guard
            let (codec, payloadType) = choose(in: section, kind: kind, sends: direction.sends, follows: order)
        else {
            let names = capabilities.codecs(kind).map(\.rawValue).joined(separator: " nor ")
            return .rejected(reason: "\(names) is not among its codecs in a form that we speak")
        }
        let retransmission = kind == .video ? section.retransmissionPayloadType(of: payloadType) : nil
        let extensions = accepted(section.headerExtensions, kind: kind, direction: direction)
        var media = NegotiatedMedia(
            index: index, mid: section.mid ?? "", kind: kind,
            direction: direction, extensions: extensions, reducedSizeRTCP: section.has("rtcp-rsize"))
        let offered = section.feedback(payloadType)
        if media.direction.sends {
            let repair: RTPSendStream.Retransmission? = retransmission.flatMap {
                guard offered.contains("nack") else { return nil }
                return RTPSendStream.Retransmission(ssrc: identity.videoRetransmission, payloadType: $0)
            }
            media.sending = NegotiatedMedia.Sending(
                codec: codec, payloadType: payloadType, ssrc: identity.ssrc(kind), retransmission: repair,
                feedback: feedbackTaken(offered, kind: kind, repairs: repair != nil, extensions: extensions))
        }
        if media.direction.receives {
            media.receiving = NegotiatedMedia.Receiving(
                codec: codec, payloadType: payloadType, retransmissionPayloadType: retransmission,
                sources: section.sources, retransmissionSources: section.retransmissionSources, cname: section.cname,
                feedback: feedbackGiven(offered, kind: kind, extensions: extensions))
        }
        return .media(media)
    }

    /// The extensions that we write or read, with the peer's numbers.
    private func accepted(_ offered: RTPHeaderExtensionIDs, kind: MediaKind, direction: MediaDirection)
        -> RTPHeaderExtensionIDs
    {
        RTPHeaderExtensionIDs(
            mid: offered.mid, absoluteSendTime: offered.absoluteSendTime,
            transportSequenceNumber: capabilities.usesTransportFeedback ? offered.transportSequenceNumber : nil,
            audioLevel: kind == .audio && direction.receives ? offered.audioLevel : nil)
    }

    /// The feedback on what we send that we act on. NACK only where an RTX stream can carry the repair: see
    /// ``RTPSendStream/handleNACK(_:roundTripTime:now:)``.
    private func feedbackTaken(
        _ offered: Set<String>, kind: MediaKind, repairs: Bool, extensions: RTPHeaderExtensionIDs
    ) -> Set<String> {
        var understood: Set<String> = extensions.transportSequenceNumber == nil ? [] : ["transport-cc"]
        if kind == .video {
            understood.formUnion(["nack pli", "ccm fir"])
            if repairs { understood.insert("nack") }
            // Either estimates the bit rate: with transport-cc we do it, with REMB the receiver does.
            if extensions.transportSequenceNumber == nil { understood.insert("goog-remb") }
        }
        return understood.intersection(offered)
    }

    /// The feedback on what we receive that we send. NACK without an RTX stream too: the peer knows how it repairs. No estimates of
    /// the bit rate.
    private func feedbackGiven(
        _ offered: Set<String>, kind: MediaKind, extensions: RTPHeaderExtensionIDs
    ) -> Set<String> {
        var given: Set<String> = extensions.transportSequenceNumber == nil ? [] : ["transport-cc"]
        if kind == .video { given.formUnion(["nack", "nack pli", "ccm fir"]) }
        return given.intersection(offered)
    }
}

extension RemoteTransport {
    /// Reads the transport that all sections share.
    ///
    /// It is that of the first accepted section of the BUNDLE group: aiortc 1.9 gives every section credentials of its own, and
    /// expects exactly this choice (RFC 9143 §7.3.2). A section that says nothing takes from another of its group, then from the session.
    init(
        _ description: SessionDescription, bundle: [String], first: Int, tag: String?
    ) throws(NegotiationError) {
        var sections: [MediaDescription] = []
        if let tag {
            let group = [tag] + bundle.filter { $0 != tag }
            for mid in group.prefix(SessionDescription.maximumMedia) {
                sections += description.media.filter { $0.mid == mid }
            }
        } else if description.media.indices.contains(first) {
            sections = [description.media[first]]
        }
        let source = sections.first { $0.has("ice-ufrag") } ?? sections.first
        func value(_ name: String) -> String? {
            source?.value(name) ?? description.attributes.first { $0.name == name }?.value
        }
        guard let fragment = value("ice-ufrag"), let password = value("ice-pwd") else {
            throw NegotiationError(.iceCredentials, "a=ice-ufrag or a=ice-pwd is missing")
        }
        guard Self.isICEString(fragment, atLeast: 4), Self.isICEString(password, atLeast: 22) else {
            throw NegotiationError(
                .iceCredentials, "a=ice-ufrag or a=ice-pwd has a length or a character that ICE forbids")
        }
        usernameFragment = fragment
        self.password = password

        var written = source?.values("fingerprint") ?? []
        if written.isEmpty {
            written = description.attributes.compactMap { $0.name == "fingerprint" ? $0.value : nil }
        }
        fingerprints = written.prefix(8).compactMap { CertificateFingerprint(attributeValue: $0) }
        guard !fingerprints.isEmpty else {
            throw NegotiationError(
                .fingerprint,
                written.isEmpty ? "a=fingerprint is missing" : "no fingerprint is sha-256, sha-384 or sha-512")
        }
        // RFC 4145 §4: active where nothing is said.
        guard let setup = DTLSSetup(rawValue: value("setup") ?? DTLSSetup.active.rawValue) else {
            throw NegotiationError(.setup, "a=setup is none of actpass, active and passive")
        }
        self.setup = setup
        isICELite = description.attributes.contains { $0.name == "ice-lite" }
        supportsTrickle = value("ice-options")?.split(separator: " ").contains("trickle") ?? false
        candidates = (source?.values("candidate") ?? []).prefix(Self.maximumCandidates).map { "candidate:" + $0 }
        endOfCandidates =
            source?.has("end-of-candidates") ?? false
            || description.attributes.contains { $0.name == "end-of-candidates" }
    }

    /// RFC 8839 §5.4: up to 256 of `ice-char`.
    private static func isICEString(_ text: String, atLeast minimum: Int) -> Bool {
        (minimum...256).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2B
                    || $0 == 0x2F
            }
    }
}
