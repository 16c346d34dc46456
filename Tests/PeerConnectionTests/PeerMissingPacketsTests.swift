import Core
import Testing

@testable import PeerConnection

struct PeerMissingPacketsTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    private func missing(after sequenceNumbers: [UInt16]) -> MissingPackets {
        var missing = MissingPackets()
        for number in sequenceNumbers { missing.received(number, now: start) }
        return missing
    }

    @Test("a gap is asked for at once, across the wrap of the numbers")
    func gap() {
        var missing = missing(after: [65_533, 65_534, 1])
        #expect(missing.deadline == start)
        let asked = [missing.due(now: start, roundTripTime: nil), missing.due(now: start, roundTripTime: nil)]
        #expect(asked == [[65_535, 0], []])
        #expect(missing.deadline == start + MissingPackets.minimumInterval)
    }

    @Test("what comes late is not asked for again")
    func late() {
        var missing = missing(after: [10, 14])
        let asked = missing.due(now: start, roundTripTime: nil)
        #expect(asked == [11, 12, 13])
        missing.received(12, now: start)
        let areRecovered = [missing.recover(13), missing.recover(13), missing.recover(10)]
        #expect(areRecovered == [true, false, false], "13 comes twice, 10 was never missed")
        let askedAgain = missing.due(now: start + .seconds(1), roundTripTime: nil)
        #expect(askedAgain == [11])
        #expect(missing.recovered == 2)
    }

    @Test("a retransmission is awaited for one and a half round trips, and given up in the end")
    func patience() {
        var missing = missing(after: [1, 3])
        var now = start
        for _ in 0..<MissingPackets.maximumRequests {
            let asked = missing.due(now: now, roundTripTime: .milliseconds(100))
            let tooEarly = missing.due(now: now + .milliseconds(149), roundTripTime: .milliseconds(100))
            #expect(asked == [2] && tooEarly == [])
            now += .milliseconds(150)
        }
        #expect(missing.abandoned == 0)
        let last = missing.due(now: now, roundTripTime: .milliseconds(100))
        #expect(last == [])
        #expect(missing.abandoned == 1)
        #expect(missing.deadline == nil)
    }

    @Test("a break too long to be mended is given up at once")
    func longGap() {
        var missing = missing(after: [0, 2, 1000])
        let asked = missing.due(now: start, roundTripTime: nil)
        #expect(asked == [])
        #expect(missing.abandoned == 998)
    }
}
