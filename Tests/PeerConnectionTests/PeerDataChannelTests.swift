import Core
import TestSupport
import Testing

@testable import PeerConnection

/// Two whole peers: descriptions, ICE, DTLS, SCTP. Each in a process of its own: see ``SCTPTests``.
@Suite("Data channels of peers")
struct PeerDataChannelTests {
    @Test("a channel opened before the offer carries messages both ways, soon after DTLS and beside media")
    func everything() async {
        await #expect(processExitsWith: .success) {
            var pair = try PeerPair(
                offererSends: true, offererChannels: DataChannelLimits(), answererChannels: DataChannelLimits())
            let id = try pair.offerer.openDataChannel(DataChannelSettings(label: "data"), now: pair.now)
            try pair.negotiate()
            let isConnected = pair.connect()
            #expect(isConnected)
            let keyed = pair.now
            let isOpen = pair.run(for: .seconds(5)) { offerer, answerer in
                offerer.sctpStatistics?.state == .established && answerer.sctpStatistics?.channels == 1
            }
            #expect(isOpen)
            #expect(pair.now - keyed < .milliseconds(200))
            let random = RandomSource.seeded(4)
            let large = DataChannelMessage(isText: false, bytes: random.bytes(262_144))
            try pair.offerer.send(large, on: id, now: pair.now)
            var theirs: DataChannelID?
            for case .dataChannelOpened(let id, let settings, isIncoming: true) in pair.answererEvents {
                theirs = id
                #expect(settings.label == "data")
            }
            try pair.answerer.send(DataChannelMessage(text: "hello"), on: try #require(theirs), now: pair.now)
            let frame = MediaFrame.noise(
                .video, number: 1, count: 2000, isKeyFrame: true, now: pair.now, random: random)
            pair.send(frame, from: .answerer)
            pair.run(for: .seconds(5))
            #expect(pair.messages(at: .answerer) == [large])
            #expect(pair.messages(at: .offerer) == [DataChannelMessage(text: "hello")])
            #expect(pair.received(at: .offerer).count == 4)
            #expect(pair.refusals.isEmpty)
        }
    }

    @Test("a peer that closes aborts its association and says goodbye")
    func goodbye() async {
        await #expect(processExitsWith: .success) {
            var pair = try PeerPair(offererChannels: DataChannelLimits(), answererChannels: DataChannelLimits())
            let id = try pair.offerer.openDataChannel(DataChannelSettings(label: "data"), now: pair.now)
            try pair.negotiate()
            let isConnected = pair.connect()
            #expect(isConnected)
            pair.run(for: .seconds(1))
            pair.offerer.close(now: pair.now)
            pair.run(for: .seconds(1))
            #expect(pair.answerer.phase == .closed)
            #expect(pair.answerer.sctpStatistics?.failureReason == "the peer aborted the association")
            let endings = pair.answererEvents.compactMap { event -> String? in
                switch event {
                case .dataChannelClosed: "channel"
                case .sctpEnded: "association"
                case .closed: "peer"
                default: nil
                }
            }
            #expect(endings == ["channel", "association", "peer"])
            #expect(throws: DataChannelError.unknownChannel) {
                try pair.offerer.send(DataChannelMessage(text: "late"), on: id, now: pair.now)
            }
        }
    }

    @Test("a peer that takes no data channels ends the ones that wait, and media flows all the same")
    func refused() async {
        await #expect(processExitsWith: .success) {
            var pair = try PeerPair(offererChannels: DataChannelLimits())
            let id = try pair.offerer.openDataChannel(DataChannelSettings(label: "data"), now: pair.now)
            try pair.negotiate()
            let isConnected = pair.connect()
            #expect(isConnected)
            pair.run(for: .seconds(1))
            let isClosed = pair.offererEvents.contains { event in
                if case .dataChannelClosed(let closed) = event { closed == id } else { false }
            }
            #expect(isClosed)
            #expect(pair.offerer.sctpStatistics?.state == .closed)
            #expect(pair.offerer.sctpStatistics?.initsSent == 0)
            #expect(pair.answerer.sctpStatistics == nil)
            #expect(pair.offerer.phase == .connected)
        }
    }

    @Test(
        "an answerer whose descriptions agree but whose SCTP is silent fails with its INITs counted, and stays connected"
    )
    func silent() async {
        await #expect(processExitsWith: .success) {
            var pair = try PeerPair(offererChannels: DataChannelLimits(), answererChannels: DataChannelLimits())
            // As a robot does that compared fingerprints with the wrong hash: the keys are there, SCTP is not.
            pair.answerer.channels = nil
            try pair.negotiate()
            let isConnected = pair.connect()
            #expect(isConnected)
            let hasFailed = pair.run(for: .seconds(60)) { offerer, _ in offerer.sctpStatistics?.state == .failed }
            #expect(hasFailed)
            #expect(pair.offerer.sctpStatistics?.initsSent == 11)
            #expect(pair.offerer.phase == .connected)
        }
    }
}

extension PeerPair {
    /// The messages that one side got.
    func messages(at side: Side) -> [DataChannelMessage] {
        (side == .offerer ? offererEvents : answererEvents).compactMap { event in
            if case .dataChannelMessage(_, let message) = event { message } else { nil }
        }
    }
}
