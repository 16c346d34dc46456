internal import Core
internal import Glibc
internal import Networking
internal import Synchronization

/// One program of an installation, with a clean environment, a folder to work in and a time limit.
final class InstallerProcess: Sendable {
    enum Outcome: Equatable, Sendable {
        case succeeded
        case failed
        case timedOut
        case stopped
    }

    private struct State {
        var process: ChildProcess?
        var reason: Outcome?
        var lines: [String] = []
    }

    /// Lines that are kept for the report of a failure.
    private static let keptLines = 30
    /// From asking the group to end until it is killed.
    private static let grace: Duration = .seconds(2)
    /// What a program gets of our environment: where programs are, and how pip reaches its index.
    private static let variables = [
        "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
        "PIP_TRUSTED_HOST", "PIP_CONFIG_FILE", "PIP_CACHE_DIR", "PIP_CERT",
    ]

    private let state = Mutex(State())

    /// The last lines of everything that was run.
    var lastLines: [String] { state.withLock { $0.lines } }

    /// Ends what runs, and lets nothing run any more.
    func stop() {
        end(because: .stopped)
    }

    /// Runs a program to its end. `log` is called on the process's thread.
    func run(
        _ command: [String], in folder: String, deadline: Instant, log: @escaping @Sendable (String) -> Void
    ) async throws(ProjectFailure) -> Outcome {
        if let reason = state.withLock({ $0.reason }) { return reason }
        let (endings, continuation) = AsyncStream.makeStream(of: ChildProcess.Ending.self)
        let process: ChildProcess
        do throws(SocketError) {
            process = try ChildProcess(command: Self.clean + ["-C", folder] + Self.passed + command) { event in
                switch event {
                case .line(let line, _):
                    self.keep(line)
                    log(line)
                case .ended(let ending):
                    continuation.yield(ending)
                    continuation.finish()
                case .linesLeftOut, .message: break  // Neither is asked for.
                }
            }
        } catch {
            throw ProjectFailure(code: "environment_failed", reason: "\(command[0]) cannot be started: \(error)")
        }
        let isStopped = state.withLock { state in
            state.process = process
            return state.reason != nil
        }
        if isStopped { process.end(grace: Self.grace) }
        let timer = Task {
            try? await Task.sleep(for: deadline - SystemClock.now())
            if !Task.isCancelled { self.end(because: .timedOut) }
        }
        var ending: ChildProcess.Ending?
        for await value in endings { ending = value }
        timer.cancel()
        return state.withLock { state in
            state.process = nil
            return state.reason ?? (ending == .exited(status: 0) ? .succeeded : .failed)
        }
    }

    private func end(because reason: Outcome) {
        let process = state.withLock { state in
            if state.reason == nil { state.reason = reason }
            return state.process
        }
        process?.end(grace: Self.grace)
    }

    private func keep(_ line: String) {
        state.withLock { state in
            if state.lines.count == Self.keptLines { state.lines.removeFirst() }
            state.lines.append(line)
        }
    }

    private static let clean = ["env", "-i"]

    private static var passed: [String] {
        variables.compactMap { name in
            unsafe getenv(name).map { unsafe "\(name)=\(String(cString: $0))" }
        }
    }
}
