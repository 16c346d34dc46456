import Core
import MediaPipeline
import Testing

@Suite("The clock of a stream that comes in")
struct StreamClockTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    @Test("keeps the sender's distances across the wrap-around of its numbers")
    func distances() {
        var clock = StreamClock(rateHz: 90_000)
        var timestamp: UInt32 = .max - 10_000
        var last: StreamClock.Stamp?
        for index in 0..<20 {
            let stamp = clock.stamp(timestamp: timestamp, arrival: start + .milliseconds(40 * index))
            #expect(stamp.isBreak == (index == 0))
            #expect(stamp.presentationTime == start + .milliseconds(40 * index))
            if let last { #expect(stamp.rtpTimestamp &- last.rtpTimestamp == 3600) }
            last = stamp
            timestamp &+= 3600
        }
    }

    @Test("tells the sender's clock, not the network's jitter")
    func jitter() {
        var clock = StreamClock(rateHz: 90_000)
        let random = RandomSource.seeded(5)
        var arrival = start
        for index in 0..<200 {
            let sent = start + .milliseconds(40 * index)
            let delay = index % 10 == 0 ? 0 : Int(random.uint32() % 35)
            arrival = max(arrival, sent + .milliseconds(delay))
            let stamp = clock.stamp(timestamp: UInt32(3600 * index), arrival: arrival)
            let error = (stamp.presentationTime - sent).milliseconds
            #expect(error >= 0 && error < 1, "picture \(index) is \(error) ms off")
        }
    }

    @Test("follows a sender's clock that drifts")
    func drift() {
        var clock = StreamClock(rateHz: 48_000)
        // 200 parts in a million slow, for an hour: 0.72 s behind at the end.
        for index in 0..<180_000 {
            let sent = start + .nanoseconds(Int64(index) * 20_004_000)
            let stamp = clock.stamp(timestamp: UInt32(truncatingIfNeeded: index * 960), arrival: sent)
            #expect(stamp.isBreak == (index == 0))
            guard abs((stamp.presentationTime - sent).milliseconds) < 1 else {
                Issue.record("packet \(index) is off by \((stamp.presentationTime - sent).milliseconds) ms")
                return
            }
        }
    }

    @Test("goes on with the sender's distances after a hold-up, and is on time again with what comes behind it")
    func holdUp() {
        var clock = StreamClock(rateHz: 90_000)
        var last: StreamClock.Stamp?
        for index in 0..<200 {
            let sent = start + .milliseconds(40 * index)
            // Pictures 20 to 94 wait for the 95th's time.
            let arrival = (20..<95).contains(index) ? start + .milliseconds(40 * 95) : sent
            let stamp = clock.stamp(timestamp: UInt32(3600 * index), arrival: arrival)
            #expect(stamp.isBreak == (index == 0))
            if let last { #expect(stamp.rtpTimestamp &- last.rtpTimestamp == 3600) }
            #expect(abs((stamp.presentationTime - sent).milliseconds) < 10)
            last = stamp
        }
    }

    @Test("takes a stream that stays late for one whose clock stood still")
    func pausedClock() throws {
        var clock = StreamClock(rateHz: 90_000)
        let resumed = start + .seconds(5)
        var last = clock.stamp(timestamp: 0, arrival: start)
        var breaks: [Instant] = []
        for index in 1..<250 {
            let arrival = resumed + .milliseconds(40 * index)
            let stamp = clock.stamp(timestamp: UInt32(3600 * index), arrival: arrival)
            if stamp.isBreak {
                breaks.append(arrival)
                #expect(stamp.presentationTime == arrival)
                #expect(stamp.rtpTimestamp &- last.rtpTimestamp > 5 * 90_000)
            } else {
                #expect(stamp.rtpTimestamp &- last.rtpTimestamp == 3600)
            }
            last = stamp
        }
        #expect(breaks == [resumed + .milliseconds(40) + StreamClock.patience])
    }

    @Test("takes a stream at once for another that is later than anything holds one up")
    func longPause() {
        var clock = StreamClock(rateHz: 90_000)
        let first = clock.stamp(timestamp: 0, arrival: start)
        let second = clock.stamp(timestamp: 3600, arrival: start + .seconds(11))
        #expect(second.isBreak)
        #expect(second.rtpTimestamp &- first.rtpTimestamp == 11 * 90_000)
    }

    @Test("begins anew after an interruption, by as much as has passed")
    func interruption() {
        var clock = StreamClock(rateHz: 90_000)
        let first = clock.stamp(timestamp: 1_000_000, arrival: start)
        clock.interrupt()
        let second = clock.stamp(timestamp: 1_000_001, arrival: start + .seconds(3))
        #expect(second.isBreak)
        #expect(second.rtpTimestamp &- first.rtpTimestamp == 270_000)
        #expect(second.presentationTime == start + .seconds(3))
        let third = clock.stamp(timestamp: 1_003_601, arrival: start + .milliseconds(3040))
        #expect(third.rtpTimestamp &- second.rtpTimestamp == 3600)
    }

    @Test(
        "takes numbers that lead elsewhere for a new count",
        arguments: [UInt32(0), 1_000_000 - 900_000, 1_000_000 + 900_000, .max])
    func jump(timestamp: UInt32) {
        var clock = StreamClock(rateHz: 90_000)
        let first = clock.stamp(timestamp: 1_000_000, arrival: start)
        let second = clock.stamp(timestamp: timestamp, arrival: start + .milliseconds(40))
        #expect(second.isBreak)
        #expect(second.rtpTimestamp &- first.rtpTimestamp == 3600)
    }

    @Test("never goes back, whatever comes in")
    func monotone() {
        let random = RandomSource.seeded(17)
        for rate: UInt32 in [1, 48_000, 90_000, .max] {
            var clock = StreamClock(rateHz: rate)
            var arrival = start
            var last: StreamClock.Stamp?
            for _ in 0..<5000 {
                if random.uint32() % 50 == 0 { clock.interrupt() }
                arrival += .microseconds(Int64(random.uint32() % 50_000))
                let stamp = clock.stamp(timestamp: random.uint32() >> (random.uint32() % 32), arrival: arrival)
                #expect(stamp.presentationTime <= arrival)
                if let last {
                    #expect(stamp.presentationTime >= last.presentationTime)
                    // At .max ticks a second half the circle is half a second.
                    if rate < .max { #expect(Int32(bitPattern: stamp.rtpTimestamp &- last.rtpTimestamp) > 0) }
                }
                last = stamp
            }
        }
    }
}
