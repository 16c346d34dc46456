/// The section that carries SCTP, in the form of RFC 8841 and in the one before it.
///
/// ```
/// m=application 9 UDP/DTLS/SCTP webrtc-datachannel     m=application 9 DTLS/SCTP 5000
/// a=sctp-port:5000                                     a=sctpmap:5000 webrtc-datachannel 65535
/// a=max-message-size:262144                            a=max-message-size:262144
/// ```
/// - SeeAlso: [RFC 8841 §4](https://www.rfc-editor.org/rfc/rfc8841#section-4),
///   [draft-ietf-mmusic-sctp-sdp-05 §3](https://datatracker.ietf.org/doc/html/draft-ietf-mmusic-sctp-sdp-05#section-3)
extension OfferAnswer {
    private static let transportProtocol = "UDP/DTLS/SCTP"
    private static let formerTransportProtocol = "DTLS/SCTP"
    private static let format = "webrtc-datachannel"
    /// Streams, as the former form tells their number.
    private static let formerStreamCount = 65_535

    /// Says what is agreed for an application section of an offer; there is one at most.
    func negotiate(
        application section: MediaDescription, index: Int, after earlier: [NegotiatedSection]
    ) -> NegotiatedSection {
        guard capabilities.dataChannels != nil else { return .rejected(reason: "data channels are not offered here") }
        guard !earlier.contains(where: { $0.application != nil }) else {
            return .rejected(reason: "there is a section for data channels already")
        }
        return negotiate(application: section, index: index, mid: section.mid ?? "")
    }

    /// Reads a peer's application section, whichever of the two forms it has.
    func negotiate(application section: MediaDescription, index: Int, mid: String) -> NegotiatedSection {
        let port: UInt16?
        switch section.transportProtocol {
        case Self.transportProtocol:
            guard section.formats.contains(Self.format) else {
                return .rejected(reason: "the application is not \(Self.format)")
            }
            port = section.value("sctp-port").map { UInt16($0) ?? 0 } ?? NegotiatedApplication.port
        case Self.formerTransportProtocol:
            port = section.formats.first.flatMap { UInt16($0) }
            let maps = section.values("sctpmap").map { $0.split(separator: " ") }
            if let map = maps.first(where: { $0.first.map { UInt16($0) } == port }), map.count > 1,
                map[1] != Self.format
            {
                return .rejected(reason: "the application is not \(Self.format)")
            }
        default:
            return .rejected(reason: "transport \(section.transportProtocol) is not supported")
        }
        // RFC 8841 §5.1: port 0 means that there is no association.
        guard let port, port != 0 else { return .rejected(reason: "the SCTP port is none") }
        let size = section.value("max-message-size").flatMap { Int($0) }.flatMap { $0 < 0 ? nil : $0 == 0 ? .max : $0 }
        return .application(
            NegotiatedApplication(
                index: index, mid: mid, remotePort: port,
                remoteMaximumMessageBytes: size ?? NegotiatedApplication.defaultMaximumMessageBytes))
    }

    /// The section as an offer of ours has it, always in the newer form: robots answer in it whatever was offered.
    func offeredApplication(index: Int, transport: LocalTransport) -> MediaDescription {
        describe(
            NegotiatedApplication(
                index: index, mid: String(index)),
            in: MediaDescription(
                media: MediaDescription.application, port: 9, transportProtocol: Self.transportProtocol,
                formats: [Self.format]), transport: transport, setup: .actpass, includesCandidates: index == 0)
    }

    /// Describes the section, in the form that `section` has.
    func describe(
        _ application: NegotiatedApplication, in section: MediaDescription, transport: LocalTransport,
        setup: DTLSSetup, includesCandidates: Bool
    ) -> MediaDescription {
        let isFormer = section.transportProtocol == Self.formerTransportProtocol
        var attributes = transportAttributes(transport, setup: setup)
        if !application.mid.isEmpty { attributes.append(SDPAttribute("mid", application.mid)) }
        let port = NegotiatedApplication.port
        attributes.append(
            isFormer
                ? SDPAttribute("sctpmap", "\(port) \(Self.format) \(Self.formerStreamCount)")
                : SDPAttribute("sctp-port", String(port)))
        if let limits = capabilities.dataChannels {
            attributes.append(SDPAttribute("max-message-size", String(limits.maximumMessageBytes)))
        }
        if includesCandidates { attributes += candidateAttributes(transport) }
        return MediaDescription(
            media: MediaDescription.application, port: 9, transportProtocol: section.transportProtocol,
            formats: [isFormer ? String(port) : Self.format], connection: "IN IP4 0.0.0.0", attributes: attributes)
    }
}

extension MediaDescription {
    /// `m=application`
    static let application = "application"
}
