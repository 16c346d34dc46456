internal import CLinux
internal import Core
internal import Glibc

/// The loop of a child's thread, from its start to its end.
struct ChildWatch: ~Copyable {
    private let thread: ChildThread
    private let process: Int32
    /// Tells of the end. Without it (Linux before 5.3) the end is known by the end of the output.
    private let ending: Int32
    private var output: LineCapture
    private var errorOutput = LineCapture()
    private var buffer = [UInt8](repeating: 0, count: 65_536)
    private var tree: ProcessTree?
    private var excess: ProcessExcess?
    private var nextLook: Instant
    private var nextWalk: Instant
    /// The second that is running, and what of it is left.
    private var secondEnd: Instant
    private var linesLeft: Int
    private var leftOut = 0

    private static let lookInterval: Duration = .milliseconds(250)
    private static let walkInterval: Duration = .seconds(1)
    /// Files and folders of a scratch folder that are counted; more are too many.
    private static let mostEntries: Int64 = 200_000

    init(_ thread: ChildThread, _ process: Int32) {
        self.thread = thread
        self.process = process
        ending = clinux_process_descriptor(process)
        output = LineCapture(maximumLength: thread.settings.messageBytes.map { $0 + 1 } ?? 4096)
        tree = thread.cell.map { ProcessTree(root: process, mark: $0.mark, group: $0.group) }
        let now = SystemClock.now()
        nextLook = now + Self.lookInterval
        nextWalk = now + Self.walkInterval
        secondEnd = now + .seconds(1)
        linesLeft = thread.settings.linesPerSecond ?? .max
    }

    deinit {
        if ending >= 0 { clinux_close(ending) }
    }

    consuming func run() {
        var watched = [thread.output, thread.errorOutput, thread.wakeUp.descriptor, ending, -1].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        watched[4].events = Int16(POLLOUT)
        var hasEnded = false
        while !hasEnded {
            let wait = doWhatIsDue()
            // A descriptor below 0 is not looked at.
            watched[4].fd = thread.waitingInput
            guard unsafe poll(&watched, nfds_t(watched.count), wait) > 0 else { continue }
            hasEnded = watched[3].revents != 0
            if watched[2].revents != 0 { thread.wakeUp.drain() }
            if watched[4].revents != 0 { thread.flushInput() }
            if watched[0].revents != 0, !read(watched[0].fd, isError: false) { watched[0].fd = -1 }
            if watched[1].revents != 0, !read(watched[1].fd, isError: true) { watched[1].fd = -1 }
            if ending < 0, watched[0].fd < 0, watched[1].fd < 0 { hasEnded = true }
        }
        killEverything()
        // What it said last. Others may hold the pipes and write for ever, so the reading is bounded.
        for index in 0..<2 {
            for _ in 0..<64 where watched[index].fd >= 0 {
                if !read(watched[index].fd, isError: index == 1) { watched[index].fd = -1 }
            }
        }
        finish()
    }

    private mutating func finish() {
        if thread.settings.messageBytes != nil {
            let last = output.finishRaw()
            if !last.isEmpty { thread.deliver(.message(last)) }
        } else if let last = output.finish() {
            thread.deliver(.line(last, isError: false))
        }
        if let last = errorOutput.finish() { thread.deliver(.line(last, isError: true)) }
        tellLeftOut()
        if excess == nil, thread.cell?.group?.wasKilledForMemory == true { excess = .memory }
        let status = thread.bury(process)
        let signal = status & 0x7F
        if let excess {
            thread.deliver(.ended(.exceeded(excess)))
        } else {
            thread.deliver(.ended(signal == 0 ? .exited(status: (status >> 8) & 0xFF) : .killed(signal: signal)))
        }
    }

    // MARK: Its time

    /// Does what is due, and tells how many milliseconds to wait for the next; -1: for ever.
    private mutating func doWhatIsDue() -> Int32 {
        let (isCondemned, killTime) = thread.takeSentence()
        if isCondemned { killEverything() }
        let now = SystemClock.now()
        if now >= secondEnd {
            tellLeftOut()
            secondEnd = now + .seconds(1)
            linesLeft = thread.settings.linesPerSecond ?? .max
        }
        if let limits = thread.cell?.limits, excess == nil, now >= nextLook { look(limits, now) }
        var next = killTime ?? .distantFuture
        if leftOut > 0 { next = min(next, secondEnd) }
        if tree != nil, excess == nil { next = min(next, nextLook) }
        guard next < .distantFuture else { return -1 }
        return Int32(max(0, min((next - SystemClock.now()).nanoseconds / 1_000_000 + 1, 60_000)))
    }

    private mutating func look(_ limits: ProcessLimits, _ now: Instant) {
        excess = tree?.excess(of: limits)
        if excess == nil, let most = limits.scratchBytes, let folder = limits.scratchFolder, now >= nextWalk {
            var bytes: Int64 = 0
            // Too many files, or folders too deep in each other, count as too much.
            let code = unsafe clinux_folder_bytes(folder, Self.mostEntries, &bytes)
            if code < 0 || bytes > most { excess = .disk }
            // A folder that takes long to walk is walked less often.
            nextWalk = now + max(Self.walkInterval, (SystemClock.now() - now) * 10)
        }
        if excess != nil { killEverything() }
        nextLook = SystemClock.now() + Self.lookInterval
    }

    private mutating func killEverything() {
        _ = Glibc.kill(-process, SIGKILL)
        _ = tree?.kill()
    }

    // MARK: Its output

    /// False at the end of the output.
    private mutating func read(_ descriptor: Int32, isError: Bool) -> Bool {
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
        let deliver = thread.deliver
        let (told, tooMany) = unsafe buffer.withUnsafeBytes { buffer in
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer.prefix(count))
            if isError { return unsafe errorOutput.cut(bytes, most: linesLeft) { Self.tell($0, true, deliver) } }
            guard thread.settings.messageBytes != nil else {
                return unsafe output.cut(bytes, most: linesLeft) { Self.tell($0, false, deliver) }
            }
            unsafe _ = output.cut(bytes, most: .max) { if !$0.isEmpty { deliver(.message($0)) } }
            return (0, 0)
        }
        linesLeft -= told
        leftOut += tooMany
        return true
    }

    private static func tell(_ line: [UInt8], _ isError: Bool, _ deliver: @Sendable (ChildProcess.Event) -> Void) {
        if let text = LineCapture.text(line) { deliver(.line(text, isError: isError)) }
    }

    private mutating func tellLeftOut() {
        if leftOut > 0 { thread.deliver(.linesLeftOut(leftOut)) }
        leftOut = 0
    }
}
