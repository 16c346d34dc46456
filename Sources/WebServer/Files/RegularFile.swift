internal import Glibc

/// An open regular file, read from its beginning.
final class RegularFile {
    let size: Int
    /// Nanoseconds since 1970.
    let modified: Int64
    private let descriptor: Int32

    /// Nil where there is no such file, or where it is a directory, a device or a pipe.
    init?(path: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        size = Int(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    }

    deinit {
        close(descriptor)
    }

    /// The next bytes, at most `count`; empty at the end or on an error.
    func read(_ count: Int) -> [UInt8] {
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let result = unsafe Glibc.read(descriptor, buffer.baseAddress, count)
            filled = max(0, result)
        }
    }
}
