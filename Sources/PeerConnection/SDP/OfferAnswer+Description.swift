extension OfferAnswer {
    /// Describes an accepted section, in the answer to `section` or as an offer of our own.
    func describe(
        _ negotiated: NegotiatedMedia, in section: MediaDescription, transport: LocalTransport, setup: DTLSSetup,
        includesCandidates: Bool
    ) -> MediaDescription {
        let codec: MediaCodec = negotiated.kind == .video ? .vp8 : .opus
        let payloadType = negotiated.sending?.payloadType ?? negotiated.receiving?.payloadType
        let repair =
            negotiated.sending?.retransmission?.payloadType ?? negotiated.receiving?.retransmissionPayloadType
        // An inactive section still names the codec: the offer has it, else the section would have been refused.
        let type =
            payloadType
            ?? section.rtpMaps.first { $0.isCodec(codec.rawValue, clockRateHz: negotiated.kind.clockRateHz) }?
            .payloadType
            ?? 0
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
        attributes += codecAttributes(codec, type: type, repair: repair, negotiated: negotiated)
        attributes += sourceAttributes(negotiated)
        if includesCandidates {
            attributes += transport.candidates.map { line in
                SDPAttribute("candidate", line.hasPrefix("candidate:") ? String(line.dropFirst(10)) : line)
            }
            if transport.endOfCandidates { attributes.append(SDPAttribute("end-of-candidates")) }
        }
        return MediaDescription(
            media: section.media, port: 9, transportProtocol: section.transportProtocol,
            formats: [String(type)] + (repair.map { [String($0)] } ?? []), connection: "IN IP4 0.0.0.0",
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

    private func transportAttributes(_ transport: LocalTransport, setup: DTLSSetup) -> [SDPAttribute] {
        [
            SDPAttribute("ice-ufrag", transport.usernameFragment), SDPAttribute("ice-pwd", transport.password),
            SDPAttribute("ice-options", "trickle"), SDPAttribute("fingerprint", transport.fingerprint.attributeValue),
            SDPAttribute("setup", setup.rawValue),
        ]
    }

    private func codecAttributes(
        _ codec: MediaCodec, type: UInt8, repair: UInt8?, negotiated: NegotiatedMedia
    ) -> [SDPAttribute] {
        let clockRateHz = codec.kind.clockRateHz
        var attributes = [
            SDPAttribute("rtpmap", "\(type) \(codec.rawValue)/\(clockRateHz)\(codec == .opus ? "/2" : "")")
        ]
        let feedback = negotiated.sending?.feedback ?? negotiated.receiving?.feedback ?? []
        attributes += feedback.sorted().map { SDPAttribute("rtcp-fb", "\(type) \($0)") }
        // RFC 7587 §6.1: in-band FEC may be sent to us; what we send follows the same wish of the peer.
        if codec == .opus { attributes.append(SDPAttribute("fmtp", "\(type) minptime=10;useinbandfec=1")) }
        if let repair {
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
