/// Cuts H.264 pictures into RTP payloads.
///
/// NAL units that fit together share a payload (STAP-A), one that fits alone travels as it is, and one that does not is cut into
/// fragments of equal size (FU-A):
/// ```
/// STAP-A: |F|NRI| 24 | size (16) | NAL unit | size (16) | NAL unit | …
/// FU-A:   |F|NRI| 28 |S|E|R| type | part of the NAL unit behind its first byte |
/// ```
/// - SeeAlso: [RFC 6184 §5.7.1 and §5.8](https://www.rfc-editor.org/rfc/rfc6184#section-5.7.1)
package enum H264Packetizer {
    /// Bytes; see ``VP8Packetizer/defaultMaximumPayload``.
    package static let defaultMaximumPayload = VP8Packetizer.defaultMaximumPayload

    /// A fragment's own header and at least one byte of the NAL unit.
    private static let minimumPayload = 3
    private static let fragmentHeaderLength = 2
    private static let startBit: UInt8 = 0x80
    private static let endBit: UInt8 = 0x40

    /// The payloads of one picture, in order. They are equal in size within each element, so one element is one send call; only
    /// the first of a key picture says that it is one.
    package static func payloads(
        of unit: AccessUnit, maximumPayload: Int = defaultMaximumPayload
    ) -> [PacketizedPayloads] {
        let room = max(maximumPayload, minimumPayload)
        var result: [PacketizedPayloads] = []
        var together: [[UInt8]] = []
        var length = 1

        func append(_ storage: [UInt8], payloadSize: Int) {
            result.append(
                PacketizedPayloads(
                    storage: storage, payloadSize: payloadSize, isKeyFrame: unit.isKeyFrame && result.isEmpty))
        }
        func finish() {
            if let only = together.first {
                let payload = together.count == 1 ? only : aggregate(together, length: length)
                append(payload, payloadSize: payload.count)
            }
            together = []
            length = 1
        }

        for nalUnit in unit.nalUnits where !nalUnit.isEmpty {
            if nalUnit.count > room {
                finish()
                let fragments = fragment(nalUnit, room: room)
                append(fragments.storage, payloadSize: fragments.size)
                continue
            }
            // An aggregate's sizes have 16 bits; a payload of ours is far below that.
            if length + 2 + nalUnit.count > min(room, Int(UInt16.max)) { finish() }
            together.append(nalUnit)
            length += 2 + nalUnit.count
        }
        finish()
        return result
    }

    /// The aggregate's header has the highest importance of its parts, and their forbidden bit where one has it (§5.7).
    private static func aggregate(_ nalUnits: [[UInt8]], length: Int) -> [UInt8] {
        var payload: [UInt8] = []
        payload.reserveCapacity(length)
        var header: UInt8 = 0
        var importance: UInt8 = 0
        for nalUnit in nalUnits {
            header |= nalUnit[0] & 0x80
            importance = max(importance, nalUnit[0] & 0x60)
        }
        payload.append(header | importance | NALUnitType.singleTimeAggregation.value)
        for nalUnit in nalUnits {
            payload.append(UInt8(truncatingIfNeeded: nalUnit.count >> 8))
            payload.append(UInt8(truncatingIfNeeded: nalUnit.count))
            payload += nalUnit
        }
        return payload
    }

    private static func fragment(_ nalUnit: [UInt8], room: Int) -> (storage: [UInt8], size: Int) {
        let header = nalUnit[0]
        let body = nalUnit.count - 1
        let share = room - fragmentHeaderLength
        let fragments = (body + share - 1) / share
        let size = (body + fragments - 1) / fragments
        var storage: [UInt8] = []
        storage.reserveCapacity(body + fragments * fragmentHeaderLength)
        var start = 1
        while start < nalUnit.count {
            let end = min(start + size, nalUnit.count)
            storage.append(header & 0xE0 | NALUnitType.fragmentation.value)
            var second = header & 0x1F
            if start == 1 { second |= startBit }
            if end == nalUnit.count { second |= endBit }
            storage.append(second)
            storage += nalUnit[start..<end]
            start = end
        }
        return (storage, size + fragmentHeaderLength)
    }
}
