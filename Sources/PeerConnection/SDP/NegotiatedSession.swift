/// What both sides agreed on.
package struct NegotiatedSession: Equatable, Sendable {
    package var remote: RemoteTransport
    /// Our part of the DTLS handshake: passive is the server.
    package var localSetup: DTLSSetup
    /// One for each `m=` line of the offer, in its order.
    package var sections: [NegotiatedSection]
    /// The media identifications that share the one transport, in the offer's order.
    package var bundle: [String]

    /// The section that carries data channels; nil where there is none.
    package var application: NegotiatedApplication? {
        sections.lazy.compactMap(\.application).first
    }

    /// The accepted section that speaks for the one transport: the first of the BUNDLE group (RFC 9143 §7.2).
    package var transportSection: NegotiatedSection? {
        let accepted = sections.filter { $0.index != nil }
        guard let tag = bundle.first else { return accepted.first }
        return accepted.first { $0.mid == tag } ?? accepted.first
    }

    /// The section that sends media of this kind.
    package func sending(_ kind: MediaKind) -> NegotiatedMedia? {
        sections.lazy.compactMap(\.media).first { $0.kind == kind && $0.sending != nil }
    }

    /// The section that receives media of this kind.
    package func receiving(_ kind: MediaKind) -> NegotiatedMedia? {
        sections.lazy.compactMap(\.media).first { $0.kind == kind && $0.receiving != nil }
    }
}

/// What became of one `m=` line.
package enum NegotiatedSection: Equatable, Sendable {
    case media(NegotiatedMedia)
    case application(NegotiatedApplication)
    /// Refused with port 0.
    case rejected(reason: String)

    package var media: NegotiatedMedia? {
        if case .media(let media) = self { return media }
        return nil
    }

    package var application: NegotiatedApplication? {
        if case .application(let application) = self { return application }
        return nil
    }

    /// Its place among the `m=` lines; nil where it was refused.
    package var index: Int? {
        switch self {
        case .media(let media): media.index
        case .application(let application): application.index
        case .rejected: nil
        }
    }

    /// Its media identification; nil where it was refused, empty where the peer gave none.
    package var mid: String? {
        switch self {
        case .media(let media): media.mid
        case .application(let application): application.mid
        case .rejected: nil
        }
    }
}

/// What is agreed for the section that carries SCTP.
/// - SeeAlso: [RFC 8841](https://www.rfc-editor.org/rfc/rfc8841)
package struct NegotiatedApplication: Hashable, Sendable {
    /// The SCTP port that we announce, and the peer's where it names none: the one that all of WebRTC uses.
    package static let port: UInt16 = 5000
    /// Bytes of a message that a peer takes that says nothing (RFC 8841 §6.1).
    package static let defaultMaximumMessageBytes = 65_536

    /// Its place among the `m=` lines.
    package var index: Int
    /// Empty where the peer gave none.
    package var mid: String
    /// `a=sctp-port` of the peer's, or the port of the former `a=sctpmap` form. Never 0.
    package var remotePort: UInt16
    /// `a=max-message-size` of the peer's, in bytes: 65,536 where it is absent, `Int.max` where it is 0, which
    /// means any size (RFC 8841 §6).
    package var remoteMaximumMessageBytes: Int

    package init(
        index: Int, mid: String, remotePort: UInt16 = port,
        remoteMaximumMessageBytes: Int = defaultMaximumMessageBytes
    ) {
        self.index = index
        self.mid = mid
        self.remotePort = remotePort
        self.remoteMaximumMessageBytes = remoteMaximumMessageBytes
    }
}

/// What is agreed for one `m=` line that was accepted.
package struct NegotiatedMedia: Equatable, Sendable {
    /// The stream that we send.
    package struct Sending: Equatable, Sendable {
        package var codec: MediaCodec
        package var payloadType: UInt8
        package var ssrc: SSRC
        package var retransmission: RTPSendStream.Retransmission?
        /// The feedback that the peer may send and that we act on: `nack`, `nack pli`, `ccm fir`, `goog-remb`, `transport-cc`.
        package var feedback: Set<String>
    }

    /// The stream that the peer sends.
    package struct Receiving: Equatable, Sendable {
        package var codec: MediaCodec
        package var payloadType: UInt8
        package var retransmissionPayloadType: UInt8?
        /// As announced; may be empty, then the payload type tells.
        package var sources: [SSRC]
        package var retransmissionSources: [SSRC: SSRC]
        package var cname: String?
        /// The feedback that we may send.
        package var feedback: Set<String>
    }

    package var index: Int
    /// Empty where the peer gave none.
    package var mid: String
    package var kind: MediaKind
    /// Ours.
    package var direction: MediaDirection
    package var sending: Sending?
    package var receiving: Receiving?
    package var extensions: RTPHeaderExtensionIDs
    /// The peer takes feedback without a report before it (RFC 5506).
    package var reducedSizeRTCP: Bool
}

/// `a=setup`: who begins the DTLS handshake.
/// - SeeAlso: [RFC 8842 §5](https://www.rfc-editor.org/rfc/rfc8842#section-5)
package enum DTLSSetup: String, Equatable, Sendable {
    case active
    case passive
    case actpass
}

/// How the peer's one transport is reached and recognised: that of the first accepted section of the BUNDLE group.
package struct RemoteTransport: Equatable, Sendable {
    /// Candidate lines taken from one description; the ICE agent has its own limit.
    package static let maximumCandidates = 64

    package var usernameFragment: String
    package var password: String
    package var isICELite: Bool
    package var supportsTrickle: Bool
    /// Never empty. The peer's certificate must match one of each algorithm that the verifier knows.
    package var fingerprints: [CertificateFingerprint]
    package var setup: DTLSSetup
    /// `candidate:…` values as written, unparsed.
    package var candidates: [String]
    package var endOfCandidates: Bool
}

/// Our transport, as our descriptions announce it.
package struct LocalTransport: Equatable, Sendable {
    package var usernameFragment: String
    package var password: String
    package var fingerprint: CertificateFingerprint
    /// `candidate:…` values to embed; empty where they are trickled.
    package var candidates: [String]
    package var endOfCandidates: Bool

    package init(
        usernameFragment: String, password: String, fingerprint: CertificateFingerprint, candidates: [String] = [],
        endOfCandidates: Bool = false
    ) {
        self.usernameFragment = usernameFragment
        self.password = password
        self.fingerprint = fingerprint
        self.candidates = candidates
        self.endOfCandidates = endOfCandidates
    }
}

/// What we are willing to send and to receive.
package struct MediaCapabilities: Equatable, Sendable {
    package var sendsVideo: Bool
    package var sendsAudio: Bool
    package var receivesVideo: Bool
    package var receivesAudio: Bool
    /// Number every packet and take transport-cc feedback. Costs a viewer 10 to 20 feedback datagrams a second.
    package var usesTransportFeedback: Bool
    /// The picture's codecs, the one we like best first. An offer names all of them.
    package var videoCodecs: [MediaCodec]
    /// An offer of ours has an RTX stream for each of the picture's codecs.
    package var offersRetransmission: Bool
    /// What a data channel may do; nil where application sections are refused and not offered.
    package var dataChannels: DataChannelLimits?

    package init(
        sendsVideo: Bool = true, sendsAudio: Bool = true, receivesVideo: Bool = false, receivesAudio: Bool = true,
        usesTransportFeedback: Bool = false, videoCodecs: [MediaCodec] = [.vp8], offersRetransmission: Bool = true,
        dataChannels: DataChannelLimits? = nil
    ) {
        self.sendsVideo = sendsVideo
        self.sendsAudio = sendsAudio
        self.receivesVideo = receivesVideo
        self.receivesAudio = receivesAudio
        self.usesTransportFeedback = usesTransportFeedback
        self.videoCodecs = videoCodecs.filter { $0.kind == .video }
        self.offersRetransmission = offersRetransmission
        self.dataChannels = dataChannels
    }

    /// The codecs that we speak in a section of this kind, the one we like best first.
    func codecs(_ kind: MediaKind) -> [MediaCodec] { kind == .video ? videoCodecs : [.opus] }

    func sends(_ kind: MediaKind) -> Bool { kind == .video ? sendsVideo : sendsAudio }
    func receives(_ kind: MediaKind) -> Bool { kind == .video ? receivesVideo : receivesAudio }
}
