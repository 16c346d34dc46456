import Core
import Testing

@testable import PeerConnection

@Suite("H.264 between peers")
struct H264PeerTests {
    private func key(_ byteCount: Int, at now: Instant, time: UInt32 = 0) -> [MediaFrame] {
        let unit = H264Packets.unit(
            [
                H264Packets.sequenceParameterSet, H264Packets.pictureParameterSet,
                H264Packets.slice(isKey: true, count: byteCount),
            ], isKeyFrame: true)
        let groups = H264Packetizer.payloads(of: unit)
        return groups.enumerated().map { index, payloads in
            MediaFrame(
                codec: .h264, payloads: payloads, rtpTimestamp: time, presentationTime: now, epoch: 0, capturedAt: now,
                endsPicture: index == groups.count - 1)
        }
    }

    /// The pictures that the offerer can put together.
    private func pictures(_ packets: [ReceivedPacket]) -> [AccessUnit] {
        var buffer = ReorderBuffer()
        var depacketizer = H264Depacketizer()
        for packet in packets { buffer.receive(packet, now: .zero) }
        buffer.handleTimeout(now: .zero + buffer.maximumWait)
        var units: [AccessUnit] = []
        while let next = buffer.pollPacket() {
            depacketizer.receive(next.packet, now: next.receivedAt)
            while let unit = depacketizer.pollUnit() { units.append(unit) }
        }
        return units
    }

    private static func isMedia(_ bytes: [UInt8]) -> Bool {
        bytes.count > 12 && (128...191).contains(bytes[0]) && !(192...223).contains(bytes[1])
    }

    @Test("A picture in several frames has one timestamp, one marker, and arrives as it was")
    func whole() throws {
        var pair = try PeerPair(codecs: [.h264])
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected)
        for frame in key(5000, at: pair.now) { pair.send(frame, from: .answerer) }
        pair.run(for: .milliseconds(50))
        let packets = pair.received(at: .offerer)
        #expect(packets.map(\.marker) == [false, false, false, false, false, true])
        #expect(Set(packets.map(\.timestamp)).count == 1)
        #expect(Set(packets.map(\.payloadType)) == [102])
        let units = pictures(packets)
        #expect(units.map(\.isWhole) == [true])
        #expect(units.map(\.isKeyFrame) == [true])
        #expect(units.first?.nalUnits.count == 3)
    }

    @Test("A lost packet of H.264 is asked for and comes again by RTX")
    func repaired() throws {
        var pair = try PeerPair(codecs: [.h264])
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected)
        let count = Counter()
        pair.loses = { side, bytes in
            guard side == .offerer, Self.isMedia(bytes), bytes[1] & 0x7F == 102 else { return false }
            count.value += 1
            return count.value == 3
        }
        for frame in key(5000, at: pair.now) { pair.send(frame, from: .answerer) }
        pair.run(for: .milliseconds(300))
        let packets = pair.received(at: .offerer)
        #expect(packets.count { $0.isRetransmitted } == 1)
        #expect(pictures(packets).map(\.isWhole) == [true])
    }

    @Test("Pictures of another codec than the agreed one are not sent")
    func otherCodec() throws {
        var pair = try PeerPair(codecs: [.h264])
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected)
        let frame = MediaFrame.noise(.video, number: 1, count: 600, isKeyFrame: true, now: pair.now, random: .seeded(1))
        let written = pair.send(frame, from: .answerer)
        #expect(written == .none)
    }

    @Test("A robot that repairs without RTX is asked for what is lost, and not for key frames that it did not promise")
    func plainRepair() throws {
        var pair = try PeerPair(codecs: [.h264], offersRetransmission: false)
        let offer = pair.offerer.createOffer(includesCandidates: true, now: pair.now)
        var answer = try pair.answerer.acceptOffer(offer, includesCandidates: true, now: pair.now)
        answer = answer.split(separator: "\r\n", omittingEmptySubsequences: false).filter {
            !$0.contains("102 nack pli")
        }
        .joined(separator: "\r\n")
        answer = answer.replacing("a=fmtp:102", with: "a=rtcp-fb:102 nack\r\na=fmtp:102")
        try pair.offerer.acceptAnswer(answer, now: pair.now)
        #expect(pair.offerer.session?.receiving(.video)?.receiving?.feedback.contains("nack") == true)
        let isConnected = pair.connect()
        #expect(isConnected)
        let count = Counter()
        pair.loses = { side, bytes in
            guard side == .offerer, Self.isMedia(bytes), bytes[1] & 0x7F == 102 else { return false }
            count.value += 1
            return count.value == 3
        }
        for frame in key(5000, at: pair.now) { pair.send(frame, from: .answerer) }
        pair.run(for: .milliseconds(300))
        #expect((pair.answerer.statistics.video?.packetsNacked ?? 0) > 0)
        let now = pair.now
        pair.offerer.requestKeyFrame(now: now)
        pair.run(for: .milliseconds(100))
        #expect(pair.answerer.statistics.keyFrameRequests == 0)
    }

    @Test("With another codec agreed on, the first picture sent is a key picture")
    func changedCodec() throws {
        var pair = try PeerPair(codecs: [.vp8, .h264])
        try pair.negotiate()
        let isConnected = pair.connect()
        #expect(isConnected)
        let vp8 = MediaFrame.noise(.video, number: 1, count: 600, isKeyFrame: true, now: pair.now, random: .seeded(1))
        let first = pair.send(vp8, from: .answerer)
        #expect(first.count == 2)
        try pair.negotiate { $0.replacing("SAVPF 96 97 102 103", with: "SAVPF 102 103") }
        let frames = key(2000, at: pair.now)
        let counts = (
            pair.send(frames[1], from: .answerer).count, pair.send(frames[0], from: .answerer).count,
            pair.send(frames[1], from: .answerer).count
        )
        #expect(counts == (0, 1, 2))
    }

    private final class Counter {
        var value = 0
    }
}
