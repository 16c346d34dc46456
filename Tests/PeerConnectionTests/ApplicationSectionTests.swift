import Core
import Testing

@testable import PeerConnection

@Suite("The section that carries data channels")
struct ApplicationSectionTests {
    private func answerer(maximumMessageBytes: Int = 65_536) -> Answerer {
        var limits = DataChannelLimits()
        limits.maximumMessageBytes = maximumMessageBytes
        return Answerer(MediaCapabilities(dataChannels: limits))
    }

    @Test("The newer form, as Chromium offers it, is answered in kind")
    func newer() throws {
        var answerer = answerer()
        let (answer, session) = try answerer.answer(OfferByChromium.sendReceiveWithChannel)
        let section = try #require(answer.media.last)
        #expect(section.media == "application")
        #expect(section.port == 9)
        #expect(section.transportProtocol == "UDP/DTLS/SCTP")
        #expect(section.formats == ["webrtc-datachannel"])
        #expect(section.all("sctp-port") == ["5000"])
        #expect(section.all("max-message-size") == ["65536"])
        #expect(section.all("mid") == ["2"])
        #expect(section.all("setup") == ["passive"])
        #expect(section.all("ice-ufrag") == ["ours"])
        #expect(answer.bundle == ["0", "1", "2"])
        #expect(
            session.application
                == NegotiatedApplication(index: 2, mid: "2", remotePort: 5000, remoteMaximumMessageBytes: 262_144))
    }

    @Test("The former form, as older aiortc offers it, is answered in kind")
    func former() throws {
        var answerer = answerer()
        let (answer, session) = try answerer.answer(OfferByAiortc.legacyChannel)
        let section = try #require(answer.media.last)
        #expect(section.transportProtocol == "DTLS/SCTP")
        #expect(section.formats == ["5000"])
        #expect(section.all("sctpmap") == ["5000 webrtc-datachannel 65535"])
        #expect(section.all("max-message-size") == ["65536"])
        #expect(section.all("sctp-port").isEmpty)
        #expect(session.application?.remotePort == 5000)
        #expect(session.application?.remoteMaximumMessageBytes == 65_536)
    }

    @Test("Data channels alone make a session, over their own transport")
    func alone() throws {
        var offer = try SessionDescription(OfferByAiortc.legacyChannel)
        offer.media.removeFirst()
        offer.attributes = [SDPAttribute("group", "BUNDLE 1")]
        var answerer = answerer()
        let transport = LocalTransport(
            usernameFragment: "ours", password: "ourpasswordourpassword", fingerprint: Answerer.fingerprint,
            candidates: ["candidate:1 1 udp 1 192.0.2.1 5 typ host"], endOfCandidates: true)
        let (answer, session) = try answerer.answer(offer.text, transport: transport)
        #expect(answer.media.map(\.media) == ["application"])
        #expect(answer.media[0].all("candidate").count == 1)
        #expect(session.remote.usernameFragment == "UNa2")
        #expect(session.application?.mid == "1")
        #expect(session.transportSection?.index == 0)
    }

    @Test("Where no channels are offered here, the section alone is refused")
    func refused() throws {
        var answerer = Answerer()
        let (answer, session) = try answerer.answer(OfferByChromium.sendReceiveWithChannel)
        #expect(answer.media.map(\.port) == [9, 9, 0])
        #expect(answer.bundle == ["0", "1"])
        #expect(session.application == nil)
    }

    @Test("What a peer says of its messages and its port is read; what it cannot mean is refused")
    func values() throws {
        func application(_ old: String, _ new: String) throws -> NegotiatedApplication? {
            let text = OfferByChromium.sendReceiveWithChannel.replacing(old, with: new)
            return try answerer().offerAnswer.review(try SessionDescription(text)).application
        }
        let size = "a=max-message-size:262144"
        #expect(try application(size, "a=max-message-size:0")?.remoteMaximumMessageBytes == .max)
        #expect(try application(size, "a=x")?.remoteMaximumMessageBytes == 65_536)
        #expect(try application(size, "a=max-message-size:-1")?.remoteMaximumMessageBytes == 65_536)
        #expect(try application(size, "a=max-message-size:99999999999999999999")?.remoteMaximumMessageBytes == 65_536)
        #expect(try application("a=sctp-port:5000", "a=sctp-port:6000")?.remotePort == 6000)
        #expect(try application("a=sctp-port:5000", "a=x")?.remotePort == 5000)
        #expect(try application("a=sctp-port:5000", "a=sctp-port:0") == nil)
        #expect(try application("a=sctp-port:5000", "a=sctp-port:70000") == nil)
        #expect(try application("SCTP webrtc-datachannel", "SCTP something-else") == nil)
        #expect(try application("UDP/DTLS/SCTP webrtc-datachannel", "TCP/DTLS/SCTP webrtc-datachannel") == nil)
        #expect(try application("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP x") == nil)
    }

    @Test("A second section for channels is refused")
    func second() throws {
        var offer = try SessionDescription(OfferByChromium.sendReceiveWithChannel)
        var another = try #require(offer.media.last)
        another.attributes = another.attributes.map { $0.name == "mid" ? SDPAttribute("mid", "3") : $0 }
        offer.media.append(another)
        offer.attributes = offer.attributes.map {
            $0.name == "group" ? SDPAttribute("group", "BUNDLE 0 1 2 3") : $0
        }
        var answerer = answerer()
        let (answer, session) = try answerer.answer(offer.text)
        #expect(answer.media.map(\.port) == [9, 9, 9, 0])
        #expect(session.application?.index == 2)
    }

    @Test("Offered by ourselves, it is agreed on by both sides, and lasts through another exchange")
    func bothSides() throws {
        var limits = DataChannelLimits()
        limits.maximumMessageBytes = 100_000
        var offerer = OfferAnswer(
            capabilities: MediaCapabilities(sendsVideo: false, dataChannels: limits), random: .seeded(8))
        var answerer = answerer()
        for _ in 0..<2 {
            let offer = offerer.offer(transport: Answerer.transport)
            #expect(offer.media.map(\.media) == ["audio", "application"])
            let (answer, served) = try answerer.answer(offer.text)
            let agreed = try offerer.accept(answer)
            #expect(served.application?.remoteMaximumMessageBytes == 100_000)
            #expect(agreed.application?.remoteMaximumMessageBytes == 65_536)
            #expect(agreed.application?.mid == "1")
        }
    }
}
