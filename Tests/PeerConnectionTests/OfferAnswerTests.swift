import Core
import PeerConnection
import Testing

/// An answerer as the avatar server is one.
struct Answerer {
    static let fingerprint = CertificateFingerprint(algorithm: .sha256, digest: Array(0..<32))!
    static let transport = LocalTransport(
        usernameFragment: "ours", password: "ourpasswordourpassword", fingerprint: fingerprint)

    var offerAnswer: OfferAnswer

    init(_ capabilities: MediaCapabilities = MediaCapabilities()) {
        offerAnswer = OfferAnswer(capabilities: capabilities, random: .seeded(3))
    }

    mutating func answer(
        _ text: String, transport: LocalTransport = transport
    ) throws -> (answer: SessionDescription, session: NegotiatedSession) {
        let offer = try SessionDescription(text)
        let session = try offerAnswer.review(offer)
        let answer = offerAnswer.answer(offer, agreed: session, transport: transport)
        // What goes out can be read again.
        return (try SessionDescription(answer.text), session)
    }
}

extension MediaDescription {
    func all(_ name: String) -> [String] {
        attributes.compactMap { $0.name == name ? $0.value : nil }
    }

    func names() -> Set<String> { Set(attributes.map(\.name)) }
}

@Suite("Answering offers")
struct OfferAnswerTests {
    @Test("Chromium's recvonly offer gets VP8 with RTX and Opus, sendonly, as DTLS server")
    func chromium() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByChromium.receiveOnly)
        #expect(answer.bundle == ["0", "1"])
        #expect(answer.media.map(\.media) == ["video", "audio"])
        #expect(answer.media.map(\.formats) == [["96", "97"], ["111"]])
        #expect(answer.media.map(\.direction) == [.sendOnly, .sendOnly])
        for section in answer.media {
            #expect(section.port == 9)
            #expect(section.all("setup") == ["passive"])
            #expect(section.all("ice-ufrag") == ["ours"])
            #expect(section.all("ice-pwd") == ["ourpasswordourpassword"])
            #expect(section.all("ice-options") == ["trickle"])
            #expect(section.all("fingerprint") == [Answerer.fingerprint.attributeValue])
            #expect(section.names().isSuperset(of: ["rtcp-mux", "rtcp-rsize"]))
        }
        let video = answer.media[0]
        #expect(video.all("rtpmap") == ["96 VP8/90000", "97 rtx/90000"])
        #expect(video.all("fmtp") == ["97 apt=96"])
        #expect(Set(video.all("rtcp-fb")) == ["96 nack", "96 nack pli", "96 ccm fir", "96 goog-remb"])
        #expect(
            Set(video.all("extmap")) == [
                "9 urn:ietf:params:rtp-hdrext:sdes:mid", "2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            ])
        #expect(answer.media[1].all("rtpmap") == ["111 opus/48000/2"])
        #expect(answer.media[1].all("fmtp") == ["111 minptime=10;useinbandfec=1"])

        #expect(session.localSetup == .passive)
        #expect(session.remote.usernameFragment == "aEfh")
        #expect(session.remote.password == "u2f3RdJNwPQHvE6r2EwFreq8")
        #expect(session.remote.supportsTrickle)
        #expect(!session.remote.isICELite)
        #expect(session.remote.fingerprints.count == 1)
        let sending = try #require(session.sending(.video)?.sending)
        #expect(sending.payloadType == 96)
        #expect(sending.retransmission?.payloadType == 97)
        #expect(session.sending(.audio)?.sending?.payloadType == 111)
        #expect(session.receiving(.audio) == nil)
        // The microphone's loudness is of use only where there is a microphone.
        #expect(session.sending(.audio)?.extensions.audioLevel == nil)
        #expect(session.sending(.video)?.extensions == RTPHeaderExtensionIDs(mid: 9, absoluteSendTime: 2))
    }

    @Test("Sound and picture belong to one stream with one CNAME", arguments: SDPParsingTests.fixtures.dropLast())
    func oneStream(offer: String) throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(offer)
        let sections = answer.media.filter { $0.port != 0 }
        let bindings: [String] = sections.flatMap { $0.all("msid") }
        let msids = bindings.map { $0.split(separator: " ") }
        #expect(msids.count == 2)
        #expect(Set(msids.map { $0[0] }).count == 1)
        #expect(Set(msids.map { $0[1] }).count == 2)
        let sources: [String] = sections.flatMap { $0.all("ssrc") }
        let cnames = sources.filter { $0.contains("cname:") }
        #expect(cnames.count == 3)
        #expect(cnames.allSatisfy { $0.hasSuffix("cname:\(answerer.offerAnswer.cname)") })
        let video = try #require(session.sending(.video)?.sending)
        let repair = try #require(video.retransmission)
        let section = try #require(sections.first { $0.media == "video" })
        #expect(section.all("ssrc-group") == ["FID \(video.ssrc.value) \(repair.ssrc.value)"])
        #expect(
            Set(section.all("ssrc").compactMap { $0.split(separator: " ").first }) == [
                "\(video.ssrc.value)", "\(repair.ssrc.value)",
            ])
    }

    @Test("A camera is not taken, a microphone is, and the data channel is refused with port 0")
    func sendReceive() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByChromium.sendReceiveWithChannel)
        #expect(answer.bundle == ["0", "1"])
        #expect(answer.media.map(\.direction)[..<2] == [.sendOnly, .sendReceive])
        let channel = answer.media[2]
        #expect(channel.port == 0)
        #expect(channel.media == "application")
        #expect(channel.mid == "2")
        #expect(channel.formats == ["webrtc-datachannel"])
        #expect(channel.names().isSuperset(of: ["ice-ufrag", "ice-pwd", "setup", "fingerprint"]))
        let microphone = try #require(session.receiving(.audio)?.receiving)
        #expect(microphone.payloadType == 111)
        #expect(session.receiving(.audio)?.extensions.audioLevel == 14)
        #expect(microphone.sources == [SSRC(3_928_953_863)])
        #expect(microphone.cname == "rnsbjQxT7/9BZv2O")
        #expect(session.sections[2].media == nil)
    }

    @Test("Firefox's session-level fingerprint and bundle-only section are understood")
    func firefox() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByFirefox.receiveOnly)
        #expect(answer.media.map(\.media) == ["audio", "video"])
        #expect(answer.media.map(\.port) == [9, 9])
        #expect(answer.media.map(\.formats) == [["109"], ["120", "124"]])
        #expect(answer.bundle == ["0", "1"])
        #expect(!answer.media[1].names().contains("bundle-only"))
        #expect(session.remote.usernameFragment == "8b1e4297")
        #expect(session.remote.fingerprints.map(\.algorithm) == [.sha256])
        #expect(session.sending(.video)?.extensions == RTPHeaderExtensionIDs(mid: 3, absoluteSendTime: 4))
        #expect(session.sending(.audio)?.reducedSizeRTCP == false)
        #expect(session.sending(.video)?.reducedSizeRTCP == true)
    }

    @Test("Of aiortc 1.9's two sets of credentials the first section's count, with its candidates")
    func aiortc19() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByAiortc.version19)
        #expect(answer.bundle == ["0", "1"])
        #expect(session.remote.usernameFragment == "xqd0")
        #expect(session.remote.password == "DqY1pgKa1dZf6RpZQ6Jsih")
        #expect(session.remote.candidates.count == 2)
        #expect(session.remote.candidates.allSatisfy { $0.hasPrefix("candidate:") && $0.hasSuffix("typ host") })
        #expect(session.remote.endOfCandidates)
        #expect(!session.remote.supportsTrickle)
        #expect(session.sending(.video)?.sending?.payloadType == 97)
        #expect(session.sending(.audio)?.sending?.payloadType == 96)
    }

    @Test("All of aiortc 1.16's fingerprints are kept")
    func aiortc116() throws {
        var answerer = Answerer()
        let (_, session) = try answerer.answer(OfferByAiortc.version116)
        #expect(session.remote.fingerprints.map(\.algorithm) == [.sha256, .sha384, .sha512])
    }

    @Test("The old notation of a data channel is refused in its own words")
    func legacyChannel() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByAiortc.legacyChannel)
        #expect(answer.media[1].port == 0)
        #expect(answer.media[1].transportProtocol == "DTLS/SCTP")
        #expect(answer.media[1].formats == ["5000"])
        #expect(session.receiving(.audio)?.direction == .sendReceive)
    }

    @Test("Every section of an answer carries what aiortc demands of it", arguments: SDPParsingTests.fixtures)
    func aiortcDemands(offer: String) throws {
        var answerer = Answerer()
        let (answer, _) = try answerer.answer(offer)
        let offered = try SessionDescription(offer)
        #expect(answer.media.map(\.media) == offered.media.map(\.media))
        #expect(answer.media.map(\.mid) == offered.media.map(\.mid))
        #expect(answer.media.map(\.transportProtocol) == offered.media.map(\.transportProtocol))
        for section in answer.media {
            #expect(section.names().isSuperset(of: ["ice-ufrag", "ice-pwd", "setup"]))
            #expect(section.media == "application" || section.names().contains("rtcp-mux"))
        }
    }

    @Test("Candidates are written into the first bundled section only")
    func embeddedCandidates() throws {
        var answerer = Answerer()
        var transport = Answerer.transport
        transport.candidates = ["candidate:1 1 udp 1 192.0.2.1 10111 typ relay raddr 192.0.2.1 rport 10111"]
        transport.endOfCandidates = true
        let (answer, _) = try answerer.answer(OfferByChromium.receiveOnly, transport: transport)
        #expect(answer.media[0].all("candidate") == ["1 1 udp 1 192.0.2.1 10111 typ relay raddr 192.0.2.1 rport 10111"])
        #expect(answer.media[0].names().contains("end-of-candidates"))
        #expect(answer.media[1].all("candidate").isEmpty)
        #expect(!answer.media[1].names().contains("end-of-candidates"))
    }

    @Test("Transport feedback is negotiated where we are able to use it, and then REMB is not")
    func transportFeedback() throws {
        var answerer = Answerer(MediaCapabilities(usesTransportFeedback: true))
        let (answer, session) = try answerer.answer(OfferByChromium.receiveOnly)
        #expect(session.sending(.video)?.extensions.transportSequenceNumber == 4)
        #expect(session.sending(.audio)?.extensions.transportSequenceNumber == 4)
        #expect(Set(answer.media[0].all("rtcp-fb")) == ["96 nack", "96 nack pli", "96 ccm fir", "96 transport-cc"])
        #expect(answer.media[1].all("rtcp-fb") == ["111 transport-cc"])
    }
}
