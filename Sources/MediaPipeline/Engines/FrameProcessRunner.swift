internal import Glibc

/// Runs the program of a ``FrameProcess`` and reads its pictures; on a thread of its own.
struct FrameProcessRunner {
    let command: [String]
    let pictures: PictureQueue
    /// Seconds before the program is started again, at most.
    private static let maximumBackoff = 30

    func run() {
        var backoff = 1
        while true {
            guard let (process, output) = start() else {
                pictures.processEnded(failure: "\(command[0]) cannot be started: error \(errno)")
                guard pictures.wait(seconds: backoff) else { return }
                backoff = min(backoff * 2, Self.maximumBackoff)
                continue
            }
            let isWanted = pictures.processStarted(process)
            if !isWanted { _ = kill(process, SIGTERM) }
            let count = isWanted ? read(from: output) : 0
            close(output)
            // It may have closed its output and live on: nobody reads it any more.
            _ = kill(process, SIGTERM)
            var status: Int32 = 0
            while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
            pictures.processEnded(failure: "\(command[0]) ended with wait status \(status) after \(count) pictures")
            if count > 0 { backoff = 1 }
            guard pictures.wait(seconds: backoff) else { return }
            backoff = min(backoff * 2, Self.maximumBackoff)
        }
    }

    /// Reads whole pictures until the output ends or the stage has no more use for them.
    private func read(from output: Int32) -> Int {
        var count = 0
        while true {
            var picture = [UInt8](repeating: 0, count: pictures.frameSize)
            var filled = 0
            while filled < picture.count {
                let wanted = picture.count - filled
                let received = unsafe picture.withUnsafeMutableBytes {
                    unsafe Glibc.read(output, $0.baseAddress! + filled, wanted)
                }
                if received < 0, errno == EINTR { continue }
                // A picture that is cut off is not shown.
                guard received > 0 else { return count }
                filled += received
            }
            guard pictures.put(picture) else { return count }
            count += 1
        }
    }

    /// Starts the program with its standard output on a pipe and no input.
    private func start() -> (process: pid_t, output: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let status = unsafe posix_spawn(&process, command[0], &actions, nil, &arguments, environ)
        close(ends[1])
        guard status == 0 else {
            close(ends[0])
            return nil
        }
        return (process, ends[0])
    }
}
