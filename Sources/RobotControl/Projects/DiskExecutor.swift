internal import Glibc

/// Runs each piece of a task on a thread of its own: for work that keeps the disk and a core busy for seconds, which in
/// the task pool would hold up everybody else's tasks.
final class DiskExecutor: TaskExecutor {
    static let shared = DiskExecutor()

    private final class Piece: Sendable {
        let job: UnownedJob

        init(_ job: UnownedJob) { self.job = job }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let piece = unsafe Unmanaged.passRetained(Piece(UnownedJob(job)))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                DiskExecutor.nameThread()
                unsafe DiskExecutor.run(argument)
                return nil
            }, piece.toOpaque())
        guard code == 0 else {
            // No thread to be had: then here.
            unsafe Self.run(piece.toOpaque())
            return
        }
        pthread_detach(thread)
    }

    /// For ps and debuggers; the call for it is hidden from Swift.
    private static func nameThread() {
        let descriptor = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = writeAll(Array("project".utf8).span, to: descriptor)
        close(descriptor)
    }

    private static func run(_ argument: UnsafeMutableRawPointer?) {
        guard let argument = unsafe argument else { return }
        let piece = unsafe Unmanaged<Piece>.fromOpaque(argument).takeRetainedValue()
        unsafe piece.job.runSynchronously(on: shared.asUnownedTaskExecutor())
    }
}
