internal import Glibc

/// Unpacks into a new folder, by descriptors of folders and never by paths: no link is followed, no file replaced.
package struct FolderSink: ArchiveSink, ~Copyable {
    private let root: Int32
    /// The folder of the last file, kept open.
    private var folder: Int32 = -1
    private var folderPath: [String] = []
    private var file: Int32 = -1
    private var name = ""

    /// `path` does not exist yet.
    package init(path: String) throws(ArchiveFailure) {
        let isMade = unsafe mkdir(path, 0o755) == 0
        root = isMade ? unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1
        guard root >= 0 else { throw ArchiveFailure(errno: errno, "make the project's folder") }
    }

    deinit {
        for descriptor in [root, folder, file] where descriptor >= 0 { close(descriptor) }
    }

    package mutating func makeFolder(_ path: [String]) throws(ArchiveFailure) {
        _ = try openFolder(path)
    }

    package mutating func beginFile(_ path: [String], isExecutable: Bool) throws(ArchiveFailure) {
        guard let last = path.last else { throw ArchiveFailure(.name, "A file has no name.") }
        let parent = try openFolder(Array(path.dropLast()))
        let mode: mode_t = isExecutable ? 0o755 : 0o644
        name = path.joined(separator: "/")
        file = unsafe openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard file >= 0, hasMode(mode) else { throw ArchiveFailure(errno: errno, "make a file", entry: name) }
    }

    package mutating func write(_ bytes: Span<UInt8>) throws(ArchiveFailure) {
        let code = writeAll(bytes, to: file)
        guard code == 0 else { throw ArchiveFailure(errno: code, "write a file", entry: name) }
    }

    package mutating func endFile() throws(ArchiveFailure) {
        let code = close(file)
        file = -1
        guard code == 0 else { throw ArchiveFailure(errno: errno, "write a file", entry: name) }
    }

    /// Gives the new file its mode where the umask has taken some of it; asking first is cheaper than to set it always.
    private func hasMode(_ mode: mode_t) -> Bool {
        var status = stat()
        return unsafe fstat(file, &status) == 0 && (status.st_mode & 0o7777 == mode || fchmod(file, mode) == 0)
    }

    /// The folder's descriptor, ours until the next call. Makes what is missing on the way.
    private mutating func openFolder(_ path: [String]) throws(ArchiveFailure) -> Int32 {
        if path.isEmpty { return root }
        if folder >= 0, path == folderPath { return folder }
        var current = root
        for part in path {
            let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
            var next = unsafe openat(current, part, flags)
            if next < 0, errno == ENOENT, unsafe mkdirat(current, part, 0o755) == 0 {
                next = unsafe openat(current, part, flags)
                if next >= 0 { fchmod(next, 0o755) }
            }
            let code = errno
            if current != root { close(current) }
            guard next >= 0 else {
                throw ArchiveFailure(errno: code, "make a folder", entry: path.joined(separator: "/"))
            }
            current = next
        }
        if folder >= 0 { close(folder) }
        folder = current
        folderPath = path
        return current
    }
}

/// Writes all of it; 0, or what the operating system refused.
func writeAll(_ bytes: Span<UInt8>, to descriptor: Int32) -> Int32 {
    unsafe bytes.withUnsafeBufferPointer { buffer in
        var written = 0
        while written < buffer.count {
            let count = unsafe write(descriptor, buffer.baseAddress.map { unsafe $0 + written }, buffer.count - written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count < 0 ? errno : EIO }
            written += count
        }
        return 0
    }
}
