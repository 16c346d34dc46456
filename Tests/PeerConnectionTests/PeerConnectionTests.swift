import Core
import TURNClient
import Testing

@testable import PeerConnection

/// Offerer and answerer of ours, connected over a virtual network.
struct PeerConnectionTests {
    private let random = RandomSource.seeded(99)

    @Test("two peers find a path, agree on keys of the cheap profile, and say so phase by phase")
    func connect() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected)
        let statistics = [pair.offerer.statistics, pair.answerer.statistics]
        for statistics in statistics {
            #expect(statistics.profile == .aeadAES128GCM)
            #expect(statistics.phase == .connected)
            let durations = statistics.durations
            let (ice, dtls) = (try #require(durations.ice), try #require(durations.dtls))
            #expect(ice >= .milliseconds(20) && ice < .milliseconds(100))
            #expect(dtls >= .milliseconds(20) && dtls < .milliseconds(100))
        }
        for events in [pair.offererEvents, pair.answererEvents] {
            let names = events.compactMap { event -> String? in
                switch event {
                case .dtlsConnected: "dtls"
                case .connected: "connected"
                case .failed, .closed: "over"
                default: nil
                }
            }
            #expect(names == ["dtls", "connected"])
        }
    }

    @Test("frames arrive whole, in the segments that one send can carry, behind the reserved bytes")
    func media() throws {
        var pair = try PeerPair(hasTransportFeedback: true)
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        var sent: [UInt8] = []
        for number in 0..<30 {
            let frame = MediaFrame.noise(
                .video, number: number, count: 1700, isKeyFrame: number == 0, now: pair.now, random: random)
            sent += frame.payloads.storage
            let expected = pair.answerer.batchByteCount(of: frame, reservingBefore: 4)
            let written = pair.send(frame, from: .answerer, reserved: 4)
            #expect(written.count == 4)
            #expect(written.byteCount == expected)
            #expect(written.byteCount == 3 * written.segmentSize + (written.segmentSize - 300))
            pair.send(
                .noise(.audio, number: number, count: 80, isKeyFrame: true, now: pair.now, random: random),
                from: .answerer)
            pair.run(for: .milliseconds(33))
        }
        pair.run(for: .milliseconds(50))
        let received = pair.received(at: .offerer)
        #expect(received.filter { $0.kind == .video }.flatMap(\.payload) == sent)
        #expect(received.filter { $0.kind == .audio }.count == 30)
        #expect(received.filter { $0.kind == .video && $0.marker }.count == 30)
        #expect(pair.refusals == [])
    }

    @Test("the picture begins with a key frame")
    func keyFrameFirst() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        let delta = MediaFrame.noise(.video, number: 0, count: 100, now: pair.now, random: random)
        let key = MediaFrame.noise(.video, number: 1, count: 100, isKeyFrame: true, now: pair.now, random: random)
        let counts = [delta, key, delta].map { pair.send($0, from: .answerer).count }
        #expect(counts == [0, 1, 1])
    }

    @Test("lost packets are asked for by NACK and come by RTX", arguments: [PeerPair.Side.offerer, .answerer])
    func loss(sender: PeerPair.Side) throws {
        var pair = try PeerPair(offererSends: sender == .offerer, answererSends: sender == .answerer)
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        let count = Counter()
        pair.loses = { _, bytes in
            // Every seventh datagram of media or RTCP, retransmissions included.
            guard (128...191).contains(bytes[0]) else { return false }
            count.value += 1
            return count.value % 7 == 0
        }
        var sent: [UInt8] = []
        for number in 0..<200 {
            let frame = MediaFrame.noise(
                .video, number: number, count: 1700, isKeyFrame: number == 0, now: pair.now, random: random)
            sent += frame.payloads.storage
            pair.send(frame, from: sender)
            pair.run(for: .milliseconds(33))
        }
        pair.loses = { _, _ in false }
        // The last packet's loss shows by the packet after it.
        let last = MediaFrame.noise(.video, number: 200, count: 10, now: pair.now, random: random)
        sent += last.payloads.storage
        pair.send(last, from: sender)
        pair.run(for: .seconds(1))
        let received = pair.received(at: sender == .offerer ? .answerer : .offerer)
        #expect(received.contains { $0.isRetransmitted })
        let ordered = received.sorted { $1.sequenceNumber.isNewer(than: $0.sequenceNumber) }
        #expect(ordered.flatMap(\.payload) == sent)
        let statistics = sender == .offerer ? pair.offerer.statistics : pair.answerer.statistics
        let receiving = sender == .offerer ? pair.answerer.statistics : pair.offerer.statistics
        let video = try #require(statistics.video)
        #expect(video.packetsRetransmitted > 50)
        #expect(video.packetsNacked >= video.packetsRetransmitted)
        #expect(try #require(receiving.receivedVideo).packetsAbandoned == 0)
        #expect(try #require(receiving.receivedVideo).packetsRecovered > 50)
    }

    @Test("a key frame is asked for by PLI, once for many requests")
    func pictureLoss() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        pair.send(
            .noise(.video, number: 0, count: 100, isKeyFrame: true, now: pair.now, random: random), from: .answerer)
        pair.run(for: .milliseconds(50))
        for _ in 0..<3 { pair.offerer.requestKeyFrame(now: pair.now) }
        pair.run(for: .milliseconds(50))
        #expect(pair.answerer.statistics.keyFrameRequests == 3)
        let requests = pair.answererEvents.count { if case .keyFrameRequested = $0 { true } else { false } }
        #expect((1...3).contains(requests))
    }

    @Test("reports give the round trip, the loss, and one clock for sound and picture")
    func reports() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        for number in 0..<150 {
            pair.send(
                .noise(.video, number: number, count: 900, isKeyFrame: number == 0, now: pair.now, random: random),
                from: .answerer)
            pair.send(
                .noise(.audio, number: number, count: 80, isKeyFrame: true, now: pair.now, random: random),
                from: .answerer)
            pair.run(for: .milliseconds(33))
        }
        let statistics = pair.answerer.statistics
        let video = try #require(statistics.video)
        let roundTripTime = try #require(video.roundTripTime)
        #expect(abs(roundTripTime.milliseconds - 20) < 1)
        #expect(video.fractionLost == 0 && video.packetsLost == 0)
        #expect(video.packetsSent == 300)
        #expect(try #require(statistics.audio).roundTripTime != nil)
    }

    @Test("a goodbye ends both sides, and nothing is sent or awaited afterwards")
    func close() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        pair.answerer.close(now: pair.now)
        pair.run(for: .milliseconds(100))
        #expect(pair.answerer.phase == .closed)
        #expect(pair.offerer.phase == .closed)
        let saysClosed = pair.offererEvents.contains { if case .closed = $0 { true } else { false } }
        #expect(saysClosed)
        #expect(pair.offerer.deadline == nil && pair.answerer.deadline == nil)
        let written = pair.send(
            .noise(.video, number: 0, count: 100, isKeyFrame: true, now: pair.now, random: random), from: .answerer)
        #expect(written == .none)
    }

    @Test("a vanished peer stops costing within its consent's time")
    func vanished() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        pair.loses = { _, _ in true }
        pair.run(for: .seconds(40))
        let written = pair.send(
            .noise(.video, number: 0, count: 100, isKeyFrame: true, now: pair.now, random: random), from: .answerer)
        #expect(written == .none)
        #expect(pair.answerer.path == nil)
        let hasFailed = pair.answererEvents.contains { if case .failed(.ice, _) = $0 { true } else { false } }
        #expect(hasFailed)
    }

    @Test("an ICE restart moves the path and keeps keys and streams")
    func restart() throws {
        var pair = try PeerPair()
        try pair.negotiate()
        let isConnected = pair.connect()
        try #require(isConnected)
        pair.send(
            .noise(.video, number: 0, count: 100, isKeyFrame: true, now: pair.now, random: random), from: .answerer)
        pair.run(for: .milliseconds(50))
        let before = pair.answerer.localUsernameFragment
        pair.offerer.restartICE(now: pair.now)
        try pair.negotiate()
        #expect(pair.answerer.localUsernameFragment != before)
        pair.send(.noise(.video, number: 1, count: 100, now: pair.now, random: random), from: .answerer)
        pair.run(for: .seconds(2))
        pair.send(.noise(.video, number: 2, count: 100, now: pair.now, random: random), from: .answerer)
        pair.run(for: .milliseconds(50))
        let received = pair.received(at: .offerer)
        #expect(received.count == 3)
        #expect(Set(received.map(\.ssrc)).count == 1)
        #expect(received.map { $0.sequenceNumber &- received[0].sequenceNumber } == [0, 1, 2])
        #expect(pair.offerer.iceState == .completed && pair.answerer.iceState == .completed)
    }

    @Test("a certificate that the offer did not promise ends the connection in its DTLS phase")
    func wrongFingerprint() throws {
        var pair = try PeerPair()
        let stranger = try DTLSCertificate().fingerprint.attributeValue
        try pair.negotiate { offer in
            offer.split(separator: "\r\n").map { line in
                line.hasPrefix("a=fingerprint:") ? "a=fingerprint:\(stranger)" : String(line)
            }.joined(separator: "\r\n") + "\r\n"
        }
        pair.run(for: .seconds(3))
        #expect(pair.answerer.phase == .failed)
        let reasons = pair.answererEvents.compactMap { event -> String? in
            if case .failed(.dtls, let reason) = event { reason } else { nil }
        }
        #expect(reasons == [DTLSFailure.fingerprintMismatch.reason])
    }
}

/// Counts inside a closure.
private final class Counter {
    var value = 0
}
