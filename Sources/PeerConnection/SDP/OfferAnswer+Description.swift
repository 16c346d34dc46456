extension OfferAnswer {
    /// A payload type as a description of ours writes it, with the one that repairs it.
    struct Format {
        var codec: MediaCodec
        var payloadType: UInt8
        var repair: UInt8?
        /// Of no meaning but for H.264.
        var h264 = H264Format.offered
    }

    /// The format that the answer to `section` names.
    func answered(_ negotiated: NegotiatedMedia, in section: MediaDescription) -> Format {
        let repair =
            negotiated.sending?.retransmission?.payloadType ?? negotiated.receiving?.retransmissionPayloadType
        if let payloadType = negotiated.sending?.payloadType ?? negotiated.receiving?.payloadType,
            let codec = negotiated.sending?.codec ?? negotiated.receiving?.codec
        {
            return Format(
                codec: codec, payloadType: payloadType, repair: repair, h264: section.h264Format(payloadType))
        }
        // An inactive section still names the codec: the offer has it, else the section would have been refused.
        let choice = choose(in: section, kind: negotiated.kind, sends: false, follows: .ourPreference)
        let type = choice?.payloadType ?? 0
        return Format(
            codec: choice?.codec ?? .opus, payloadType: type, repair: repair, h264: section.h264Format(type))
    }

    /// Describes an accepted section, in the answer to `section` or as an offer of our own.
    func describe(
        _ negotiated: NegotiatedMedia, as formats: [Format], in section: MediaDescription, transport: LocalTransport,
        setup: DTLSSetup, includesCandidates: Bool
    ) -> MediaDescription {
        var attributes = [SDPAttribute("rtcp", "9 IN IP4 0.0.0.0")]
        attributes += transportAttributes(transport, setup: setup)
        if !negotiated.mid.isEmpty { attributes.append(SDPAttribute("mid", negotiated.mid)) }
        for known in RTPHeaderExtension.allCases {
            guard let id = negotiated.extensions[known] else { continue }
            attributes.append(SDPAttribute("extmap", "\(id) \(known.rawValue)"))
        }
        attributes.append(SDPAttribute(negotiated.direction.rawValue))
        if negotiated.direction.sends {
            attributes.append(SDPAttribute("msid", "\(identity.stream) \(identity.track(negotiated.kind))"))
        }
        attributes.append(SDPAttribute("rtcp-mux"))
        if negotiated.reducedSizeRTCP { attributes.append(SDPAttribute("rtcp-rsize")) }
        for format in formats { attributes += codecAttributes(format, negotiated: negotiated) }
        attributes += sourceAttributes(negotiated)
        if includesCandidates { attributes += candidateAttributes(transport) }
        return MediaDescription(
            media: section.media, port: 9, transportProtocol: section.transportProtocol,
            formats: formats.flatMap { [$0.payloadType] + ($0.repair.map { [$0] } ?? []) }.map(String.init),
            connection: "IN IP4 0.0.0.0",
            attributes: attributes)
    }

    /// Refuses a section: port 0, everything else as offered.
    ///
    /// Browsers read no further than the port. aiortc refuses an answer in which any section lacks ICE credentials or a DTLS role.
    func rejection(of section: MediaDescription, transport: LocalTransport, setup: DTLSSetup) -> MediaDescription {
        var attributes = transportAttributes(transport, setup: setup)
        if let mid = section.mid { attributes.append(SDPAttribute("mid", mid)) }
        if section.kind != nil {
            attributes.append(SDPAttribute(MediaDirection.inactive.rawValue))
            attributes.append(SDPAttribute("rtcp-mux"))
        }
        return MediaDescription(
            media: section.media, port: 0, transportProtocol: section.transportProtocol, formats: section.formats,
            connection: "IN IP4 0.0.0.0", attributes: attributes)
    }

    func candidateAttributes(_ transport: LocalTransport) -> [SDPAttribute] {
        let candidates = transport.candidates.map { line in
            SDPAttribute("candidate", line.hasPrefix("candidate:") ? String(line.dropFirst(10)) : line)
        }
        return candidates + (transport.endOfCandidates ? [SDPAttribute("end-of-candidates")] : [])
    }

    func transportAttributes(_ transport: LocalTransport, setup: DTLSSetup) -> [SDPAttribute] {
        var attributes = [
            SDPAttribute("ice-ufrag", transport.usernameFragment), SDPAttribute("ice-pwd", transport.password),
        ]
        // An offer with all its candidates leads to an answer with all of the peer's: a stack that believes in trickling answers at
        // once, and a robot has no way to send the rest.
        if setup != .actpass || !transport.endOfCandidates { attributes.append(SDPAttribute("ice-options", "trickle")) }
        attributes.append(SDPAttribute("fingerprint", transport.fingerprint.attributeValue))
        attributes.append(SDPAttribute("setup", setup.rawValue))
        return attributes
    }

    private func codecAttributes(_ format: Format, negotiated: NegotiatedMedia) -> [SDPAttribute] {
        let (codec, type) = (format.codec, format.payloadType)
        let clockRateHz = codec.kind.clockRateHz
        var attributes = [
            SDPAttribute("rtpmap", "\(type) \(codec.rawValue)/\(clockRateHz)\(codec == .opus ? "/2" : "")")
        ]
        let feedback = negotiated.sending?.feedback ?? negotiated.receiving?.feedback ?? []
        attributes += feedback.sorted().map { SDPAttribute("rtcp-fb", "\(type) \($0)") }
        // RFC 7587 §6.1: in-band FEC may be sent to us; what we send follows the same wish of the peer.
        switch codec {
        case .opus: attributes.append(SDPAttribute("fmtp", "\(type) minptime=10;useinbandfec=1"))
        case .h264: attributes.append(SDPAttribute("fmtp", "\(type) \(format.h264.parameters)"))
        case .vp8: break
        }
        if let repair = format.repair {
            attributes.append(SDPAttribute("rtpmap", "\(repair) rtx/\(clockRateHz)"))
            attributes.append(SDPAttribute("fmtp", "\(repair) apt=\(type)"))
        }
        return attributes
    }

    private func sourceAttributes(_ negotiated: NegotiatedMedia) -> [SDPAttribute] {
        guard let sending = negotiated.sending else { return [] }
        var attributes: [SDPAttribute] = []
        var sources = [sending.ssrc]
        if let repair = sending.retransmission {
            sources.append(repair.ssrc)
            attributes.append(SDPAttribute("ssrc-group", "FID \(sending.ssrc.value) \(repair.ssrc.value)"))
        }
        let binding = "\(identity.stream) \(identity.track(negotiated.kind))"
        for source in sources {
            attributes.append(SDPAttribute("ssrc", "\(source.value) cname:\(identity.cname)"))
            attributes.append(SDPAttribute("ssrc", "\(source.value) msid:\(binding)"))
        }
        return attributes
    }
}
