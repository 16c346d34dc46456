internal import Core
internal import Glibc
internal import Synchronization

/// A log file that is set aside when it is full: `app.log`, `app.log.1` (the one before) and so on.
package final class RotatingLogFile: Sendable {
    private struct State: ~Copyable {
        var descriptor: Int32 = -1
        var size = 0
        var problem: String?
        /// After a failure it is tried again only then, since every line would fail alike.
        var retryAt = Instant.zero

        deinit { if descriptor >= 0 { close(descriptor) } }
    }

    private static let retryPause: Duration = .seconds(10)

    private let path: String
    private let maximumBytes: Int
    private let keptFiles: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - maximumBytes: of one file.
    ///   - keptFiles: how many are kept beside the one that is written.
    package init(path: String, maximumBytes: Int = 10 << 20, keptFiles: Int = 5) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.keptFiles = keptFiles
    }

    /// Why nothing is written; nil while all is well.
    package var problem: String? { state.withLock { $0.problem } }

    package func write(_ line: String) {
        var bytes = Array(line.utf8.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
        bytes.append(0x0A)
        state.withLock { state in
            if state.descriptor >= 0, state.size > 0, state.size + bytes.count > maximumBytes { rotate(&state) }
            guard state.descriptor >= 0 || openFile(&state) else { return }
            let written = unsafe Glibc.write(state.descriptor, bytes, bytes.count)
            guard written == bytes.count else { return fail(&state, "cannot be written to") }
            state.size += bytes.count
        }
    }

    private func openFile(_ state: inout State) -> Bool {
        guard SystemClock.now() >= state.retryAt else { return false }
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            fail(&state, "cannot be opened")
            return false
        }
        var status = stat()
        state.size = unsafe fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
        state.descriptor = descriptor
        state.problem = nil
        return true
    }

    private func rotate(_ state: inout State) {
        close(state.descriptor)
        state.descriptor = -1
        for number in stride(from: keptFiles - 1, through: 1, by: -1) {
            unsafe _ = rename("\(path).\(number)", "\(path).\(number + 1)")
        }
        unsafe _ = keptFiles > 0 ? rename(path, "\(path).1") : unlink(path)
    }

    private func fail(_ state: inout State, _ what: String) {
        state.problem = "\(path) \(what) (errno \(errno))"
        if state.descriptor >= 0 { close(state.descriptor) }
        state.descriptor = -1
        state.retryAt = SystemClock.now() + Self.retryPause
    }
}
