/// Compares the headers in front of the entries' data with the central directory, and finds every byte's owner.
///
/// ```
/// local header, 30 | name | extra fields | packed data | (data descriptor, 12 to 24)
/// ```
/// Two readers of one archive must see the same files, so the entries fill everything before the directory: none shares
/// a byte with another, and no byte is left over for a file that is not listed.
enum LocalHeaders {
    private static let signature: UInt32 = 0x0403_4B50
    private static let descriptorSignature: UInt32 = 0x0807_4B50
    private static let length = 30

    /// Fills in where each entry's data begins. `end`: where the directory begins.
    static func check(_ entries: inout [ZipEntry], source: ArchiveSource, end: Int) throws(ArchiveFailure) {
        let order = entries.indices.sorted { entries[$0].headerOffset < entries[$1].headerOffset }
        var position = 0
        for (place, index) in order.enumerated() {
            let entry = entries[index]
            guard entry.headerOffset >= position else {
                throw ArchiveFailure(.overlap, "Two entries share bytes of the archive.", entry: entry.name)
            }
            guard entry.headerOffset == position else {
                throw ArchiveFailure(
                    .hiddenData, "There are bytes before an entry that belong to none.", entry: entry.name)
            }
            let next = place + 1 < order.count ? entries[order[place + 1]].headerOffset : end
            let (dataOffset, needsDescriptor) = try header(entry, source: source, end: end)
            // Both are within the archive, so that their sum does not overflow.
            guard entry.packedSize <= end, dataOffset + entry.packedSize <= end else {
                throw ArchiveFailure(.overlap, "An entry reaches into the directory.", entry: entry.name)
            }
            let dataEnd = dataOffset + entry.packedSize
            guard dataEnd <= next else {
                throw ArchiveFailure(.overlap, "Two entries share bytes of the archive.", entry: entry.name)
            }
            entries[index].dataOffset = dataOffset
            position = dataEnd
            if entry.hasDescriptor {
                let length = next - dataEnd
                if length > 0 {
                    try descriptor(entry, source: source, at: dataEnd, length: length)
                } else if needsDescriptor {
                    throw ArchiveFailure(
                        .headerMismatch, "An entry's sizes are missing behind its data.", entry: entry.name)
                }
                position = next
            }
        }
        guard position == end else {
            throw ArchiveFailure(.hiddenData, "There are bytes before the directory that belong to no entry.")
        }
    }

    /// Where the data begins; whether the sizes must stand behind it, because they do not stand in the header.
    private static func header(
        _ entry: ZipEntry, source: ArchiveSource, end: Int
    ) throws(ArchiveFailure) -> (dataOffset: Int, needsDescriptor: Bool) {
        guard entry.headerOffset <= end - length else {
            throw ArchiveFailure(.damaged, "An entry's header is not in the archive.", entry: entry.name)
        }
        let bytes = try source.bytes(at: entry.headerOffset, count: length)
        guard bytes.littleEndian32(0) == signature else {
            throw ArchiveFailure(.damaged, "An entry has no header of its own.", entry: entry.name)
        }
        let nameLength = Int(bytes.littleEndian16(26))
        let extraLength = Int(bytes.littleEndian16(28))
        let dataOffset = entry.headerOffset + length + nameLength + extraLength
        guard dataOffset <= end else {
            throw ArchiveFailure(.damaged, "An entry's header is not in the archive.", entry: entry.name)
        }
        let rest = try source.bytes(at: entry.headerOffset + length, count: nameLength + extraLength)
        let agrees =
            bytes.littleEndian16(6) == entry.flags && bytes.littleEndian16(8) == entry.method.rawValue
            && rest.prefix(nameLength).elementsEqual(entry.rawName)
        guard agrees else {
            throw ArchiveFailure(.headerMismatch, "An entry's two headers disagree.", entry: entry.name)
        }
        var fields = Zip64Fields(extra: rest[nameLength...])
        let checksum = bytes.littleEndian32(14)
        // In local headers Zip64 has both sizes or none.
        let size = fields.value(bytes.littleEndian32(22))
        let packedSize = fields.value(bytes.littleEndian32(18))
        if checksum == entry.checksum, size == entry.size, packedSize == entry.packedSize {
            return (dataOffset, false)
        }
        func isUnknown(_ value: Int?) -> Bool { value == nil || value == 0 }
        guard entry.hasDescriptor, checksum == 0 || checksum == entry.checksum,
            isUnknown(size) || size == entry.size, isUnknown(packedSize) || packedSize == entry.packedSize
        else {
            throw ArchiveFailure(.headerMismatch, "An entry's two headers disagree about its size.", entry: entry.name)
        }
        return (dataOffset, true)
    }

    /// Checks the data descriptor: with or without signature, with sizes of 4 or of 8 bytes; its length tells which.
    private static func descriptor(
        _ entry: ZipEntry, source: ArchiveSource, at offset: Int, length: Int
    ) throws(ArchiveFailure) {
        guard [12, 16, 20, 24].contains(length) else {
            throw ArchiveFailure(
                length < 12 ? .headerMismatch : .hiddenData,
                "What stands behind an entry's data is not its sizes.", entry: entry.name)
        }
        let bytes = try source.bytes(at: offset, count: length)
        let hasSignature = length == 16 || length == 24
        let start = hasSignature ? 4 : 0
        let isLarge = length >= 20
        let packedSize = isLarge ? bytes.littleEndian64(start + 4) : UInt64(bytes.littleEndian32(start + 4))
        let size = isLarge ? bytes.littleEndian64(start + 12) : UInt64(bytes.littleEndian32(start + 8))
        guard !hasSignature || bytes.littleEndian32(0) == descriptorSignature,
            bytes.littleEndian32(start) == entry.checksum, packedSize == UInt64(entry.packedSize),
            size == UInt64(entry.size)
        else {
            throw ArchiveFailure(
                .headerMismatch, "The sizes behind an entry's data are not those of the directory.", entry: entry.name)
        }
    }
}
