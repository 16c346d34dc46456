/// A zip archive that was found harmless: every name, size and header was looked at before anything is unpacked.
///
/// What is refused, and by which code, is told in docs/protocols/projects.md. Nothing the archive says is believed where
/// it can be counted: ``extract(into:progress:)`` counts the bytes again.
package struct ZipArchive: Sendable {
    /// In the order of the directory, without what macOS adds.
    package let entries: [ZipEntry]
    /// Unpacked bytes of all entries.
    package let totalBytes: Int
    package var fileCount: Int { entries.count { !$0.isFolder } }

    let source: ArchiveSource
    let limits: ZipLimits
    /// Whether everything lies in one folder, which is not kept.
    private let hasLoneFolder: Bool

    package init(reading source: ArchiveSource, limits: ZipLimits = ZipLimits()) throws(ArchiveFailure) {
        guard source.count <= limits.archiveBytes else {
            throw ArchiveFailure(.archiveSize, "The archive is larger than \(limits.archiveBytes) bytes.")
        }
        let directory = try ZipDirectory(of: source)
        let all = try Self.list(directory, source: source, limits: limits)
        entries = all.filter { !$0.isLeftOut }
        guard entries.contains(where: { !$0.isFolder }) else {
            throw ArchiveFailure(.empty, "The archive holds no file.")
        }
        totalBytes = entries.reduce(0) { $0 + $1.size }
        let top = entries[0].path[0]
        hasLoneFolder = entries.allSatisfy { $0.path[0] == top && ($0.isFolder || $0.path.count > 1) }
        self.source = source
        self.limits = limits
    }

    /// Where an entry is unpacked to; empty for a lone top folder itself.
    package func destination(of entry: ZipEntry) -> [String] {
        hasLoneFolder ? Array(entry.path.dropFirst()) : entry.path
    }

    // MARK: The central directory

    private static func list(
        _ directory: ZipDirectory, source: ArchiveSource, limits: ZipLimits
    ) throws(ArchiveFailure) -> [ZipEntry] {
        guard directory.count <= limits.entries else {
            throw ArchiveFailure(.entries, "The archive has more than \(limits.entries) entries.")
        }
        // A record with a path of the longest kind and 200 bytes of extra fields; more than that is no honest directory.
        guard directory.length <= limits.entries.multipliedSaturating(by: 246 + limits.nameBytes) else {
            throw ArchiveFailure(.entries, "The archive's directory is too long.")
        }
        let bytes = try source.bytes(at: directory.offset, count: directory.length)
        var entries: [ZipEntry] = []
        entries.reserveCapacity(directory.count)
        var names = ZipName.Register()
        var offset = 0
        var total = 0
        var packed = 0
        for _ in 0..<directory.count {
            let entry = try CentralRecord.read(bytes, at: &offset, limits: limits)
            try names.add(entry)
            guard entry.size <= limits.fileBytes else {
                throw ArchiveFailure(
                    .fileSize, "A file is larger than \(limits.fileBytes) bytes.", entry: entry.name)
            }
            total = total.addingSaturating(entry.size)
            packed = packed.addingSaturating(entry.packedSize)
            guard total <= limits.totalBytes else {
                throw ArchiveFailure(.totalSize, "Unpacked, the archive is larger than \(limits.totalBytes) bytes.")
            }
            guard !limits.isBomb(packed: entry.packedSize, unpacked: entry.size) else {
                throw ArchiveFailure(
                    .ratio, "A file is packed more than \(limits.ratio) to 1.", entry: entry.name)
            }
            entries.append(entry)
        }
        guard offset == bytes.count else {
            throw ArchiveFailure(.headerMismatch, "The archive's directory has another number of entries than it says.")
        }
        guard !limits.isBomb(packed: packed, unpacked: total) else {
            throw ArchiveFailure(.ratio, "The archive is packed more than \(limits.ratio) to 1.")
        }
        try LocalHeaders.check(&entries, source: source, end: directory.offset)
        return entries
    }
}

/// One record of the central directory, 46 bytes and its name, extra fields and comment.
private enum CentralRecord {
    static let signature: UInt32 = 0x0201_4B50
    static let length = 46

    static func read(
        _ bytes: [UInt8], at offset: inout Int, limits: ZipLimits
    ) throws(ArchiveFailure) -> ZipEntry {
        guard bytes.count - offset >= length, bytes.littleEndian32(offset) == signature else {
            throw ArchiveFailure(.damaged, "The archive's directory is damaged.")
        }
        let start = offset
        let nameLength = Int(bytes.littleEndian16(start + 28))
        let extraLength = Int(bytes.littleEndian16(start + 30))
        let commentLength = Int(bytes.littleEndian16(start + 32))
        guard bytes.count - start - length >= nameLength + extraLength + commentLength else {
            throw ArchiveFailure(.damaged, "The archive's directory is damaged.")
        }
        let nameStart = start + length
        offset = nameStart + nameLength + extraLength + commentLength
        let rawName = Array(bytes[nameStart..<(nameStart + nameLength)])
        let (path, isFolder) = try ZipName.parse(rawName, limits: limits)
        let name = path.joined(separator: "/")
        let flags = bytes.littleEndian16(start + 8)
        let attributes = bytes.littleEndian32(start + 38)
        try ZipEntry.checkKind(flags: flags, attributes: attributes, isFolder: isFolder, name: name)
        guard let method = ZipEntry.Method(rawValue: bytes.littleEndian16(start + 10)) else {
            throw ArchiveFailure(
                .method, "Only stored and deflated entries are taken, not method \(bytes.littleEndian16(start + 10)).",
                entry: name)
        }
        var fields = Zip64Fields(extra: bytes[(nameStart + nameLength)..<(nameStart + nameLength + extraLength)])
        let size = fields.value(bytes.littleEndian32(start + 24))
        let packedSize = fields.value(bytes.littleEndian32(start + 20))
        let headerOffset = fields.value(bytes.littleEndian32(start + 42))
        guard bytes.littleEndian16(start + 34) == 0 else {
            throw ArchiveFailure(.multiDisk, "The archive is one part of several.", entry: name)
        }
        guard let size, let packedSize, let headerOffset else {
            throw ArchiveFailure(.damaged, "An entry's sizes cannot be read.", entry: name)
        }
        guard !isFolder || size == 0, method == .deflated || size == packedSize else {
            throw ArchiveFailure(.size, "An entry's sizes contradict its kind.", entry: name)
        }
        return ZipEntry(
            path: path, isFolder: isFolder, isExecutable: !isFolder && attributes >> 16 & 0o100 != 0, size: size,
            rawName: rawName, flags: flags, method: method, checksum: bytes.littleEndian32(start + 16),
            packedSize: packedSize, headerOffset: headerOffset)
    }
}

/// The values of the Zip64 extra field (0x0001), which stand there in order for those fields that are full.
struct Zip64Fields {
    private var values: [UInt64] = []

    init(extra: ArraySlice<UInt8>) {
        let bytes = Array(extra)
        var offset = 0
        while bytes.count - offset >= 4 {
            let length = Int(bytes.littleEndian16(offset + 2))
            let start = offset + 4
            guard bytes.count - start >= length else { return }
            if bytes.littleEndian16(offset) == 1 {
                values = stride(from: start, to: start + length - 7, by: 8).map { bytes.littleEndian64($0) }
                return
            }
            offset = start + length
        }
    }

    /// Nil where a field is full and its large value is missing, or beyond all measure.
    mutating func value(_ small: UInt32) -> Int? {
        guard small == .max else { return Int(small) }
        guard !values.isEmpty else { return nil }
        return Int(exactly: values.removeFirst())
    }
}

extension Int {
    func addingSaturating(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    func multipliedSaturating(by other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
