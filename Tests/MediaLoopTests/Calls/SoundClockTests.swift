import Core
import PeerConnection
import TestSupport
import Testing

@testable import MediaLoop

@Suite("Sound clock")
struct SoundClockTests {
    private var clock = ManualClock()
    private var sound = SoundClock()

    private func packet(_ number: UInt16, _ timestamp: UInt32, ssrc: UInt32 = 1) -> ReceivedPacket {
        ReceivedPacket(
            kind: .audio, payloadType: 111, ssrc: SSRC(ssrc), sequenceNumber: number, timestamp: timestamp,
            marker: false, isRetransmitted: false, payload: [1])
    }

    @Test("Within one talker the clock goes as the talker's does, over its wraps")
    mutating func talker() {
        let times = [UInt32.max - 959, 0, 960, 4800].enumerated().map { index, timestamp in
            sound.timestamp(of: packet(UInt16.max &+ UInt16(index), timestamp), now: clock.now)
        }
        #expect(times == [0, 960, 1920, 5760])
    }

    @Test("What comes out of order is not sent")
    mutating func late() {
        #expect(sound.timestamp(of: packet(5, 9600), now: clock.now) == 0)
        #expect(sound.timestamp(of: packet(4, 8640), now: clock.now) == nil)
        #expect(sound.timestamp(of: packet(5, 9600), now: clock.now) == nil)
        #expect(sound.timestamp(of: packet(6, 10_560), now: clock.now) == 960)
    }

    @Test("From one talker to the next the clock goes as time does")
    mutating func nextTalker() {
        _ = sound.timestamp(of: packet(1, 1000), now: clock.now)
        clock.advance(by: .seconds(2))
        #expect(sound.timestamp(of: packet(900, 77, ssrc: 2), now: clock.now) == 96_000)
        // Two talkers at one moment: still a packet apart.
        #expect(sound.timestamp(of: packet(9, 5, ssrc: 3), now: clock.now) == 96_960)
    }

    @Test("A jump of the talker's clock is bridged by time")
    mutating func jump() {
        _ = sound.timestamp(of: packet(1, 1000), now: clock.now)
        clock.advance(by: .milliseconds(20))
        #expect(sound.timestamp(of: packet(2, 3_000_000_000), now: clock.now) == 960)
    }
}
