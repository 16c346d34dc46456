import Core
import PeerConnection
import Testing

@Suite("H.264 out of RTP packets")
struct H264DepacketizerTests {
    private let key = H264Packets.slice(isKey: true, count: 3000)

    /// As the robot sends it: each parameter set in a packet of its own, the picture in fragments, one timestamp.
    private func robotPicture(from number: UInt16, timestamp: UInt32) -> [ReceivedPacket] {
        let slice = H264Packets.packets(of: H264Packets.unit([key], timestamp: timestamp), from: number &+ 2)
        return [
            H264Packets.packet(H264Packets.sequenceParameterSet, number, timestamp: timestamp),
            H264Packets.packet(H264Packets.pictureParameterSet, number &+ 1, timestamp: timestamp),
        ] + slice
    }

    @Test("Parameter sets and the fragments of one timestamp are one key picture")
    func robot() {
        var depacketizer = H264Depacketizer()
        let packets = robotPicture(from: 65_534, timestamp: 90_000)
        let units = depacketizer.units(packets)
        #expect(
            units == [
                AccessUnit(
                    nalUnits: [H264Packets.sequenceParameterSet, H264Packets.pictureParameterSet, key],
                    isKeyFrame: true, timestamp: 90_000,
                    receivedAt: Instant(nanoseconds: Int64(packets.count - 1) * 1_000_000),
                    firstSequenceNumber: 65_534, isWhole: true)
            ])
    }

    @Test("A marker on a parameter set does not end the picture that comes behind it")
    func markedParameterSets() {
        var depacketizer = H264Depacketizer()
        let packets = robotPicture(from: 1, timestamp: 7).enumerated().map { index, packet in
            H264Packets.packet(
                packet.payload, packet.sequenceNumber, timestamp: 7, marker: index < 2 || packet.marker)
        }
        #expect(depacketizer.units(packets).map(\.nalUnits.count) == [3])
    }

    @Test("Without a marker the next timestamp ends the picture")
    func withoutMarker() {
        var depacketizer = H264Depacketizer()
        let first = H264Packets.packet(H264Packets.slice(count: 9), 1, timestamp: 1)
        let second = H264Packets.packet(H264Packets.slice(count: 9), 2, timestamp: 2, marker: true)
        #expect(depacketizer.units([first]).isEmpty)
        #expect(depacketizer.units([second]).map(\.timestamp) == [1, 2])
    }

    @Test("A gap spoils the picture that it falls into, wherever it is, and no other")
    func loss() {
        let pictures = (0..<3).map { index in
            H264Packets.packets(
                of: H264Packets.unit(
                    [H264Packets.slice(count: 3000, seed: UInt8(index))], timestamp: UInt32(index) * 3600),
                from: UInt16(index) * 3)
        }
        for lost in 0..<3 {
            var depacketizer = H264Depacketizer()
            var packets = pictures.flatMap(\.self)
            packets.remove(at: 3 + lost)
            let units = depacketizer.units(packets)
            // Of a picture in one slice nothing is left; where its end was lost the next one cannot know that it is whole.
            let isEnd = lost == 2
            #expect(units.map(\.timestamp) == [0, 7200])
            #expect(units.map(\.isWhole) == [true, !isEnd])
            #expect(depacketizer.counts.missing == 1)
        }
    }

    @Test("A key picture behind a gap is whole where its beginning shows, and only there")
    func keyBehindGap() {
        for (first, isWhole) in [
            (H264Packets.sequenceParameterSet, true), (H264Packets.slice(isKey: true, count: 20), true),
            (H264Packets.slice(isKey: true, count: 20, beginsPicture: false), false),
        ] {
            var depacketizer = H264Depacketizer()
            let units = depacketizer.units([
                H264Packets.packet(H264Packets.slice(count: 9), 1, timestamp: 1, marker: true),
                H264Packets.packet(first, 3, timestamp: 2),
                H264Packets.packet(
                    H264Packets.slice(isKey: true, count: 30, beginsPicture: false), 4, timestamp: 2, marker: true),
            ])
            #expect(units.map(\.isKeyFrame) == [false, true])
            #expect(units.map(\.isWhole) == [true, isWhole])
        }
    }

    @Test("Packets that come twice or too late change nothing")
    func late() {
        var depacketizer = H264Depacketizer()
        let packets = robotPicture(from: 10, timestamp: 5)
        let disturbed = packets.flatMap { [$0, $0] } + [packets[0]]
        #expect(depacketizer.units(disturbed).map(\.isWhole) == [true])
        #expect(depacketizer.counts.late == UInt64(packets.count + 1))
    }

    @Test("Another source ends what was open and begins anew")
    func newSource() {
        var depacketizer = H264Depacketizer()
        let open = H264Packets.packet(H264Packets.slice(count: 9), 7, timestamp: 1)
        let fresh = H264Packets.packet(
            H264Packets.slice(isKey: true, count: 9), 40_000, timestamp: 9, marker: true, ssrc: 2)
        let units = depacketizer.units([open, fresh])
        #expect(units.map(\.isWhole) == [false, true])
        #expect(depacketizer.counts.missing == 0)
    }

    @Test("Payloads that break the rules spoil their picture and are counted; the next one is well")
    func malformed() {
        let bad: [[UInt8]] = [
            [0x18], [0x78, 0], [0x78, 0, 5, 1], [0x78, 0, 0, 1], [0x78, 0, 1, 0x7C], [0x78, 0, 1, 0x41, 9],
            [0x7C], [0x7C, 0x85], [0x7C, 0xC5, 1], [0x7C, 0x9C, 1], [0x79, 0, 0, 1], [0x7A, 1, 2],
            [0x7D, 0x85, 1, 2, 3],
            [0x60, 1], [0x7E, 1], [0x7F, 1], [0xE5, 0x88, 1],
        ]
        for payload in bad {
            var depacketizer = H264Depacketizer()
            let units = depacketizer.units([
                H264Packets.packet(H264Packets.slice(count: 9), 1, timestamp: 1),
                H264Packets.packet(payload, 2, timestamp: 1, marker: true),
                H264Packets.packet(H264Packets.slice(count: 9), 3, timestamp: 2, marker: true),
            ])
            #expect(units.map(\.isWhole) == [false, true], "\(payload)")
            #expect(depacketizer.counts.malformed == 1, "\(payload)")
            #expect(depacketizer.counts.spoiled == 1, "\(payload)")
        }
    }

    @Test("Fragments without a beginning, of another NAL unit, or cut off by a whole one spoil their picture")
    func brokenFragments() {
        let (start, middle, end) = (
            [0x7C, 0x85, 1] as [UInt8], [0x7C, 0x05, 2] as [UInt8], [0x7C, 0x45, 3] as [UInt8]
        )
        let other: [UInt8] = [0x7C, 0x41, 3]
        for payloads in [
            [middle, end], [end], [start, other], [start, H264Packets.pictureParameterSet, end], [start, start, end],
            [start, middle],
        ] {
            var depacketizer = H264Depacketizer()
            let packets = payloads.enumerated().map { index, payload in
                H264Packets.packet(payload, UInt16(index), timestamp: 1, marker: index == payloads.count - 1)
            }
            let next = H264Packets.packet(
                H264Packets.slice(count: 9), UInt16(packets.count), timestamp: 2, marker: true)
            let units = depacketizer.units(packets + [next])
            #expect(units.last?.timestamp == 2 && units.last?.isWhole == true)
            #expect(units.dropLast().allSatisfy { !$0.isWhole })
            #expect(depacketizer.counts.spoiled == 1)
        }
    }

    @Test("Padding alone is a probe, not a loss")
    func padding() {
        var depacketizer = H264Depacketizer()
        let units = depacketizer.units([
            H264Packets.packet(H264Packets.slice(count: 9), 1, timestamp: 1, marker: true),
            H264Packets.packet([], 2, timestamp: 1),
            H264Packets.packet(H264Packets.slice(count: 9), 3, timestamp: 2, marker: true),
        ])
        #expect(units.map(\.isWhole) == [true, true])
    }

    @Test("A picture past the limits is dropped and counted, and no more than the limit is held")
    func limits() {
        var limits = H264Depacketizer.Limits()
        limits.maximumUnitBytes = 10_000
        limits.maximumNALUnits = 4
        let large = H264Packets.packets(
            of: H264Packets.unit([H264Packets.slice(count: 20_000)], timestamp: 1), from: 0)
        let many = (0..<5).map {
            H264Packets.packet(H264Packets.slice(count: 9), UInt16(100 + $0), timestamp: 2, marker: $0 == 4)
        }
        for packets in [large, many] {
            var depacketizer = H264Depacketizer(limits: limits)
            let number = (packets.last?.sequenceNumber ?? 0) &+ 1
            let units = depacketizer.units(
                packets + [H264Packets.packet(H264Packets.slice(count: 9), number, timestamp: 3, marker: true)])
            #expect(units.map(\.timestamp) == [3])
            #expect(depacketizer.counts.oversized == 1)
            #expect(depacketizer.counts.spoiled == 1)
        }
    }
}
