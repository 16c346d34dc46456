import Core
import TURNClient
import Testing

@testable import PeerConnection

@Suite("Offering to a robot, and its answer")
struct RobotOfferTests {
    private static let candidates = [
        "candidate:1 1 udp 2130706431 192.168.2.7 51234 typ host",
        "candidate:2 1 udp 2130706175 10.0.0.4 51234 typ host",
    ]

    /// What the robot's link asks for.
    private static func capabilities(sound: Bool = true) -> MediaCapabilities {
        MediaCapabilities(
            sendsVideo: false, sendsAudio: sound, receivesVideo: true, receivesAudio: sound, videoCodecs: [.h264],
            offersRetransmission: false, dataChannels: DataChannelLimits())
    }

    private static let transport = LocalTransport(
        usernameFragment: "ours", password: "ourpasswordourpassword", fingerprint: Answerer.fingerprint,
        candidates: candidates, endOfCandidates: true)

    private func offerer(sound: Bool = true) -> (offerer: OfferAnswer, offer: SessionDescription) {
        var offerer = OfferAnswer(capabilities: Self.capabilities(sound: sound), random: .seeded(5))
        let offer = offerer.offer(transport: Self.transport)
        return (offerer, offer)
    }

    @Test("Media come first and data channels last, as 0, 1 and 2 of one bundle")
    func sections() {
        let offer = offerer().offer
        #expect(offer.media.map(\.media) == ["audio", "video", "application"])
        #expect(offer.media.map(\.mid) == ["0", "1", "2"])
        #expect(offer.bundle == ["0", "1", "2"])
        #expect(offer.media.map(\.port) == [9, 9, 9])
        #expect(offer.media.map(\.transportProtocol) == ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVPF", "UDP/DTLS/SCTP"])
        #expect(offer.media.map(\.formats) == [["111"], ["102"], ["webrtc-datachannel"]])
        #expect(offer.media.prefix(2).map(\.direction) == [.sendReceive, .receiveOnly])
        #expect(offer.media.prefix(2).allSatisfy { $0.has("rtcp-mux") })
    }

    @Test(
        "Every section has the same credentials, one fingerprint, and leaves the DTLS role open: the last one counts there"
    )
    func transport() {
        for section in offerer().offer.media {
            #expect(section.all("ice-ufrag") == ["ours"])
            #expect(section.all("ice-pwd") == ["ourpasswordourpassword"])
            #expect(section.all("fingerprint") == [Answerer.fingerprint.attributeValue])
            #expect(section.all("fingerprint").allSatisfy { $0.hasPrefix("sha-256 ") })
            #expect(section.all("setup") == ["actpass"])
            #expect(section.names().contains("ice-lite") == false)
        }
    }

    @Test("All candidates are in it, host candidates alone, and nothing promises more")
    func candidates() {
        let offer = offerer().offer
        let lines = offer.media.flatMap { $0.all("candidate") }
        #expect(lines.map { "candidate:" + $0 } == Self.candidates)
        #expect(offer.media[0].names().contains("end-of-candidates"))
        #expect(!offer.text.contains("trickle"))
        #expect(!offer.text.contains("srflx") && !offer.text.contains("relay"))
    }

    @Test("The picture is H.264 alone, 42e01f in packetization mode 1, and the robot is asked for what it knows")
    func video() {
        let video = offerer().offer.media[1]
        #expect(video.all("rtpmap") == ["102 H264/90000"])
        #expect(video.all("fmtp") == ["102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"])
        #expect(Set(video.all("rtcp-fb")) == ["102 nack", "102 nack pli", "102 ccm fir"])
        #expect(video.all("ssrc").isEmpty && video.all("msid").isEmpty)
    }

    @Test("Data channels are offered in the newer form, with what we take")
    func application() {
        let application = offerer().offer.media[2]
        #expect(application.all("sctp-port") == ["5000"])
        #expect(application.all("max-message-size") == ["262144"])
        #expect(application.all("sctpmap").isEmpty)
    }

    @Test("It is small: below 2,500 bytes, no value above 255, fewer than 60 attributes")
    func size() {
        let offer = offerer().offer
        #expect(offer.text.utf8.count < 2500)
        let attributes = offer.attributes + offer.media.flatMap(\.attributes)
        #expect(attributes.allSatisfy { ($0.value?.utf8.count ?? 0) <= 255 })
        #expect(attributes.count < 60)
    }

    @Test("The whole answer of a robot is taken: line feeds, its candidate, the newer form, no message size")
    func answer() throws {
        var (offerer, _) = offerer()
        let session = try offerer.accept(try SessionDescription(RobotAnswer.whole))
        #expect(session.localSetup == .passive)
        #expect(session.bundle == ["0", "1", "2"])
        #expect(session.remote.usernameFragment == RobotAnswer.fragment)
        #expect(session.remote.password == RobotAnswer.password)
        #expect(session.remote.fingerprints.map(\.attributeValue) == ["sha-256 " + RobotAnswer.fingerprint])
        #expect(session.remote.candidates.count == 1)
        #expect(!session.remote.endOfCandidates)
        let candidate = try Candidate(sdp: try #require(session.remote.candidates.first))
        #expect(candidate.type == .host)
        #expect(candidate.address == SocketAddress(.v4(0xC0A8_0271), 48_890))

        let video = try #require(session.receiving(.video))
        #expect(video.direction == .receiveOnly)
        #expect(video.receiving?.codec == .h264)
        #expect(video.receiving?.payloadType == 102)
        #expect(video.receiving?.retransmissionPayloadType == nil)
        #expect(video.receiving?.sources == [SSRC(3_018_462_075)])
        #expect(video.receiving?.feedback == ["nack"])
        let audio = try #require(session.receiving(.audio))
        #expect(audio.direction == .sendReceive)
        #expect(audio.sending?.payloadType == 111)
        #expect(audio.receiving?.codec == .opus)
        #expect(
            session.application
                == NegotiatedApplication(index: 2, mid: "2", remotePort: 5000, remoteMaximumMessageBytes: 65_536))
    }

    @Test("The published answer to an offer without sound is taken as well, with CR LF too")
    func cameraAnswer() throws {
        for text in [RobotAnswer.camera, RobotAnswer.camera.replacing("\n", with: "\r\n")] {
            var (offerer, offer) = offerer(sound: false)
            #expect(offer.media.map(\.mid) == ["0", "1"])
            let session = try offerer.accept(try SessionDescription(text))
            #expect(session.receiving(.video)?.receiving?.codec == .h264)
            #expect(session.application?.index == 1)
            #expect(session.sending(.audio) == nil)
        }
    }

    @Test("Sections that the robot names anew are told by their place")
    func renamed() throws {
        var (offerer, _) = offerer()
        let text = RobotAnswer.whole.replacing("a=group:BUNDLE 0 1 2", with: "a=group:BUNDLE audio0 video0 data0")
            .replacing("a=mid:0", with: "a=mid:audio0").replacing("a=mid:1", with: "a=mid:video0")
            .replacing("a=mid:2", with: "a=mid:data0")
        let session = try offerer.accept(try SessionDescription(text))
        #expect(session.bundle == ["0", "1", "2"])
        #expect(session.receiving(.video)?.mid == "1")
        #expect(session.application?.mid == "2")
        #expect(session.remote.usernameFragment == RobotAnswer.fragment)
    }

    @Test("A robot without sound refuses that section, and the rest works; where it refuses all, each reason is said")
    func refused() throws {
        var (offerer, _) = offerer()
        let mute = RobotAnswer.whole.replacing("m=audio 9", with: "m=audio 0")
            .replacing("BUNDLE 0 1 2", with: "BUNDLE 1 2")
        let session = try offerer.accept(try SessionDescription(mute))
        #expect(session.sending(.audio) == nil)
        #expect(session.receiving(.video) != nil)
        #expect(session.application != nil)

        var (other, _) = self.offerer()
        let nothing = mute.replacing("m=video 9", with: "m=video 0").replacing(
            "m=application 9", with: "m=application 0")
        do {
            _ = try other.accept(try SessionDescription(nothing))
            Issue.record("an answer with nothing in it was taken")
        } catch let error as NegotiationError {
            #expect(error.code == .nothingInCommon)
            #expect(error.reason.contains("section 2"))
        }
    }

    @Test("The refusal that a busy robot sends in place of a description is no description")
    func reject() {
        #expect(throws: SDPParseError.malformedLine(1)) { try SessionDescription("reject") }
    }
}
