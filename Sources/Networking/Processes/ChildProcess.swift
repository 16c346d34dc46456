internal import CLinux
internal import Core
internal import Glibc
internal import Synchronization

/// A program that we started: leader of a process group of its own, which ends with it.
///
/// Its standard input is a pipe that is held open and never written: a child that reads the end of it knows that this
/// process is gone, however it went. Output comes line by line, and the end once, on the child's own thread here.
package final class ChildProcess: Sendable {
    package enum Event: Equatable, Sendable {
        /// One line of standard output or standard error.
        case line(String, isError: Bool)
        /// The last event.
        case ended(Ending)
    }

    /// How a program ended.
    package enum Ending: Equatable, Sendable, CustomStringConvertible {
        case exited(status: Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let status): "exit status \(status)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    private struct State {
        var isReaped = false
        /// When the group is killed, once it was asked to end.
        var killTime: Instant?
    }

    package let identifier: Int32
    /// Closed by the thread, as its last deed.
    private let descriptors: Descriptors
    private let wakeUp: WakeUp
    private let state = Mutex(State())
    private let deliver: @Sendable (Event) -> Void

    /// Our ends of the pipes, and the descriptor that tells of the end.
    private struct Descriptors: Sendable {
        var input: Int32 = -1
        var output: Int32 = -1
        var errorOutput: Int32 = -1
        var ending: Int32 = -1

        func close() {
            for descriptor in [input, output, errorOutput, ending] where descriptor >= 0 { clinux_close(descriptor) }
        }
    }

    /// Starts `command` (found like `execvp` does) with this process's environment and `environment` over it.
    package init(
        command: [String], environment: [String: String] = [:], deliver: @escaping @Sendable (Event) -> Void
    ) throws(SocketError) {
        guard let program = command.first, !program.isEmpty else {
            throw SocketError(code: .system(errno: ENOENT), place: "start a program without a name")
        }
        wakeUp = try WakeUp()
        var descriptors = Descriptors()
        var theirs: [Int32] = []
        defer { for descriptor in theirs { clinux_close(descriptor) } }
        do throws(SocketError) {
            descriptors.input = try Self.pipe(ours: 1, &theirs)
            descriptors.output = try Self.pipe(ours: 0, &theirs)
            descriptors.errorOutput = try Self.pipe(ours: 0, &theirs)
            identifier = try Self.spawn(command, environment, standard: theirs)
        } catch {
            descriptors.close()
            throw error
        }
        // Without this descriptor (Linux before 5.3) the end is known by the end of the output.
        descriptors.ending = clinux_process_descriptor(identifier)
        self.descriptors = descriptors
        self.deliver = deliver
        startThread()
    }

    // MARK: Ending it

    /// Asks the whole group to end (SIGTERM), and kills it `grace` later.
    package func end(grace: Duration) {
        signal(SIGTERM)
        state.withLock { state in
            if state.killTime == nil { state.killTime = SystemClock.now() + grace }
        }
        wakeUp.signal()
    }

    /// Kills the whole group.
    package func kill() {
        signal(SIGKILL)
    }

    private func signal(_ number: Int32) {
        state.withLock { state in
            // The leader is not reaped yet, so the number is still the group's.
            if !state.isReaped { _ = Glibc.kill(-identifier, number) }
        }
    }

    // MARK: Starting it

    private static func pipe(ours: Int32, _ theirs: inout [Int32]) throws(SocketError) -> Int32 {
        var ends: [Int32] = [-1, -1]
        let code = unsafe clinux_pipe(&ends, ours)
        guard code >= 0 else { throw SocketError(returned: code, place: "make a pipe") }
        theirs.append(ends[1 - Int(ours)])
        return ends[Int(ours)]
    }

    private static func spawn(
        _ command: [String], _ environment: [String: String], standard: [Int32]
    ) throws(SocketError) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = unsafe merged(environment).map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        let process = unsafe clinux_spawn(&arguments, &variables, standard)
        guard process > 0 else { throw SocketError(returned: process, place: "start \(command[0])") }
        return process
    }

    private static func merged(_ additions: [String: String]) -> [String] {
        var variables: [String] = []
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let variable = unsafe String(cString: text)
            let name = variable.prefix { $0 != "=" }
            if additions[String(name)] == nil { variables.append(variable) }
            unsafe entry += 1
        }
        return variables + additions.map { "\($0.key)=\($0.value)" }
    }

    // MARK: Its thread

    private func startThread() {
        let box = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe ChildProcess.enter(argument)
                return nil
            }, box.toOpaque())
        guard code != 0 else {
            pthread_detach(thread)
            return
        }
        // No thread to be had: nobody would reap it.
        unsafe box.release()
        kill()
        finish()
    }

    private static func enter(_ argument: UnsafeMutableRawPointer?) {
        guard let argument = unsafe argument else { return }
        let process = unsafe Unmanaged<ChildProcess>.fromOpaque(argument).takeRetainedValue()
        unsafe clinux_name_thread("child")
        process.watch()
    }

    private func watch() {
        var output = LineCapture()
        var errorOutput = LineCapture()
        var watched = [
            pollfd(fd: descriptors.output, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptors.errorOutput, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptors.ending, events: Int16(POLLIN), revents: 0),
        ]
        var hasEnded = false
        while !hasEnded {
            // A descriptor below 0 is not looked at.
            guard unsafe poll(&watched, nfds_t(watched.count), killIfDue()) > 0 else { continue }
            hasEnded = watched[3].revents != 0
            if watched[2].revents != 0 { wakeUp.drain() }
            if watched[0].revents != 0, !read(watched[0].fd, &output, isError: false) { watched[0].fd = -1 }
            if watched[1].revents != 0, !read(watched[1].fd, &errorOutput, isError: true) { watched[1].fd = -1 }
            if descriptors.ending < 0, watched[0].fd < 0, watched[1].fd < 0 { hasEnded = true }
        }
        // What it said last. Its group may hold the pipes and write for ever, so the reading is bounded.
        kill()
        for _ in 0..<16 where watched[0].fd >= 0 {
            if !read(watched[0].fd, &output, isError: false) { watched[0].fd = -1 }
        }
        for _ in 0..<16 where watched[1].fd >= 0 {
            if !read(watched[1].fd, &errorOutput, isError: true) { watched[1].fd = -1 }
        }
        if let last = output.finish() { deliver(.line(last, isError: false)) }
        if let last = errorOutput.finish() { deliver(.line(last, isError: true)) }
        finish()
    }

    /// Milliseconds to wait; kills the group where its time is over.
    private func killIfDue() -> Int32 {
        guard let time = state.withLock({ $0.killTime }) else { return -1 }
        let left = time - SystemClock.now()
        guard left <= .zero else { return Int32(min(left.nanoseconds / 1_000_000 + 1, 60_000)) }
        kill()
        state.withLock { $0.killTime = SystemClock.now() + .seconds(3600) }
        return -1
    }

    /// False at the end of the output.
    private func read(_ descriptor: Int32, _ lines: inout LineCapture, isError: Bool) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
        for line in lines.take(buffer.prefix(count)) { deliver(.line(line, isError: isError)) }
        return true
    }

    /// Reaps it and what is left of its group.
    private func finish() {
        var status: Int32 = 0
        state.withLock { state in
            _ = Glibc.kill(-identifier, SIGKILL)
            while unsafe waitpid(identifier, &status, 0) < 0, errno == EINTR {}
            state.isReaped = true
        }
        descriptors.close()
        let signal = status & 0x7F
        deliver(.ended(signal == 0 ? .exited(status: (status >> 8) & 0xFF) : .killed(signal: signal)))
    }
}
