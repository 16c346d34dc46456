import Core
import PeerConnection
import Testing

@Suite("Offers that are refused, in part or whole")
struct OfferAnswerRefusalTests {
    private func refused(_ text: String, by answerer: Answerer = Answerer()) throws -> NegotiationError.Code? {
        let offer = try SessionDescription(text)
        do {
            _ = try answerer.offerAnswer.review(offer)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("A section outside the BUNDLE group is refused")
    func unbundledSection() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(
            OfferByChromium.receiveOnly.replacing("a=group:BUNDLE 0 1", with: "a=group:BUNDLE 1"))
        #expect(answer.media.map(\.port) == [0, 9])
        #expect(answer.bundle == ["1"])
        #expect(session.sending(.video) == nil)
        #expect(session.sending(.audio) != nil)
    }

    @Test("Where the first bundled section is refused, the next one's credentials count")
    func nextTag() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByAiortc.version19.replacing("VP8/90000", with: "VP8X/90000"))
        #expect(answer.media.map(\.port) == [0, 9])
        #expect(answer.bundle == ["1"])
        #expect(session.remote.usernameFragment == "g0JY")
    }

    @Test("Without BUNDLE the first section alone is taken")
    func withoutBundle() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(
            OfferByChromium.receiveOnly.replacing("a=group:BUNDLE 0 1\n", with: ""))
        #expect(answer.media.map(\.port) == [9, 0])
        #expect(answer.bundle.isEmpty)
        #expect(session.sending(.audio) == nil)
    }

    @Test("A section disabled in the offer stays disabled")
    func disabled() throws {
        var answerer = Answerer()
        let (answer, _) = try answerer.answer(OfferByChromium.receiveOnly.replacing("m=audio 9", with: "m=audio 0"))
        #expect(answer.media.map(\.port) == [9, 0])
        #expect(answer.bundle == ["0"])
    }

    @Test("A section without rtcp-mux, of another transport or another codec is refused, and says why")
    func sectionReasons() throws {
        let changes = [
            ("a=rtcp-mux\n", "", "RTCP"), ("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 RTP/AVP", "transport"),
            ("VP8/90000", "theora/90000", "VP8"), ("m=video", "m=text", "media type"),
        ]
        for (old, new, reason) in changes {
            let offer = try SessionDescription(
                OfferByChromium.receiveOnly.replacing(old, with: new, maxReplacements: 1))
            let session = try Answerer().offerAnswer.review(offer)
            guard case .rejected(let said) = session.sections[0] else {
                Issue.record("accepted after \(old) -> \(new)")
                continue
            }
            #expect(said.contains(reason))
            #expect(session.sending(.audio) != nil)
        }
    }

    @Test("Video without RTX, or with RTX but no NACK, is sent without retransmission")
    func withoutRetransmission() throws {
        for text in [
            OfferByChromium.receiveOnly.replacing("apt=96", with: "apt=95"),
            OfferByChromium.receiveOnly.replacing("a=rtcp-fb:96 nack\n", with: ""),
        ] {
            var answerer = Answerer()
            let (answer, session) = try answerer.answer(text)
            #expect(answer.media[0].formats == ["96"])
            #expect(session.sending(.video)?.sending?.retransmission == nil)
            #expect(answer.media[0].all("ssrc-group").isEmpty)
            #expect(!answer.media[0].all("rtcp-fb").contains("96 nack"))
        }
    }

    @Test("A second section of a kind is kept inactive: nothing is sent twice")
    func secondVideo() throws {
        var offer = try SessionDescription(OfferByAiortc.version19)
        offer.attributes = [SDPAttribute("group", "BUNDLE 0 1 2")]
        var second = offer.media[0]
        second.attributes = second.attributes.map { $0.name == "mid" ? SDPAttribute("mid", "2") : $0 }
        offer.media.append(second)
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(offer.text)
        #expect(answer.media.map(\.direction) == [.sendOnly, .sendOnly, .inactive])
        #expect(answer.media[2].all("msid").isEmpty)
        #expect(answer.media[2].formats == ["97"])
        #expect(session.sections.compactMap(\.media?.sending).count == 2)
    }

    @Test("A microphone in one section and the avatar's voice in another are both served")
    func separateMicrophone() throws {
        let text = OfferByAiortc.version116.replacing("m=video", with: "m=audio")
            .replacing("VP8/90000", with: "opus/48000/2").replacing(
                "a=recvonly", with: "a=sendonly", maxReplacements: 1)
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(text)
        #expect(answer.media.map(\.direction) == [.receiveOnly, .sendOnly])
        #expect(session.receiving(.audio)?.mid == "0")
        #expect(session.sending(.audio)?.mid == "1")
    }

    @Test("An offer with nothing for us is refused whole")
    func nothing() throws {
        #expect(try refused("v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n") == .nothingInCommon)
        var channelOnly = try SessionDescription(OfferByAiortc.legacyChannel)
        channelOnly.media.removeFirst()
        #expect(try refused(channelOnly.text) == .nothingInCommon)
    }

    @Test("Missing or impossible ICE credentials are refused")
    func credentials() throws {
        let text = OfferByChromium.receiveOnly
        #expect(try refused(text.replacing("a=ice-ufrag:aEfh\n", with: "")) == .iceCredentials)
        #expect(try refused(text.replacing("a=ice-ufrag:aEfh", with: "a=ice-ufrag:aEf")) == .iceCredentials)
        #expect(try refused(text.replacing("a=ice-ufrag:aEfh", with: "a=ice-ufrag:aE:h")) == .iceCredentials)
        #expect(try refused(text.replacing("u2f3RdJNwPQHvE6r2EwFreq8", with: "short")) == .iceCredentials)
        let long = String(repeating: "x", count: 257)
        #expect(try refused(text.replacing("aEfh", with: long)) == .iceCredentials)
    }

    @Test("Missing or weak fingerprints and unknown DTLS roles are refused")
    func security() throws {
        let text = OfferByChromium.receiveOnly
        #expect(try refused(text.replacing("a=fingerprint:", with: "a=fingerprints:")) == .fingerprint)
        #expect(try refused(text.replacing("sha-256", with: "md5")) == .fingerprint)
        #expect(try refused(text.replacing("a=setup:actpass", with: "a=setup:holdconn")) == .setup)
    }

    @Test("Two sections of one mid are refused")
    func duplicateMID() throws {
        #expect(try refused(OfferByChromium.receiveOnly.replacing("a=mid:1", with: "a=mid:0")) == .malformed)
    }

    @Test("A peer that insists on the passive role gets the active one")
    func passivePeer() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(
            OfferByChromium.receiveOnly.replacing("a=setup:actpass", with: "a=setup:passive"))
        #expect(answer.media[0].all("setup") == ["active"])
        #expect(session.localSetup == .active)
    }

    @Test("Payload types that RTCP could be taken for are passed over")
    func forbiddenPayloadTypes() throws {
        let text = OfferByChromium.receiveOnly.replacing(
            "m=video 9 UDP/TLS/RTP/SAVPF 96", with: "m=video 9 UDP/TLS/RTP/SAVPF 72"
        )
        .replacing("a=rtpmap:96 ", with: "a=rtpmap:72 ")
        let session = try Answerer().offerAnswer.review(try SessionDescription(text))
        #expect(session.sections[0].media == nil)
    }
}
