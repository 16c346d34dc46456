internal import Core
internal import Glibc

/// A program that we started: leader of a process group of its own, which ends with it.
///
/// Its standard input is held open: a child that reads the end of it knows that this process is gone, however it went.
/// Output comes line by line, and the end once, on the child's own thread here. With limits (``Settings/limits``) the program is
/// confined, and everything that it started, however it hid, has ended before ``Event/ended(_:)`` comes.
package final class ChildProcess: Sendable {
    package enum Event: Equatable, Sendable {
        /// One line of standard output or standard error.
        case line(String, isError: Bool)
        /// So many lines came too fast (``Settings/linesPerSecond``).
        case linesLeftOut(Int)
        /// One raw line of standard output (``Settings/messageBytes``); one that is too long is cut one byte past the limit.
        case message([UInt8])
        /// The last event.
        case ended(Ending)
    }

    /// How a program ended.
    package enum Ending: Equatable, Sendable, CustomStringConvertible {
        case exited(status: Int32)
        case killed(signal: Int32)
        /// Killed by us, since it was over its limit.
        case exceeded(ProcessExcess)

        package var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .killed(let signal): "signal \(signal)"
            case .exceeded(let limit): "over its limit: \(limit.rawValue)"
            }
        }
    }

    /// How a program is started.
    package struct Settings: Sendable {
        /// Where it runs; nil: where we do.
        package var directory: String?
        /// False: of our own environment it gets `PATH` and `LANG` alone.
        package var inheritsEnvironment = true
        /// Whether ``ChildProcess/write(_:)`` is for its standard input; otherwise that is never written.
        package var takesInput = false
        /// Standard output is messages, one a line, of so many bytes at most; nil: lines of text.
        package var messageBytes: Int?
        /// Lines that are told in a second; nil: all.
        package var linesPerSecond: Int?
        /// Confines it, and watches what it uses.
        package var limits: ProcessLimits?
        /// Whether a confined program gets a control group where this machine has them.
        package var usesControlGroup = true

        package init() {}
    }

    package let identifier: Int32
    /// Nil for a program that is not confined.
    package let confinement: Confinement?
    private let thread: ChildThread

    /// Starts `command` (found like `execvp` does) with `environment` over this process's own, as far as it is inherited.
    /// The thread that waits for this is not the one that starts it: the child dies with that one.
    package init(
        command: [String], environment: [String: String] = [:], settings: Settings = Settings(),
        deliver: @escaping @Sendable (Event) -> Void
    ) throws(SocketError) {
        guard let program = command.first, !program.isEmpty, !command.contains(where: { $0.utf8.contains(0) }) else {
            throw SocketError(code: .system(errno: ENOENT), place: "start a program without a name")
        }
        thread = try ChildThread(command, Self.variables(environment, settings), settings, deliver)
        identifier = try thread.start()
        confinement = thread.cell?.confinement
    }

    /// Asks the whole group to end (SIGTERM), and kills it `grace` later.
    package func end(grace: Duration) {
        thread.end(grace: grace)
    }

    /// Kills the whole group, and where it is confined everything else that it started.
    package func kill() {
        thread.kill()
    }

    /// Queues bytes for its standard input. False where it takes none, is gone, or has not read what was queued before.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Bool {
        thread.write(bytes)
    }

    private static func variables(_ additions: [String: String], _ settings: Settings) -> [String] {
        var variables: [String] = []
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let variable = unsafe String(cString: text)
            let name = String(variable.prefix { $0 != "=" })
            let isInherited = settings.inheritsEnvironment || name == "PATH" || name == "LANG"
            if isInherited, additions[name] == nil { variables.append(variable) }
            unsafe entry += 1
        }
        return variables + additions.map { "\($0.key)=\($0.value)" }
    }
}
