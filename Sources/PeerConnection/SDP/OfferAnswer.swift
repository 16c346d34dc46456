package import Core

/// Negotiates one peer connection: answers offers, or makes them, and keeps what must not change from one to the next.
///
/// Names of streams and sources are drawn once, so that a renegotiation goes on with the same streams. All that we send belongs to
/// one stream with one CNAME: players synchronise sound and picture by it.
/// - SeeAlso: [RFC 8829](https://www.rfc-editor.org/rfc/rfc8829), [RFC 9143](https://www.rfc-editor.org/rfc/rfc9143)
package struct OfferAnswer: Sendable {
    /// What stays the same in all descriptions of ours.
    struct Identity: Equatable, Sendable {
        let sessionID: UInt64
        let cname: String
        let stream: String
        let videoTrack: String
        let audioTrack: String
        let video: SSRC
        let videoRetransmission: SSRC
        let audio: SSRC

        func ssrc(_ kind: MediaKind) -> SSRC { kind == .video ? video : audio }
        func track(_ kind: MediaKind) -> String { kind == .video ? videoTrack : audioTrack }
    }

    package let capabilities: MediaCapabilities
    let identity: Identity
    /// What the last complete exchange agreed on.
    package internal(set) var agreed: NegotiatedSession?
    /// The description of ours that waits for its answer.
    var pendingOffer: SessionDescription?
    private var version: UInt64 = 0

    package init(capabilities: MediaCapabilities, random: RandomSource) {
        self.capabilities = capabilities
        // RFC 8829 §5.2.1: 63 random bits.
        let sessionID = random.uint64() >> 1
        var sources: [SSRC] = []
        while sources.count < 3 {
            let source = SSRC(random.uint32())
            if source.value != 0, !sources.contains(source) { sources.append(source) }
        }
        identity = Identity(
            sessionID: sessionID, cname: random.token(bits: 96), stream: random.token(bits: 96),
            videoTrack: random.token(bits: 96), audioTrack: random.token(bits: 96), video: sources[0],
            videoRetransmission: sources[1], audio: sources[2])
    }

    /// The canonical name of our streams, for SDES.
    package var cname: String { identity.cname }

    /// Says what an offer would lead to. Changes nothing: so a bad offer leaves the running session as it is, and the caller can
    /// tell an ICE restart by the credentials before it draws its own.
    package func review(_ offer: SessionDescription) throws(NegotiationError) -> NegotiatedSession {
        let bundle = offer.bundle
        let mids = offer.media.compactMap(\.mid)
        guard Set(mids).count == mids.count else { throw NegotiationError(.malformed, "two sections have one mid") }
        var sections: [NegotiatedSection] = []
        for (index, section) in offer.media.enumerated() {
            // Everything shares one transport: without BUNDLE a second section has nowhere to go.
            let isBundled = section.mid.map(bundle.contains) ?? false
            if !isBundled, !bundle.isEmpty || sections.contains(where: { $0.index != nil }) {
                sections.append(.rejected(reason: "not part of the BUNDLE group"))
            } else if section.port == 0, !section.has("bundle-only") {
                sections.append(.rejected(reason: "disabled in the offer"))
            } else {
                sections.append(negotiate(section, index: index, after: sections))
            }
        }
        let accepted = sections.filter { $0.index != nil }
        guard let first = accepted.first?.index else {
            let reasons = sections.enumerated().compactMap { index, section -> String? in
                guard case .rejected(let reason) = section else { return nil }
                return "section \(index): \(reason)"
            }
            throw NegotiationError(.nothingInCommon, reasons.isEmpty ? "no media" : reasons.joined(separator: "; "))
        }
        let acceptedBundle = bundle.filter { mid in accepted.contains { $0.mid == mid } }
        let remote = try RemoteTransport(offer, bundle: bundle, first: first, tag: acceptedBundle.first)
        let setup = localSetup(against: remote.setup)
        try checkAssociation(remote, setup)
        return NegotiatedSession(remote: remote, localSetup: setup, sections: sections, bundle: acceptedBundle)
    }

    /// Answers an offer as ``review(_:)`` agreed to it.
    package mutating func answer(
        _ offer: SessionDescription, agreed session: NegotiatedSession, transport: LocalTransport
    ) -> SessionDescription {
        var attributes: [SDPAttribute] = []
        if !session.bundle.isEmpty {
            attributes.append(SDPAttribute("group", "BUNDLE " + session.bundle.joined(separator: " ")))
        }
        attributes.append(SDPAttribute("msid-semantic", "WMS *"))
        let tag = session.transportSection?.index
        var media: [MediaDescription] = []
        for (section, result) in zip(offer.media, session.sections) {
            switch result {
            case .rejected: media.append(rejection(of: section, transport: transport, setup: session.localSetup))
            case .application(let application):
                media.append(
                    describe(
                        application, in: section, transport: transport, setup: session.localSetup,
                        includesCandidates: application.index == tag))
            case .media(let negotiated):
                media.append(
                    describe(
                        negotiated, as: [answered(negotiated, in: section)], in: section, transport: transport,
                        setup: session.localSetup,
                        includesCandidates: negotiated.index == tag))
            }
        }
        agreed = session
        return SessionDescription(origin: nextOrigin(), attributes: attributes, media: media)
    }

    mutating func nextOrigin() -> SessionDescription.Origin {
        version += 1
        return SessionDescription.Origin(sessionID: String(identity.sessionID), sessionVersion: String(version))
    }

    /// As answerer we are the DTLS server wherever the offer leaves the choice: then the cheaper SRTP profile is ours to pick.
    private func localSetup(against remote: DTLSSetup) -> DTLSSetup {
        switch remote {
        case .actpass: agreed?.localSetup ?? .passive
        case .active: .passive
        case .passive: .active
        }
    }

    /// A DTLS association lasts as long as the peer connection: certificates and roles cannot change under it.
    func checkAssociation(_ remote: RemoteTransport, _ setup: DTLSSetup) throws(NegotiationError) {
        guard let agreed else { return }
        guard Set(agreed.remote.fingerprints) == Set(remote.fingerprints) else {
            throw NegotiationError(.dtlsAssociationChanged, "the certificate's fingerprint has changed")
        }
        guard agreed.localSetup == setup else {
            throw NegotiationError(.dtlsAssociationChanged, "the DTLS roles would have to change")
        }
    }
}
