/// Where an archive is unpacked to. Paths were checked; a sink only makes what it is told.
package protocol ArchiveSink: ~Copyable {
    mutating func makeFolder(_ path: [String]) throws(ArchiveFailure)
    mutating func beginFile(_ path: [String], isExecutable: Bool) throws(ArchiveFailure)
    mutating func write(_ bytes: Span<UInt8>) throws(ArchiveFailure)
    mutating func endFile() throws(ArchiveFailure)
}

/// How far an archive is unpacked.
package struct ArchiveProgress: Equatable, Sendable {
    package var entries = 0
    package var totalEntries: Int
    package var bytes = 0
    package var totalBytes: Int
}

extension ZipArchive {
    /// Packed bytes that are read at once.
    private static let chunk = 65_536

    /// Unpacks every entry. `progress` is called about a hundred times, and once at the end. On an error the sink has been
    /// given a part, which is its owner's to remove.
    package func extract(
        into sink: inout some ArchiveSink & ~Copyable, progress: (ArchiveProgress) -> Void = { _ in }
    ) throws(ArchiveFailure) {
        var state = ArchiveProgress(totalEntries: entries.count, totalBytes: totalBytes)
        var told = state
        for entry in entries {
            let path = destination(of: entry)
            if entry.isFolder {
                if !path.isEmpty { try sink.makeFolder(path) }
            } else {
                try sink.beginFile(path, isExecutable: entry.isExecutable)
                try unpack(entry, into: &sink) { count in
                    state.bytes += count
                    guard state.bytes - told.bytes > max(totalBytes / 100, 65_536) else { return }
                    told = state
                    progress(state)
                }
                try sink.endFile()
            }
            state.entries += 1
            if state.entries - told.entries > max(entries.count / 100, 20) || state.entries == entries.count {
                told = state
                progress(state)
            }
        }
    }

    private func unpack(
        _ entry: ZipEntry, into sink: inout some ArchiveSink & ~Copyable, count: (Int) -> Void
    ) throws(ArchiveFailure) {
        var size = 0
        var checksum = ArchiveChecksum()
        func take(_ bytes: Span<UInt8>) throws(ArchiveFailure) {
            size += bytes.count
            guard size <= entry.size else {
                throw ArchiveFailure(.size, "A file is larger than the archive says.", entry: entry.name)
            }
            checksum.update(bytes)
            try sink.write(bytes)
            count(bytes.count)
        }
        var inflater: Inflater? = entry.method == .deflated ? try Inflater() : nil
        var offset = entry.dataOffset
        let end = offset + entry.packedSize
        while offset < end {
            guard !Task.isCancelled else { throw ArchiveFailure(.cancelled, "The upload was given up.") }
            let packed = try source.bytes(at: offset, count: min(Self.chunk, end - offset))
            offset += packed.count
            guard inflater != nil else {
                try take(packed.span)
                continue
            }
            do throws(ArchiveFailure) {
                guard try inflater?.inflate(packed, to: take) == true else {
                    throw ArchiveFailure(.size, "Packed data is longer than its stream.")
                }
            } catch {
                throw ArchiveFailure(error.code, error.reason, entry: entry.name)
            }
        }
        if let isFinished = inflater?.isFinished, !isFinished {
            throw ArchiveFailure(.damaged, "Packed data ends too early.", entry: entry.name)
        }
        guard size == entry.size else {
            throw ArchiveFailure(.size, "A file is smaller than the archive says.", entry: entry.name)
        }
        guard checksum.value == entry.checksum else {
            throw ArchiveFailure(.checksum, "A file's checksum is wrong.", entry: entry.name)
        }
    }
}
