internal import Core
internal import Glibc
internal import Synchronization

/// An upload on its way into a file: what comes piece by piece is decoded, counted and written at once.
///
/// One that is not finished, or that failed, leaves no file behind.
package final class UploadFile: Sendable {
    package enum Encoding: Sendable {
        /// As a client's JSON carries it.
        case base64
        /// As a binary attachment is.
        case plain
    }

    private struct State {
        var descriptor: Int32
        var decoder = Base64Decoder()
        var buffer: [UInt8] = []
        var count = 0
        var failure: ProjectFailure?
    }

    package let path: String
    private let encoding: Encoding
    private let limit: Int
    private let state: Mutex<State>
    /// Decoded bytes that are written at once.
    private static let block = 65_536

    /// `path` does not exist yet; `limit` counts decoded bytes.
    package init(path: String, encoding: Encoding, limit: Int) throws(ProjectFailure) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ProjectFailure(errno: errno, "make a file for the upload") }
        self.path = path
        self.encoding = encoding
        self.limit = limit
        state = Mutex(State(descriptor: descriptor))
    }

    deinit {
        discard()
    }

    /// Removes the file; nothing more is taken.
    package func discard() {
        state.withLock { fail(ProjectFailure(ArchiveFailure(.cancelled, "The upload was given up.")), &$0) }
    }

    /// Decoded bytes so far.
    package var count: Int { state.withLock { $0.count } }

    package func append(_ bytes: [UInt8]) throws(ProjectFailure) {
        try append(bytes.span)
    }

    package func append(_ bytes: Span<UInt8>) throws(ProjectFailure) {
        try state.withLock { (state) throws(ProjectFailure) in
            if let failure = state.failure { throw failure }
            do throws(ProjectFailure) {
                var start = 0
                while start < bytes.count {
                    let end = min(start + Self.block, bytes.count)
                    try take(bytes.extracting(start..<end), &state)
                    start = end
                }
            } catch {
                fail(error, &state)
                throw error
            }
        }
    }

    /// Everything has come: the file is complete at ``path`` and lives as long as this object.
    package func finish() throws(ProjectFailure) {
        try state.withLock { (state) throws(ProjectFailure) in
            if let failure = state.failure { throw failure }
            guard state.descriptor >= 0 else { return }
            do throws(ProjectFailure) {
                do throws(Base64Decoder.Failure) { try state.decoder.finish() } catch { throw Self.failure(error) }
                try flush(&state)
            } catch {
                fail(error, &state)
                throw error
            }
            close(state.descriptor)
            state.descriptor = -1
        }
    }

    private func take(_ bytes: Span<UInt8>, _ state: inout State) throws(ProjectFailure) {
        guard state.descriptor >= 0 else {
            throw ProjectFailure(code: "storage_failed", reason: "The upload is finished already.")
        }
        let before = state.buffer.count
        switch encoding {
        case .plain: state.buffer.append(contentsOf: bytes.array())
        case .base64:
            do throws(Base64Decoder.Failure) { try state.decoder.decode(bytes, into: &state.buffer) } catch {
                throw Self.failure(error)
            }
        }
        state.count += state.buffer.count - before
        guard state.count <= limit else {
            throw ProjectFailure(
                ArchiveFailure(.archiveSize, "The archive is larger than \(limit) bytes."))
        }
        if state.buffer.count >= Self.block { try flush(&state) }
    }

    private func flush(_ state: inout State) throws(ProjectFailure) {
        let code = writeAll(state.buffer.span, to: state.descriptor)
        guard code == 0 else { throw ProjectFailure(errno: code, "write the upload") }
        state.buffer.removeAll(keepingCapacity: true)
    }

    private func fail(_ failure: ProjectFailure, _ state: inout State) {
        state.failure = state.failure ?? failure
        if state.descriptor >= 0 { close(state.descriptor) }
        state.descriptor = -1
        state.buffer = []
        unsafe unlink(path)
    }

    private static func failure(_ failure: Base64Decoder.Failure) -> ProjectFailure {
        switch failure {
        case .character(let offset):
            ProjectFailure(code: "bad_base64", reason: "The upload is not base64: see its character \(offset).")
        case .length(let offset):
            ProjectFailure(
                code: "bad_base64", reason: "The upload's base64 ends too early, after \(offset) characters.")
        }
    }
}

extension ProjectFailure {
    package init(_ failure: ArchiveFailure) {
        self.init(code: failure.code.rawValue, reason: failure.description)
    }

    /// What the operating system refused: `disk_full` or `storage_failed`.
    init(errno code: Int32, _ deed: String) {
        self.init(ArchiveFailure(errno: code, deed))
    }
}
