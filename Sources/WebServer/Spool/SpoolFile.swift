internal import Core
internal import Glibc

/// A file without a name that takes a large message while it comes.
struct SpoolFile: ~Copyable {
    private let descriptor: Int32
    private let lease: SpoolBudget.Lease
    private(set) var count = 0

    /// Nil where the folder cannot be written to.
    init?(directory: String, budget: SpoolBudget) {
        let path = "\(directory)/message-\(RandomSource.system.bytes(12).hexadecimal)"
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        unsafe _ = unlink(path)
        lease = SpoolBudget.Lease(budget)
    }

    deinit { close(descriptor) }

    /// False where the disk or the budget is full.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard lease.take(bytes.count) else { return false }
        var written = 0
        while written < bytes.count {
            let left = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
            let size = unsafe write(descriptor, left.baseAddress, left.count)
            guard size > 0 || size < 0 && errno == EINTR else { return false }
            written += max(0, size)
        }
        count += bytes.count
        return true
    }

    consuming func finish() -> SpooledBytes? {
        SpooledBytes(descriptor: descriptor, count: count, lease: lease)
    }
}
