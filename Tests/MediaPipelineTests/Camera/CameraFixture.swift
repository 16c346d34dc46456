import Core
import Foundation
import PeerConnection

/// A recorded H.264 stream (see Tests/Fixtures/Camera), by access unit.
struct CameraFixture {
    /// Each picture's NAL units, parameter sets included, without start codes.
    let units: [[[UInt8]]]

    /// 40 pictures of 320x192 in groups of 10, two slices each.
    static let wave = CameraFixture("wave-320x192")
    /// 10 pictures of 98x74, one group.
    static let small = CameraFixture("wave-98x74")
    /// 2 white pictures of 64x64 with the full range of values.
    static let fullRange = CameraFixture("white-full-range-64x64")

    private init(_ name: String) {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Fixtures/Camera")
        guard let data = try? Data(contentsOf: folder.appending(path: "\(name).h264")) else {
            units = []
            return
        }
        var units: [[[UInt8]]] = [[]]
        var hasPicture = false
        for unit in Self.split([UInt8](data)) {
            let type = NALUnitType(header: unit[0])
            // `first_mb_in_slice` is 0: a new picture.
            let begins = type.isPicture ? unit[1] & 0x80 != 0 : true
            if hasPicture, begins {
                units.append([])
                hasPicture = false
            }
            units[units.count - 1].append(unit)
            hasPicture = hasPicture || type.isPicture
        }
        self.units = units
    }

    /// The NAL units between the start codes.
    private static func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var starts: [(code: Int, unit: Int)] = []
        var index = 0
        while index + 3 <= bytes.count {
            if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                let isLong = index > 0 && bytes[index - 1] == 0
                starts.append((isLong ? index - 1 : index, index + 3))
                index += 3
            } else {
                index += 1
            }
        }
        return starts.enumerated().map { number, start in
            let end = number + 1 < starts.count ? starts[number + 1].code : bytes.count
            return Array(bytes[start.unit..<end])
        }
    }

    /// The mean luma of a picture of the waves.
    static func luma(ofPicture index: Int) -> Double { 28.9 + 4 * Double(index) }

    static func isParameterSet(_ nalUnit: [UInt8]) -> Bool {
        [.sequenceParameterSet, .pictureParameterSet].contains(NALUnitType(header: nalUnit[0]))
    }
}

/// Sends pictures as the robot does: single NAL units and FU-A, never an aggregate, the parameter sets in packets of their own.
struct CameraSender {
    var ssrc = SSRC(0xCA3E)
    var sequenceNumber: UInt16 = 65_500
    var timestamp: UInt32 = .max - 20_000
    /// Ticks of the 90 kHz clock between two pictures.
    var step: UInt32 = 3600
    var maximumPayload = 400

    /// The packets of one picture.
    mutating func packets(of nalUnits: [[UInt8]]) -> [ReceivedPacket] {
        let payloads = nalUnits.flatMap { Self.payloads(of: $0, maximumPayload) }
        defer { timestamp &+= step }
        return payloads.enumerated().map { index, payload in
            defer { sequenceNumber &+= 1 }
            return ReceivedPacket(
                kind: .video, payloadType: 101, ssrc: ssrc, sequenceNumber: sequenceNumber, timestamp: timestamp,
                marker: index == payloads.count - 1, isRetransmitted: false, payload: payload)
        }
    }

    private static func payloads(of nalUnit: [UInt8], _ room: Int) -> [[UInt8]] {
        guard nalUnit.count > room else { return [nalUnit] }
        var payloads: [[UInt8]] = []
        var rest = nalUnit.dropFirst()
        while !rest.isEmpty {
            let part = rest.prefix(room - 2)
            rest = rest.dropFirst(room - 2)
            var header = nalUnit[0] & 0x1F
            if payloads.isEmpty { header |= 0x80 }
            if rest.isEmpty { header |= 0x40 }
            payloads.append([nalUnit[0] & 0xE0 | 28, header] + part)
        }
        return payloads
    }
}
