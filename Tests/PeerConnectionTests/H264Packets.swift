import Core
import PeerConnection

/// NAL units and packets for tests of RFC 6184.
enum H264Packets {
    static let sequenceParameterSet: [UInt8] = [0x67, 0x42, 0xE0, 0x1F, 0x8C, 0x8D, 0x40]
    static let pictureParameterSet: [UInt8] = [0x68, 0xCE, 0x3C, 0x80]

    /// A slice of `count` bytes; `first_mb_in_slice` is 0 where it begins the picture.
    static func slice(isKey: Bool = false, count: Int, beginsPicture: Bool = true, seed: UInt8 = 1) -> [UInt8] {
        let body = (0..<max(count - 2, 0)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(seed)) }
        return [isKey ? 0x65 : 0x41, beginsPicture ? 0x88 : 0x40] + body
    }

    static func unit(_ nalUnits: [[UInt8]], isKeyFrame: Bool = false, timestamp: UInt32 = 0) -> AccessUnit {
        AccessUnit(
            nalUnits: nalUnits, isKeyFrame: isKeyFrame, timestamp: timestamp, receivedAt: .zero, firstSequenceNumber: 0,
            isWhole: true)
    }

    static func packet(
        _ payload: [UInt8], _ number: UInt16, timestamp: UInt32 = 0, marker: Bool = false, ssrc: UInt32 = 1
    ) -> ReceivedPacket {
        ReceivedPacket(
            kind: .video, payloadType: 102, ssrc: SSRC(ssrc), sequenceNumber: number, timestamp: timestamp,
            marker: marker, isRetransmitted: false, payload: payload)
    }

    /// The packets of a picture as ``H264Packetizer`` cuts it, the last with the marker.
    static func packets(of unit: AccessUnit, from number: UInt16, maximumPayload: Int = 1100) -> [ReceivedPacket] {
        let payloads = H264Packetizer.payloads(of: unit, maximumPayload: maximumPayload).flatMap { group in
            group.ranges.map { Array(group.storage[$0]) }
        }
        return payloads.enumerated().map { index, payload in
            packet(
                payload, number &+ UInt16(index), timestamp: unit.timestamp, marker: index == payloads.count - 1)
        }
    }
}

extension H264Depacketizer {
    /// Gives it all packets and returns the pictures that come out.
    mutating func units(_ packets: [ReceivedPacket]) -> [AccessUnit] {
        var units: [AccessUnit] = []
        for (index, packet) in packets.enumerated() {
            receive(packet, now: Instant(nanoseconds: Int64(index) * 1_000_000))
            while let unit = pollUnit() { units.append(unit) }
        }
        return units
    }
}
