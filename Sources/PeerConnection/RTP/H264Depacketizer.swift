package import Core

/// Puts H.264 pictures together from the RTP packets that carry them.
///
/// Takes single NAL units, STAP-A and FU-A, as packetization mode 1 has them. Packets are to come in the order of their sequence
/// numbers (see ``ReorderBuffer``): a gap spoils the picture it falls into. After every packet drain ``pollUnit()``.
/// - SeeAlso: [RFC 6184 §5.4 to §5.8](https://www.rfc-editor.org/rfc/rfc6184#section-5.4)
package struct H264Depacketizer: Sendable {
    package struct Limits: Hashable, Sendable {
        /// Bytes of one picture; what is larger is spoiled.
        package var maximumUnitBytes = 2 << 20
        package var maximumNALUnits = 256

        package init() {}
    }

    package struct Counts: Equatable, Sendable {
        package var packets: UInt64 = 0
        package var units: UInt64 = 0
        /// Pictures of which something is missing, those included of which nothing is left.
        package var spoiled: UInt64 = 0
        /// Packets that break RFC 6184, or use a mode that was not agreed on.
        package var malformed: UInt64 = 0
        /// Packets that came out of order or twice.
        package var late: UInt64 = 0
        /// Sequence numbers that never came.
        package var missing: UInt64 = 0
        /// Pictures past a limit.
        package var oversized: UInt64 = 0
    }

    /// The picture that is being put together.
    private struct Draft: Sendable {
        let timestamp: UInt32
        let firstSequenceNumber: UInt16
        var receivedAt: Instant
        var nalUnits: [[UInt8]] = []
        var byteCount = 0
        var isKeyFrame = false
        var hasPicture = false
        var isSpoiled = false
        var isOversized = false
        /// A packet just before the first was lost: only a key frame that shows its beginning can still be whole.
        let followsGap: Bool
    }

    private let limits: Limits
    package private(set) var counts = Counts()
    private var ssrc: SSRC?
    private var expected: UInt16?
    private var draft: Draft?
    /// The NAL unit whose fragments are coming in.
    private var fragments: [UInt8]?
    /// Packets were lost since the last picture.
    private var hasGap = false
    private var units = PendingQueue<AccessUnit>()

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Takes one packet; `now` is when it came.
    package mutating func receive(_ packet: ReceivedPacket, now: Instant) {
        counts.packets &+= 1
        if packet.ssrc != ssrc {
            // Another stream: what was open of the one before can never be completed.
            draft?.isSpoiled = true
            finish()
            ssrc = packet.ssrc
            hasGap = expected != nil
        } else if let expected, packet.sequenceNumber != expected {
            guard packet.sequenceNumber.isNewer(than: expected) else {
                counts.late &+= 1
                return
            }
            counts.missing &+= UInt64(packet.sequenceNumber &- expected)
            // Within a picture the gap is that picture's alone.
            if draft?.timestamp != packet.timestamp { hasGap = true }
            draft?.isSpoiled = true
            fragments = nil
        }
        expected = packet.sequenceNumber &+ 1
        guard let first = packet.payload.first else { return }  // Padding alone: a probe of the path.

        if let draft, draft.timestamp != packet.timestamp { finish() }
        if draft == nil {
            draft = Draft(
                timestamp: packet.timestamp, firstSequenceNumber: packet.sequenceNumber, receivedAt: now,
                followsGap: hasGap)
            hasGap = false
        }
        draft?.receivedAt = now
        take(packet.payload, NALUnitType(header: first))
        // Parameter sets may carry a marker of their own; the picture comes behind them with the same timestamp.
        if packet.marker, draft?.hasPicture == true || draft?.isSpoiled == true { finish() }
    }

    /// The next picture; nil where none is complete.
    package mutating func pollUnit() -> AccessUnit? {
        units.popFirst()
    }

    // MARK: Payloads

    private mutating func take(_ payload: [UInt8], _ type: NALUnitType) {
        if type == .fragmentation { return takeFragment(payload) }
        if fragments != nil {
            // The rest of a fragmented NAL unit never came.
            fragments = nil
            refuse()
        }
        if type.isSingle {
            append(payload)
        } else if type == .singleTimeAggregation {
            takeAggregate(payload)
        } else {
            refuse()
        }
    }

    private mutating func takeAggregate(_ payload: [UInt8]) {
        var offset = 1
        guard payload.count > 3 else { return refuse() }
        while offset < payload.count {
            guard payload.count - offset >= 2 else { return refuse() }
            let size = Int(payload[offset]) << 8 | Int(payload[offset + 1])
            offset += 2
            guard size > 0, size <= payload.count - offset, NALUnitType(header: payload[offset]).isSingle else {
                return refuse()
            }
            append(Array(payload[offset..<(offset + size)]))
            offset += size
        }
    }

    private mutating func takeFragment(_ payload: [UInt8]) {
        // A fragment with nothing in it has no use (§5.8); one that both starts and ends is forbidden.
        guard payload.count > 2, payload[1] & 0xC0 != 0xC0, NALUnitType(header: payload[1]).isSingle else {
            fragments = nil
            return refuse()
        }
        let starts = payload[1] & 0x80 != 0
        if starts {
            if fragments != nil { refuse() }
            fragments = [payload[0] & 0xE0 | payload[1] & 0x1F]
        }
        guard let known = fragments?.first else {
            // Its beginning is lost or was refused.
            draft?.isSpoiled = true
            return
        }
        guard known & 0x1F == payload[1] & 0x1F else {
            fragments = nil
            return refuse()
        }
        guard (draft?.byteCount ?? 0) + (fragments?.count ?? 0) + payload.count <= limits.maximumUnitBytes else {
            fragments = nil
            return outgrow()
        }
        fragments?.append(contentsOf: payload[2...])
        guard payload[1] & 0x40 != 0, let whole = fragments else { return }
        fragments = nil
        append(whole)
    }

    private mutating func append(_ nalUnit: [UInt8]) {
        guard let header = nalUnit.first, let open = draft, !open.isOversized else { return }
        // The forbidden bit: somebody on the way knows it to be damaged (§5.3).
        guard header & 0x80 == 0 else { return refuse() }
        guard open.nalUnits.count < limits.maximumNALUnits,
            open.byteCount + nalUnit.count <= limits.maximumUnitBytes
        else { return outgrow() }
        let type = NALUnitType(header: header)
        if open.nalUnits.isEmpty, open.followsGap, !Self.beginsPicture(nalUnit, type) { draft?.isSpoiled = true }
        draft?.nalUnits.append(nalUnit)
        draft?.byteCount += nalUnit.count
        if type.isPicture { draft?.hasPicture = true }
        if type == .instantaneousDecoderRefresh { draft?.isKeyFrame = true }
    }

    /// Nothing of the picture comes before this NAL unit: it is not a slice, or the slice that has the first macroblock
    /// (`first_mb_in_slice` is 0, one bit of an Exp-Golomb code).
    private static func beginsPicture(_ nalUnit: [UInt8], _ type: NALUnitType) -> Bool {
        guard type.isPicture else { return true }
        return nalUnit.count > 1 && nalUnit[1] & 0x80 != 0
    }

    private mutating func refuse() {
        counts.malformed &+= 1
        draft?.isSpoiled = true
    }

    private mutating func outgrow() {
        guard draft?.isOversized == false else { return }
        counts.oversized &+= 1
        draft?.isOversized = true
        draft?.isSpoiled = true
        draft?.nalUnits = []
        draft?.byteCount = 0
    }

    private mutating func finish() {
        guard var done = draft else { return }
        draft = nil
        if fragments != nil {
            fragments = nil
            done.isSpoiled = true
        }
        // Behind a gap only a key frame is sure to need nothing that was lost.
        if done.followsGap, !done.isKeyFrame { done.isSpoiled = true }
        if done.isSpoiled { counts.spoiled &+= 1 }
        guard !done.nalUnits.isEmpty else { return }
        counts.units &+= 1
        units.append(
            AccessUnit(
                nalUnits: done.nalUnits, isKeyFrame: done.isKeyFrame, timestamp: done.timestamp,
                receivedAt: done.receivedAt, firstSequenceNumber: done.firstSequenceNumber, isWhole: !done.isSpoiled))
    }
}
