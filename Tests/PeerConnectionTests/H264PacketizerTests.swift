import Core
import PeerConnection
import Testing

@Suite("H.264 into RTP payloads")
struct H264PacketizerTests {
    @Test("Parameter sets share a payload, and a large slice is cut into fragments of one size")
    func keyPicture() throws {
        let slice = H264Packets.slice(isKey: true, count: 5000)
        let unit = H264Packets.unit(
            [H264Packets.sequenceParameterSet, H264Packets.pictureParameterSet, slice], isKeyFrame: true)
        let groups = H264Packetizer.payloads(of: unit, maximumPayload: 1100)
        #expect(groups.count == 2)
        #expect(groups.map(\.isKeyFrame) == [true, false])
        #expect(
            groups[0].storage == [0x78, 0, 7] + H264Packets.sequenceParameterSet + [0, 4]
                + H264Packets.pictureParameterSet)
        #expect(groups[0].count == 1)

        let fragments = groups[1]
        #expect(fragments.count == 5)
        #expect(fragments.payloadSize <= 1100)
        let payloads = fragments.ranges.map { Array(fragments.storage[$0]) }
        #expect(payloads.allSatisfy { $0[0] == 0x7C })
        #expect(payloads.map { $0[1] } == [0x85, 0x05, 0x05, 0x05, 0x45])
        #expect(payloads.dropLast().allSatisfy { $0.count == fragments.payloadSize })
        #expect([0x65] + payloads.flatMap { $0.dropFirst(2) } == slice)
    }

    @Test("A NAL unit that fits travels as it is")
    func single() {
        let slice = H264Packets.slice(count: 1100)
        let groups = H264Packetizer.payloads(of: H264Packets.unit([slice]), maximumPayload: 1100)
        #expect(groups.map(\.storage) == [slice])
        #expect(groups.map(\.count) == [1])
        #expect(groups.map(\.isKeyFrame) == [false])
    }

    @Test("A NAL unit that is one byte too long becomes two fragments, a beginning and an end")
    func twoFragments() {
        let slice = H264Packets.slice(count: 1101)
        let groups = H264Packetizer.payloads(of: H264Packets.unit([slice]), maximumPayload: 1100)
        #expect(groups.map(\.count) == [2])
        let payloads = groups[0].ranges.map { Array(groups[0].storage[$0]) }
        #expect(payloads.map { $0[1] & 0xC0 } == [0x80, 0x40])
    }

    @Test("An aggregate takes the highest importance of its parts and stays within the limit")
    func aggregates() {
        let parts: [[UInt8]] = (0..<10).map { [0x06, UInt8($0)] + [UInt8](repeating: 0xAB, count: 300) }
        let groups = H264Packetizer.payloads(of: H264Packets.unit([[0x09, 0xF0]] + parts), maximumPayload: 1000)
        #expect(groups.allSatisfy { $0.count == 1 && $0.storage.count <= 1000 })
        var depacketizer = H264Depacketizer()
        let packets = groups.enumerated().map { index, group in
            H264Packets.packet(group.storage, UInt16(index), marker: false)
        }
        let next = H264Packets.packet(H264Packets.slice(count: 5), UInt16(groups.count), timestamp: 1, marker: true)
        let units = depacketizer.units(packets + [next])
        #expect(units.first?.nalUnits == [[0x09, 0xF0]] + parts)

        let mixed = H264Packetizer.payloads(of: H264Packets.unit([[0x06, 1], [0x41, 2], [0x67, 3]]))
        #expect(mixed.map { $0.storage[0] } == [0x78])
    }

    @Test("Nothing, empty NAL units and the smallest possible payload are no obstacle")
    func edges() {
        #expect(H264Packetizer.payloads(of: H264Packets.unit([])).isEmpty)
        #expect(H264Packetizer.payloads(of: H264Packets.unit([[], []])).isEmpty)
        for room in [-5, 0, 1, 2, 3, 4, 7] {
            for count in 1...20 {
                let nalUnits = [H264Packets.slice(count: count), H264Packets.sequenceParameterSet]
                let packets = H264Packets.packets(of: H264Packets.unit(nalUnits), from: 65_530, maximumPayload: room)
                var depacketizer = H264Depacketizer()
                #expect(depacketizer.units(packets).map(\.nalUnits) == [nalUnits])
                #expect(packets.allSatisfy { $0.payload.count <= max(room, 3) })
            }
        }
    }

    @Test("Pictures of many shapes survive being cut and put together")
    func roundTrips() {
        let random = RandomSource.seeded(4)
        var depacketizer = H264Depacketizer()
        var number: UInt16 = 65_000
        for picture in 0..<300 {
            let isKey = picture % 50 == 0
            var nalUnits = isKey ? [H264Packets.sequenceParameterSet, H264Packets.pictureParameterSet] : []
            for slice in 0...Int(random.uint32() % 3) {
                nalUnits.append(
                    H264Packets.slice(
                        isKey: isKey, count: 3 + Int(random.uint32() % 6000), beginsPicture: slice == 0,
                        seed: UInt8(truncatingIfNeeded: picture)))
            }
            let unit = H264Packets.unit(nalUnits, isKeyFrame: isKey, timestamp: UInt32(picture) * 3600)
            let packets = H264Packets.packets(of: unit, from: number, maximumPayload: 1 + Int(random.uint32() % 1400))
            let units = depacketizer.units(packets)
            #expect(units.map(\.nalUnits) == [nalUnits])
            #expect(units.map(\.isKeyFrame) == [isKey])
            #expect(units.map(\.isWhole) == [true])
            #expect(units.map(\.firstSequenceNumber) == [number])
            number &+= UInt16(packets.count)
        }
        #expect(depacketizer.counts.spoiled == 0 && depacketizer.counts.malformed == 0)
        #expect(depacketizer.counts.units == 300)
    }
}
