internal import Glibc

/// The bytes of an archive, read at any place: a file's, never whole in memory, or a fuzzer's.
package enum ArchiveSource: Sendable {
    case memory([UInt8])
    case file(ArchiveFile)

    package var count: Int {
        switch self {
        case .memory(let bytes): bytes.count
        case .file(let file): file.count
        }
    }

    /// Exactly `count` bytes from `offset` on.
    func bytes(at offset: Int, count: Int) throws(ArchiveFailure) -> [UInt8] {
        guard offset >= 0, count >= 0, count <= self.count, offset <= self.count - count else {
            throw ArchiveFailure(.damaged, "The archive ends too early.")
        }
        switch self {
        case .memory(let bytes): return Array(bytes[offset..<(offset + count)])
        case .file(let file): return try file.bytes(at: offset, count: count)
        }
    }
}

/// An open regular file that holds an archive.
package final class ArchiveFile: Sendable {
    package let count: Int
    private let descriptor: Int32

    package init(path: String) throws(ArchiveFailure) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { throw ArchiveFailure(errno: errno, "open the archive") }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ArchiveFailure(.storage, "The archive is no regular file.")
        }
        self.descriptor = descriptor
        count = Int(status.st_size)
    }

    deinit {
        close(descriptor)
    }

    func bytes(at offset: Int, count: Int) throws(ArchiveFailure) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let start = unsafe buffer.baseAddress.map { unsafe $0 + filled }
                let read = unsafe pread(descriptor, start, count - filled, off_t(offset + filled))
                if read < 0, errno == EINTR { continue }
                guard read > 0 else {
                    failure = read < 0 ? errno : 0
                    return
                }
                filled += read
            }
        }
        guard failure == 0 else { throw ArchiveFailure(errno: failure, "read the archive") }
        guard bytes.count == count else { throw ArchiveFailure(.damaged, "The archive ends too early.") }
        return bytes
    }
}

/// Little-endian fields; the caller has checked the bounds (out of bounds traps, it never reads).
extension [UInt8] {
    func littleEndian16(_ offset: Int) -> UInt16 {
        UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
    }

    func littleEndian32(_ offset: Int) -> UInt32 {
        UInt32(littleEndian16(offset)) | UInt32(littleEndian16(offset + 2)) << 16
    }

    func littleEndian64(_ offset: Int) -> UInt64 {
        UInt64(littleEndian32(offset)) | UInt64(littleEndian32(offset + 4)) << 32
    }
}
