package import Core

/// One H.264 picture as it came: its NAL units and when it was there.
/// - SeeAlso: [RFC 6184 §1.3](https://www.rfc-editor.org/rfc/rfc6184#section-1.3)
package struct AccessUnit: Equatable, Sendable {
    /// In decoding order, without start codes; none is empty.
    package var nalUnits: [[UInt8]]
    /// It has an IDR picture: a decoder that has the parameter sets can start here.
    package var isKeyFrame: Bool
    /// 90 kHz, the sender's clock.
    package var timestamp: UInt32
    /// When its last packet came.
    package var receivedAt: Instant
    package var firstSequenceNumber: UInt16
    /// False where a packet of it, or one just before it, is missing: not all its NAL units are here.
    package var isWhole: Bool

    package init(
        nalUnits: [[UInt8]], isKeyFrame: Bool, timestamp: UInt32, receivedAt: Instant, firstSequenceNumber: UInt16,
        isWhole: Bool
    ) {
        self.nalUnits = nalUnits
        self.isKeyFrame = isKeyFrame
        self.timestamp = timestamp
        self.receivedAt = receivedAt
        self.firstSequenceNumber = firstSequenceNumber
        self.isWhole = isWhole
    }

    /// Bytes of all NAL units.
    package var byteCount: Int { nalUnits.reduce(0) { $0 + $1.count } }
}

/// What a NAL unit holds, by the five low bits of its first byte.
/// - SeeAlso: [RFC 6184 §5.2](https://www.rfc-editor.org/rfc/rfc6184#section-5.2), ITU-T H.264 table 7-1
package struct NALUnitType: Hashable, Sendable {
    package let value: UInt8

    package init(value: UInt8) {
        self.value = value
    }

    /// Reads the first byte of a NAL unit.
    package init(header: UInt8) {
        value = header & 0x1F
    }

    /// A slice of a picture that refers to others.
    package static let slice = NALUnitType(value: 1)
    /// A slice of an IDR picture.
    package static let instantaneousDecoderRefresh = NALUnitType(value: 5)
    package static let supplementalEnhancement = NALUnitType(value: 6)
    package static let sequenceParameterSet = NALUnitType(value: 7)
    package static let pictureParameterSet = NALUnitType(value: 8)
    package static let accessUnitDelimiter = NALUnitType(value: 9)
    /// Several NAL units of one time in one packet.
    package static let singleTimeAggregation = NALUnitType(value: 24)
    /// A fragment of a NAL unit.
    package static let fragmentation = NALUnitType(value: 28)

    /// One that may stand in a packet or an aggregation by itself.
    package var isSingle: Bool { (1...23).contains(value) }
    /// Part of a picture itself, not of what describes it.
    package var isPicture: Bool { (1...5).contains(value) }
}
