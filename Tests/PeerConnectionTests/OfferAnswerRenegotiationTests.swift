import Core
import PeerConnection
import Testing

@Suite("Renegotiation and our own offers")
struct OfferAnswerRenegotiationTests {
    @Test("A second offer keeps session id, streams and CNAME and counts the version up")
    func again() throws {
        var answerer = Answerer()
        let (first, before) = try answerer.answer(OfferByChromium.receiveOnly)
        let restarted = OfferByChromium.receiveOnly.replacing("aEfh", with: "bXyz")
        let (second, after) = try answerer.answer(restarted)
        #expect(second.origin.sessionID == first.origin.sessionID)
        #expect(first.origin.sessionVersion == "1")
        #expect(second.origin.sessionVersion == "2")
        #expect(after.sending(.video) == before.sending(.video))
        #expect(second.media.map { $0.all("msid") } == first.media.map { $0.all("msid") })
        #expect(after.remote.usernameFragment == "bXyz")
    }

    @Test("The DTLS role is kept, and another certificate is refused; the session stays as it was")
    func association() throws {
        var answerer = Answerer()
        _ = try answerer.answer(OfferByChromium.receiveOnly.replacing("a=setup:actpass", with: "a=setup:passive"))
        let (again, _) = try answerer.answer(OfferByChromium.receiveOnly)
        #expect(again.media[0].all("setup") == ["active"])
        let agreed = answerer.offerAnswer.agreed
        let stolen = try SessionDescription(OfferByChromium.receiveOnly.replacing("26:20:F3", with: "26:20:F4"))
        do {
            _ = try answerer.offerAnswer.review(stolen)
            Issue.record("another certificate was accepted")
        } catch {
            #expect(error.code == .dtlsAssociationChanged)
        }
        let active = try SessionDescription(
            OfferByChromium.receiveOnly.replacing("a=setup:actpass", with: "a=setup:active"))
        #expect(throws: NegotiationError.self) { try answerer.offerAnswer.review(active) }
        #expect(answerer.offerAnswer.agreed == agreed)
    }

    @Test("An offer of ours, answered by ourselves, ends in agreement on both sides")
    func bothSides() throws {
        var viewer = OfferAnswer(
            capabilities: MediaCapabilities(
                sendsVideo: false, sendsAudio: false, receivesVideo: true, receivesAudio: true),
            random: .seeded(8))
        let transport = LocalTransport(
            usernameFragment: "view", password: "viewviewviewviewviewview", fingerprint: Answerer.fingerprint,
            candidates: ["candidate:1 1 udp 1 192.0.2.1 5 typ host"], endOfCandidates: true)
        let offer = viewer.offer(transport: transport)
        #expect(offer.media.map(\.media) == ["audio", "video"])
        #expect(offer.media.map(\.direction) == [.receiveOnly, .receiveOnly])
        #expect(offer.media[0].all("setup") == ["actpass"])

        var answerer = Answerer()
        let (answer, served) = try answerer.answer(offer.text)
        let watched = try viewer.accept(answer)
        #expect(served.remote.candidates == transport.candidates)
        #expect(served.remote.endOfCandidates)
        #expect(watched.localSetup == .active)
        #expect(watched.remote.usernameFragment == "ours")
        let sent = try #require(served.sending(.video)?.sending)
        let received = try #require(watched.receiving(.video)?.receiving)
        #expect(received.sources == [sent.ssrc, sent.retransmission?.ssrc].compactMap(\.self))
        #expect(received.retransmissionSources == [sent.ssrc: try #require(sent.retransmission?.ssrc)])
        #expect(received.payloadType == sent.payloadType)
        #expect(received.retransmissionPayloadType == sent.retransmission?.payloadType)
        #expect(received.cname == answerer.offerAnswer.cname)
        #expect(watched.receiving(.audio)?.receiving?.cname == answerer.offerAnswer.cname)
        #expect(watched.receiving(.video)?.extensions == served.sending(.video)?.extensions)
    }

    @Test("Answers that do not fit the offer are refused, and the offer stays open for the right one")
    func mismatch() throws {
        var offerer = OfferAnswer(capabilities: MediaCapabilities(), random: .seeded(8))
        var answerer = Answerer(MediaCapabilities(receivesVideo: true))
        #expect(throws: NegotiationError.self) {
            try offerer.accept(try SessionDescription(OfferByChromium.receiveOnly))
        }
        let offer = offerer.offer(transport: Answerer.transport)
        let (answer, _) = try answerer.answer(offer.text)

        func code(_ change: (inout SessionDescription) -> Void) -> NegotiationError.Code? {
            var changed = answer
            change(&changed)
            do {
                _ = try offerer.accept(changed)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code { $0.media.removeLast() } == .answerMismatch)
        #expect(code { $0.media.swapAt(0, 1) } == .answerMismatch)
        #expect(code { $0.attributes.removeAll() } == .answerMismatch)
        #expect(code { for index in $0.media.indices { $0.media[index].port = 0 } } == .nothingInCommon)
        let actpass = try SessionDescription(answer.text.replacing("setup:passive", with: "setup:actpass"))
        #expect(code { $0 = actpass } == .setup)
        #expect(code { _ in } == nil)
        #expect(code { _ in } == .unexpectedAnswer)
    }

    @Test("A section that the peer refuses is left out, the other works")
    func partlyRefused() throws {
        var offerer = OfferAnswer(capabilities: MediaCapabilities(), random: .seeded(8))
        var answerer = Answerer(MediaCapabilities())
        let offer = offerer.offer(transport: Answerer.transport)
        var (answer, _) = try answerer.answer(offer.text)
        answer.media[1].port = 0
        answer.attributes[0].value = "BUNDLE 0"
        let session = try offerer.accept(answer)
        #expect(session.sections[1].media == nil)
        #expect(session.bundle == ["0"])
        #expect(session.sending(.audio)?.direction == .sendReceive)
    }
}
