import Core
import MediaPipeline
import PeerConnection
import TestSupport
import Testing

@Suite("The sound of a robot")
struct CameraSoundTests {
    private var clock = ManualClock()
    private var sound = CameraSound()
    private var sequenceNumber: UInt16 = 65_530
    private var timestamp: UInt32 = .max - 3000
    private var ssrc = SSRC(9)

    /// 20 ms of Opus, as its first byte says, whose other bytes are its number.
    private mutating func packet() -> ReceivedPacket {
        defer {
            sequenceNumber &+= 1
            timestamp &+= 960
        }
        return ReceivedPacket(
            kind: .audio, payloadType: 111, ssrc: ssrc, sequenceNumber: sequenceNumber, timestamp: timestamp,
            marker: false, isRetransmitted: false, payload: [0xF8, UInt8(truncatingIfNeeded: sequenceNumber)])
    }

    private mutating func drain() -> [CameraSound.Packet] {
        var packets: [CameraSound.Packet] = []
        while let packet = sound.pollPacket() { packets.append(packet) }
        return packets
    }

    @Test("passes through, byte for byte, in its order and at its own distances")
    mutating func order() {
        let sent = (0..<20).map { _ in packet() }
        var shuffled = sent
        shuffled.swapAt(5, 6)
        shuffled.swapAt(11, 13)
        for packet in shuffled {
            sound.handle(packet, arrival: clock.now)
            clock.advance(by: .milliseconds(20))
        }
        let passed = drain()
        #expect(passed.map(\.payload) == sent.map(\.payload))
        for (before, after) in zip(passed, passed.dropFirst()) {
            #expect(after.rtpTimestamp &- before.rtpTimestamp == 960)
            #expect(after.presentationTime >= before.presentationTime)
        }
    }

    @Test("leaves a gap in the times where a packet is lost")
    mutating func loss() {
        let sent = (0..<4).map { _ in packet() }
        for packet in sent where packet != sent[1] { sound.handle(packet, arrival: clock.now) }
        #expect(drain().count == 1)
        clock.advance(by: .milliseconds(40))
        #expect(sound.deadline == clock.now)
        sound.handleTimeout(now: clock.now)
        let passed = drain()
        #expect(passed.map(\.payload) == sent[2...].map(\.payload))
        #expect(passed[1].rtpTimestamp &- passed[0].rtpTimestamp == 960)
        #expect(sound.counts.lostPackets == 1)
    }

    @Test("refuses what is no Opus, what is too large for viewers' paths, and pictures")
    mutating func refusal() {
        for (kind, payload) in [
            (MediaKind.audio, []), (.audio, [0xFB, 0]), (.audio, [UInt8](repeating: 0xF8, count: 1101)),
            (.video, [0xF8, 1]),
        ] {
            sound.handle(
                ReceivedPacket(
                    kind: kind, payloadType: 111, ssrc: ssrc, sequenceNumber: 1, timestamp: 1, marker: false,
                    isRetransmitted: false, payload: payload), arrival: clock.now)
        }
        #expect(drain().isEmpty)
        #expect(sound.counts.refusedPackets == 4)
    }

    @Test("goes on behind a pause or another stream without going back")
    mutating func pause() {
        sound.handle(packet(), arrival: clock.now)
        let first = drain()
        sound.pause()
        clock.advance(by: .seconds(2))
        (timestamp, sequenceNumber, ssrc) = (5, 5, SSRC(10))
        sound.handle(packet(), arrival: clock.now)
        let second = drain()
        #expect(first.count == 1)
        #expect(second.count == 1)
        #expect(second[0].rtpTimestamp &- first[0].rtpTimestamp == 96_000)
        #expect(second[0].presentationTime - first[0].presentationTime == .seconds(2))
    }
}
