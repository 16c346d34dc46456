/// Where a zip's central directory lies: what its end record and, where there is one, its Zip64 end record say.
///
/// ```
/// entries | central directory | (Zip64 end record, 56+) | (Zip64 locator, 20) | end record, 22 | comment
/// ```
/// - SeeAlso: [APPNOTE 6.3.10 §4.3.14-16](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)
struct ZipDirectory {
    private static let endSignature: UInt32 = 0x0605_4B50
    private static let zip64EndSignature: UInt32 = 0x0606_4B50
    private static let zip64LocatorSignature: UInt32 = 0x0706_4B50
    private static let endLength = 22
    private static let locatorLength = 20
    private static let zip64EndLength = 56

    var offset: Int
    var length: Int
    var count: Int

    init(of source: ArchiveSource) throws(ArchiveFailure) {
        let end = try Self.findEnd(source)
        let record = try source.bytes(at: end, count: Self.endLength)
        var disks = [UInt64(record.littleEndian16(4)), UInt64(record.littleEndian16(6))]
        var counts = [UInt64(record.littleEndian16(8)), UInt64(record.littleEndian16(10))]
        var length = UInt64(record.littleEndian32(12))
        var offset = UInt64(record.littleEndian32(16))
        var limit = end
        if end >= Self.locatorLength + Self.zip64EndLength {
            let locator = try source.bytes(at: end - Self.locatorLength, count: Self.locatorLength)
            if locator.littleEndian32(0) == Self.zip64LocatorSignature {
                let (position, large) = try Self.zip64End(source, locator: locator, before: end - Self.locatorLength)
                let agrees =
                    Self.agree(disks[0], 0xFFFF, large.disks[0]) && Self.agree(disks[1], 0xFFFF, large.disks[1])
                    && Self.agree(counts[0], 0xFFFF, large.counts[0]) && Self.agree(counts[1], 0xFFFF, large.counts[1])
                    && Self.agree(length, 0xFFFF_FFFF, large.length) && Self.agree(offset, 0xFFFF_FFFF, large.offset)
                guard agrees else {
                    throw ArchiveFailure(.headerMismatch, "The archive's two end records disagree.")
                }
                (disks, counts, length, offset, limit) = (
                    large.disks, large.counts, large.length, large.offset, position
                )
            }
        }
        guard disks == [0, 0], counts[0] == counts[1] else {
            throw ArchiveFailure(.multiDisk, "The archive is one part of several.")
        }
        guard let offset = Int(exactly: offset), let length = Int(exactly: length), let count = Int(exactly: counts[0]),
            length <= limit, offset <= limit - length
        else { throw ArchiveFailure(.damaged, "The archive's directory is not where its end record says.") }
        guard offset + length == limit else {
            throw ArchiveFailure(.hiddenData, "There are bytes before the archive or behind its directory.")
        }
        self.offset = offset
        self.length = length
        self.count = count
    }

    /// The end record's place. Its comment must end with the file and hide no second one.
    private static func findEnd(_ source: ArchiveSource) throws(ArchiveFailure) -> Int {
        let tailLength = min(source.count, endLength + 0xFFFF)
        let tail = try source.bytes(at: source.count - tailLength, count: tailLength)
        var found: Int?
        var last = -1
        var index = 0
        while index + 4 <= tail.count {
            defer { index += 1 }
            guard tail[index] == 0x50, tail.littleEndian32(index) == endSignature else { continue }
            last = index
            guard index + endLength <= tail.count,
                index + endLength + Int(tail.littleEndian16(index + 20)) == tail.count
            else { continue }
            guard found == nil else {
                throw ArchiveFailure(.ambiguous, "The archive has two end records.")
            }
            found = index
        }
        guard let found else { throw ArchiveFailure(.notAZip, "This is no zip archive, or its end is missing.") }
        guard found == last else {
            throw ArchiveFailure(.ambiguous, "The archive's comment holds another end record.")
        }
        return source.count - tailLength + found
    }

    private struct Large {
        var disks: [UInt64]
        var counts: [UInt64]
        var length: UInt64
        var offset: UInt64
    }

    private static func zip64End(
        _ source: ArchiveSource, locator: [UInt8], before limit: Int
    ) throws(ArchiveFailure) -> (position: Int, record: Large) {
        guard locator.littleEndian32(4) == 0, locator.littleEndian32(16) <= 1 else {
            throw ArchiveFailure(.multiDisk, "The archive is one part of several.")
        }
        let failure = ArchiveFailure(.damaged, "The archive's Zip64 end record is damaged.")
        guard let position = Int(exactly: locator.littleEndian64(8)), position <= limit - zip64EndLength else {
            throw failure
        }
        let record = try source.bytes(at: position, count: zip64EndLength)
        // The record's length counts what follows its first 12 bytes; it may end with data for somebody else.
        guard record.littleEndian32(0) == zip64EndSignature,
            record.littleEndian64(4) == UInt64(limit - position - 12)
        else { throw failure }
        return (
            position,
            Large(
                disks: [UInt64(record.littleEndian32(16)), UInt64(record.littleEndian32(20))],
                counts: [record.littleEndian64(24), record.littleEndian64(32)],
                length: record.littleEndian64(40), offset: record.littleEndian64(48))
        )
    }

    /// A field of the small record that is full stands for the large one's.
    private static func agree(_ small: UInt64, _ full: UInt64, _ large: UInt64) -> Bool {
        small == full || small == large
    }
}
