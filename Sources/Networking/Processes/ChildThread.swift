internal import CLinux
internal import Core
internal import Glibc
internal import Synchronization

/// A child's own thread: starts it, reads what it says, writes what it is told, watches what it uses, and buries it.
final class ChildThread: Sendable {
    private struct State {
        var identifier: Int32 = -1
        var failure: SocketError?
        var isReaped = false
        /// When the group is killed, once it was asked to end.
        var killTime: Instant?
        /// Whether everything is to be killed now.
        var isCondemned = false
        var input: ChildInput
    }

    let command: [String]
    let variables: [String]
    let settings: ChildProcess.Settings
    let cell: Cell?
    /// Our ends of the pipes; closed by the thread, as its last deed.
    let output: Int32
    let errorOutput: Int32
    private let theirs: [Int32]
    let wakeUp: WakeUp
    private let started: WakeUp
    private let state: Mutex<State>
    let deliver: @Sendable (ChildProcess.Event) -> Void

    init(
        _ command: [String], _ variables: [String], _ settings: ChildProcess.Settings,
        _ deliver: @escaping @Sendable (ChildProcess.Event) -> Void
    ) throws(SocketError) {
        self.command = command
        self.variables = variables
        self.settings = settings
        self.deliver = deliver
        wakeUp = try WakeUp()
        started = try WakeUp()
        var ours: [Int32] = []
        var theirs: [Int32] = []
        do throws(SocketError) {
            let index = settings.takesInput ? 0 : 1
            try Self.ends(ours: index, &ours, &theirs) {
                unsafe index == 0 ? clinux_stream_pair(&$0) : clinux_pipe(&$0, 1)
            }
            try Self.ends(ours: 0, &ours, &theirs) { unsafe clinux_pipe(&$0, 0) }
            try Self.ends(ours: 0, &ours, &theirs) { unsafe clinux_pipe(&$0, 0) }
            cell = try settings.limits.map { limits throws(SocketError) in
                try Cell(limits, usesControlGroup: settings.usesControlGroup)
            }
        } catch {
            for descriptor in ours + theirs { clinux_close(descriptor) }
            throw error
        }
        (output, errorOutput) = (ours[1], ours[2])
        self.theirs = theirs
        state = Mutex(State(input: ChildInput(descriptor: ours[0], takesBytes: settings.takesInput)))
    }

    private static func ends(
        ours: Int, _ all: inout [Int32], _ theirs: inout [Int32], make: (inout [Int32]) -> Int32
    ) throws(SocketError) {
        var pair: [Int32] = [-1, -1]
        let code = make(&pair)
        guard code >= 0 else { throw SocketError(returned: code, place: "make a pipe") }
        all.append(pair[ours])
        theirs.append(pair[1 - ours])
    }

    // MARK: What others ask for

    func end(grace: Duration) {
        state.withLock { state in
            // The leader is not reaped yet, so the number is still the group's.
            if !state.isReaped { _ = Glibc.kill(-state.identifier, SIGTERM) }
            let time = SystemClock.now() + grace
            state.killTime = min(state.killTime ?? time, time)
        }
        wakeUp.signal()
    }

    func kill() {
        state.withLock { state in
            if !state.isReaped { _ = Glibc.kill(-state.identifier, SIGKILL) }
            state.isCondemned = true
        }
        wakeUp.signal()
    }

    func write(_ bytes: [UInt8]) -> Bool {
        let (isTaken, waits) = state.withLock { state in (state.input.write(bytes), state.input.hasBytes) }
        if waits { wakeUp.signal() }
        return isTaken
    }

    // MARK: Starting it

    /// The child's number, once it runs.
    func start() throws(SocketError) -> Int32 {
        do throws(SocketError) {
            try NamedThread.start("child") { self.run() }
        } catch {
            closeAll()
            throw error
        }
        started.wait()
        return try state.withLock { state throws(SocketError) in
            if let failure = state.failure { throw failure }
            return state.identifier
        }
    }

    private func run() {
        do throws(SocketError) {
            let process = try spawn()
            state.withLock { $0.identifier = process }
            started.signal()
            ChildWatch(self, process).run()
        } catch {
            closeAll()
            state.withLock { $0.failure = error }
            started.signal()
        }
    }

    private func spawn() throws(SocketError) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = unsafe variables.map { unsafe strdup($0) } + [nil]
        let directory = unsafe settings.directory.map { unsafe strdup($0) } ?? nil
        defer { unsafe (arguments + environment + [directory]).forEach { unsafe free($0) } }
        var options = unsafe clinux_spawn_options()
        unsafe options.directory = UnsafePointer(directory)
        unsafe options.is_confined = cell != nil
        unsafe options.mark = cell?.mark ?? 0
        unsafe options.landlock = cell?.rules ?? -1
        unsafe options.control_group = cell?.group?.processesDescriptor ?? -1
        unsafe options.address_space = Int64(cell?.limits.addressSpace ?? -1)
        unsafe options.processes = Int64(cell?.userProcesses ?? -1)
        unsafe options.open_files = Int64(cell?.limits.openFiles ?? -1)
        unsafe options.file_bytes = Int64(cell?.limits.fileBytes ?? -1)
        unsafe options.cpu_seconds = Int64(cell?.limits.cpuSeconds ?? -1)
        var place: UnsafePointer<CChar>?
        let process = unsafe clinux_spawn(&arguments, &environment, theirs, &options, &place)
        guard process > 0 else {
            let what = unsafe place.map { unsafe String(cString: $0) } ?? ""
            throw SocketError(returned: process, place: "start \(command[0]): \(what)")
        }
        for descriptor in theirs { clinux_close(descriptor) }
        cell?.closeRules()
        return process
    }

    private func closeAll() {
        for descriptor in theirs + [output, errorOutput] { clinux_close(descriptor) }
        state.withLock { $0.input.close() }
        cell?.closeRules()
    }

    // MARK: For the watch, on the thread

    /// What is due: whether everything is to be killed, and when it will be.
    func takeSentence() -> (isCondemned: Bool, killTime: Instant?) {
        state.withLock { state in
            if let time = state.killTime, time <= SystemClock.now() {
                state.isCondemned = true
                state.killTime = nil
            }
            defer { state.isCondemned = false }
            return (state.isCondemned, state.killTime)
        }
    }

    /// The descriptor of the standard input where bytes wait for it, else -1.
    var waitingInput: Int32 { state.withLock { $0.input.hasBytes ? $0.input.descriptor : -1 } }

    func flushInput() {
        state.withLock { $0.input.flush() }
    }

    /// Reaps it and what is left of its group.
    func bury(_ process: Int32) -> Int32 {
        var status: Int32 = 0
        state.withLock { state in
            _ = Glibc.kill(-process, SIGKILL)
            while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
            state.isReaped = true
            state.input.close()
        }
        cell?.group?.remove()
        clinux_close(output)
        clinux_close(errorOutput)
        return status
    }
}

/// The way into a child's standard input: what it has not read waits here, within bounds.
struct ChildInput {
    private(set) var descriptor: Int32
    private let takesBytes: Bool
    private var waiting: [UInt8] = []
    private var sent = 0
    private static let mostWaiting = 32 << 20

    init(descriptor: Int32, takesBytes: Bool) {
        self.descriptor = descriptor
        self.takesBytes = takesBytes
    }

    var hasBytes: Bool { sent < waiting.count }

    mutating func write(_ bytes: [UInt8]) -> Bool {
        guard takesBytes, descriptor >= 0, waiting.count - sent + bytes.count <= Self.mostWaiting else { return false }
        waiting.append(contentsOf: bytes)
        flush()
        return descriptor >= 0
    }

    mutating func flush() {
        while descriptor >= 0, sent < waiting.count {
            let count = unsafe waiting.withUnsafeBytes { buffer in
                unsafe clinux_send(descriptor, buffer.baseAddress.map { unsafe $0 + sent }, buffer.count - sent)
            }
            if count == -Int(EAGAIN) { break }
            if count == -Int(EINTR) { continue }
            guard count > 0 else { return close() }
            sent += count
        }
        guard sent == waiting.count || sent > 1 << 20 else { return }
        waiting.removeFirst(sent)
        sent = 0
    }

    mutating func close() {
        if descriptor >= 0 { clinux_close(descriptor) }
        descriptor = -1
        waiting = []
        sent = 0
    }
}
