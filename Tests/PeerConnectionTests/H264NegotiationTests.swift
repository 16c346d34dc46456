import Core
import Testing

@testable import PeerConnection

@Suite("Choosing the picture's codec")
struct H264NegotiationTests {
    private static let formats: [(type: Int, parameters: String)] = [
        (102, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
        (104, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f"),
        (106, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        (108, "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f"),
        (110, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"),
        (112, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"),
    ]

    /// A browser's offer: VP8 as 96, then H.264 in these formats, each with RTX.
    private func offer(_ kept: Set<Int> = Set(formats.map(\.type)), hasVP8: Bool = true) throws -> SessionDescription {
        var offer = try SessionDescription(OfferByChromium.receiveOnly)
        let formats = Self.formats.filter { kept.contains($0.type) }
        var video = offer.media[0]
        let shared = video.attributes.filter { !["rtpmap", "fmtp", "rtcp-fb"].contains($0.name) }
        let types = (hasVP8 ? [96] : []) + formats.map(\.type)
        video.formats = types.flatMap { [String($0), String($0 + 1)] }
        video.attributes = shared
        for type in types {
            let parameters = formats.first { $0.type == type }?.parameters
            video.attributes.append(
                SDPAttribute("rtpmap", parameters == nil ? "\(type) VP8/90000" : "\(type) H264/90000"))
            if let parameters { video.attributes.append(SDPAttribute("fmtp", "\(type) \(parameters)")) }
            for kind in ["nack", "nack pli", "ccm fir", "goog-remb"] {
                video.attributes.append(SDPAttribute("rtcp-fb", "\(type) \(kind)"))
            }
            video.attributes.append(SDPAttribute("rtpmap", "\(type + 1) rtx/90000"))
            video.attributes.append(SDPAttribute("fmtp", "\(type + 1) apt=\(type)"))
        }
        offer.media[0] = video
        return offer
    }

    private func answer(
        _ offer: SessionDescription, _ codecs: [MediaCodec]
    ) throws -> (answer: SessionDescription, session: NegotiatedSession) {
        var answerer = Answerer(MediaCapabilities(videoCodecs: codecs))
        return try answerer.answer(offer.text)
    }

    @Test("Our order decides, whatever the browser likes best")
    func preference() throws {
        let offer = try offer()
        for (codecs, chosen) in [
            ([.vp8], .vp8), ([.h264], .h264), ([.vp8, .h264], .vp8), ([.h264, .vp8], .h264),
        ] as [([MediaCodec], MediaCodec)] {
            let session = try answer(offer, codecs).session
            #expect(session.sending(.video)?.sending?.codec == chosen)
        }
    }

    @Test("H.264 is answered as constrained baseline in packetization mode 1, with RTX and its parameters")
    func answered() throws {
        let (answer, session) = try answer(try offer(), [.h264, .vp8])
        let video = answer.media[0]
        #expect(video.formats == ["106", "107"])
        #expect(video.all("rtpmap") == ["106 H264/90000", "107 rtx/90000"])
        #expect(
            video.all("fmtp") == [
                "106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", "107 apt=106",
            ])
        #expect(Set(video.all("rtcp-fb")) == ["106 nack", "106 nack pli", "106 ccm fir", "106 goog-remb"])
        let sending = try #require(session.sending(.video)?.sending)
        #expect(sending.payloadType == 106)
        #expect(sending.retransmission?.payloadType == 107)
    }

    @Test("Baseline serves where there is no constrained one; other profiles, modes and lower levels do not")
    func formats() throws {
        func chosen(_ offer: SessionDescription) throws -> UInt8? {
            try answer(offer, [.h264]).session.sending(.video)?.sending?.payloadType
        }
        #expect(try chosen(try offer([102, 104, 108, 110, 112])) == 102)
        #expect(try chosen(try offer([104, 108, 110, 112])) == nil)
        var low = try offer([106])
        low = try SessionDescription(low.text.replacing("42e01f", with: "42e00d"))
        #expect(try chosen(low) == nil)
        let unsaid = try SessionDescription(
            try offer([106]).text.replacing(
                "a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n", with: ""))
        #expect(try chosen(unsaid) == nil)
    }

    @Test("A viewer who takes no form of H.264 gets VP8 where the stage has it, and one who takes only H.264 gets that")
    func fallback() throws {
        let odd = try answer(try offer([104, 110]), [.h264, .vp8])
        #expect(odd.session.sending(.video)?.sending?.codec == .vp8)
        let safari = try answer(try offer([106], hasVP8: false), [.vp8, .h264])
        #expect(safari.session.sending(.video)?.sending?.codec == .h264)
        let neither = try answer(try offer([106], hasVP8: false), [.vp8])
        #expect(neither.answer.media.map(\.port) == [0, 9])
    }

    @Test("What Chromium, Firefox and aiortc offer of H.264 is taken by the number that fits")
    func realOffers() throws {
        for (text, type) in [
            (OfferByChromium.receiveOnly, 102), (OfferByFirefox.receiveOnly, 126), (OfferByAiortc.version19, 101),
            (OfferByAiortc.version116, 101),
        ] as [(String, UInt8)] {
            let session = try answer(try SessionDescription(text), [.h264, .vp8]).session
            #expect(session.sending(.video)?.sending?.codec == .h264)
            #expect(session.sending(.video)?.sending?.payloadType == type)
        }
    }

    @Test("Parameters are read in any order, case and spacing; nonsense counts as not said")
    func parameters() {
        #expect(H264Format(parameters: "profile-level-id=42E01F; packetization-mode=1") == .offered)
        #expect(H264Format(parameters: " Packetization-Mode = 1 ;PROFILE-LEVEL-ID=42e01f") == .offered)
        #expect(H264Format(parameters: "") == .unspecified)
        #expect(H264Format(parameters: "packetization-mode=x;profile-level-id=42e0") == .unspecified)
        #expect(H264Format(parameters: "profile-level-id=-2e01f;;=;packetization-mode") == .unspecified)
        #expect(H264Format.unspecified.parameters.hasSuffix("profile-level-id=42000a"))
        #expect(H264Format(packetizationMode: 1, profileLevelID: 0x1F).parameters.hasSuffix("=00001f"))
    }

    @Test("Profiles are told by RFC 6184's table 5")
    func profiles() {
        let profiles: [(UInt32, H264Format.Profile)] = [
            (0x42E01F, .constrainedBaseline), (0x42C01F, .constrainedBaseline), (0x42401F, .constrainedBaseline),
            (0x42001F, .baseline), (0x42801F, .baseline), (0x4D801F, .constrainedBaseline), (0x4D001F, .other),
            (0x58C01F, .constrainedBaseline), (0x58801F, .baseline), (0x64001F, .other), (0x640C1F, .other),
            (0x42E11F, .other),
        ]
        for (id, profile) in profiles {
            #expect(H264Format(packetizationMode: 1, profileLevelID: id).profile == profile)
        }
    }

    @Test("Both codecs offered by us are agreed on by what the answer puts first")
    func offeringBoth() throws {
        for (theirs, chosen, type) in [([.vp8, .h264], MediaCodec.vp8, 96), ([.h264, .vp8], .h264, 102)]
            as [([MediaCodec], MediaCodec, UInt8)]
        {
            var viewer = OfferAnswer(
                capabilities: MediaCapabilities(
                    sendsVideo: false, sendsAudio: false, receivesVideo: true, videoCodecs: [.h264, .vp8]),
                random: .seeded(8))
            let offer = viewer.offer(transport: Answerer.transport)
            #expect(offer.media[1].formats == ["102", "103", "96", "97"])
            let (answer, served) = try answer(offer, theirs)
            let watched = try viewer.accept(answer)
            #expect(served.sending(.video)?.sending?.codec == chosen)
            #expect(watched.receiving(.video)?.receiving?.codec == chosen)
            #expect(watched.receiving(.video)?.receiving?.payloadType == type)
            #expect(watched.receiving(.video)?.receiving?.retransmissionPayloadType == type + 1)
        }
    }

    @Test("An inactive picture still names the codec")
    func inactive() throws {
        var offer = try offer([106], hasVP8: false)
        offer.media[0].attributes = offer.media[0].attributes.map {
            $0.name == "recvonly" ? SDPAttribute("inactive") : $0
        }
        let (answer, session) = try answer(offer, [.h264, .vp8])
        #expect(answer.media[0].direction == .inactive)
        #expect(answer.media[0].formats == ["106"])
        #expect(session.sending(.video) == nil)
    }
}
