internal import Core

/// Generic NACK: the packets of one stream that did not arrive.
///
/// Each entry: `|PID (16)|BLP (16)|`, the packet PID and those of the following 16 whose bit is set.
/// - SeeAlso: [RFC 4585 §6.2.1](https://www.rfc-editor.org/rfc/rfc4585#section-6.2.1)
package struct GenericNACK: Equatable, Sendable {
    /// Sequence numbers in one NACK: two round trips of a stream like ours. More is no honest report.
    package static let maximumLost = 512

    package var sender: SSRC
    package var media: SSRC
    package var lost: [UInt16]

    package init(sender: SSRC, media: SSRC, lost: [UInt16]) {
        self.sender = sender
        self.media = media
        self.lost = lost
    }

    init?(body: Span<UInt8>) {
        var reader = ByteReader(body)
        guard let sender = reader.readUInt32(), let media = reader.readUInt32() else { return nil }
        self.init(sender: SSRC(sender), media: SSRC(media), lost: [])
        while let first = reader.readUInt16(), let following = reader.readUInt16() {
            guard lost.count < Self.maximumLost else { break }
            lost.append(first)
            for bit in 0..<16 where following >> UInt16(bit) & 1 != 0 { lost.append(first &+ UInt16(bit) &+ 1) }
        }
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(sender.value)
        writer.write(media.value)
        var index = 0
        while index < lost.count {
            let first = lost[index]
            var following: UInt16 = 0
            index += 1
            while index < lost.count, (1...16).contains(lost[index] &- first) {
                following |= 1 << (lost[index] &- first &- 1)
                index += 1
            }
            writer.write(first)
            writer.write(following)
        }
    }
}

/// PLI: the receiver lost the picture and wants a key frame.
/// - SeeAlso: [RFC 4585 §6.3.1](https://www.rfc-editor.org/rfc/rfc4585#section-6.3.1)
package struct PictureLossIndication: Equatable, Sendable {
    package var sender: SSRC
    package var media: SSRC

    package init(sender: SSRC, media: SSRC) {
        self.sender = sender
        self.media = media
    }

    init?(body: Span<UInt8>) {
        var reader = ByteReader(body)
        guard let sender = reader.readUInt32(), let media = reader.readUInt32() else { return nil }
        self.init(sender: SSRC(sender), media: SSRC(media))
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(sender.value)
        writer.write(media.value)
    }
}

/// FIR: the receiver demands a key frame of each named stream; a repeated sequence number is the same demand.
/// - SeeAlso: [RFC 5104 §4.3.1](https://www.rfc-editor.org/rfc/rfc5104#section-4.3.1)
package struct FullIntraRequest: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var ssrc: SSRC
        package var sequenceNumber: UInt8

        package init(ssrc: SSRC, sequenceNumber: UInt8) {
            self.ssrc = ssrc
            self.sequenceNumber = sequenceNumber
        }
    }

    package static let maximumEntries = 32

    package var sender: SSRC
    package var entries: [Entry]

    package init(sender: SSRC, entries: [Entry]) {
        self.sender = sender
        self.entries = entries
    }

    init?(body: Span<UInt8>) {
        var reader = ByteReader(body)
        // The media SSRC of the common header is unused (RFC 5104 §4.3.1.2).
        guard let sender = reader.readUInt32(), reader.skip(4) else { return nil }
        self.init(sender: SSRC(sender), entries: [])
        while entries.count < Self.maximumEntries, let source = reader.readUInt32(), let number = reader.readUInt8(),
            reader.skip(3)
        {
            entries.append(Entry(ssrc: SSRC(source), sequenceNumber: number))
        }
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(sender.value)
        writer.write(UInt32(0))
        for entry in entries {
            writer.write(entry.ssrc.value)
            writer.write(entry.sequenceNumber)
            writer.writeUInt24(0)
        }
    }
}

/// REMB: what the receiver believes the path carries.
///
/// After the common feedback header: `|"REMB"|count (8)|exponent (6)|mantissa (18)|SSRCs|`.
/// - SeeAlso: [draft-alvestrand-rmcat-remb-03 §2](https://datatracker.ietf.org/doc/html/draft-alvestrand-rmcat-remb-03#section-2)
package struct ReceiverEstimatedMaximumBitRate: Equatable, Sendable {
    private static let identifier: UInt32 = 0x5245_4D42

    package var sender: SSRC
    package var bitsPerSecond: UInt64
    package var sources: [SSRC]

    package init(sender: SSRC, bitsPerSecond: UInt64, sources: [SSRC]) {
        self.sender = sender
        self.bitsPerSecond = bitsPerSecond
        self.sources = sources
    }

    static func isMeant(by body: Span<UInt8>) -> Bool {
        body.count >= 12 && body.uint32(at: 8) == identifier
    }

    init?(body: Span<UInt8>) {
        var reader = ByteReader(body)
        guard let sender = reader.readUInt32(), reader.skip(8), let count = reader.readUInt8(),
            let rate = reader.readUInt24()
        else { return nil }
        let mantissa = UInt64(rate & 0x3_FFFF)
        let exponent = UInt64(rate >> 18)
        // 18 bits shifted by up to 63: saturate what 64 bits cannot hold.
        let bits = exponent <= 46 ? mantissa << exponent : (mantissa == 0 ? 0 : UInt64.max)
        self.init(sender: SSRC(sender), bitsPerSecond: bits, sources: [])
        for _ in 0..<count {
            guard let source = reader.readUInt32() else { return nil }
            sources.append(SSRC(source))
        }
    }

    func encode(into writer: inout ByteWriter) {
        var mantissa = bitsPerSecond
        var exponent: UInt32 = 0
        while mantissa > 0x3_FFFF {
            mantissa >>= 1
            exponent += 1
        }
        writer.write(sender.value)
        writer.write(UInt32(0))
        writer.write(Self.identifier)
        writer.write(UInt8(clamping: sources.count))
        writer.writeUInt24(exponent << 18 | UInt32(mantissa))
        for source in sources.prefix(255) { writer.write(source.value) }
    }
}
