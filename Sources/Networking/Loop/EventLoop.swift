internal import CLinux
package import Core
internal import Glibc
internal import Synchronization

/// What a descriptor is ready for, or what a handler waits for.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    /// The peer hung up or the socket has an error; delivered whether asked for or not.
    package static let hangup = Readiness(rawValue: 4)
}

/// One thread that waits on epoll: descriptors, timers and a mailbox.
///
/// Other threads use ``submit(_:)``, ``perform(_:)`` and ``stop()``; everything else is called on the loop's own thread
/// (from handlers and submitted work) and traps elsewhere. Plain state that lives on the loop goes into a ``LoopBound``.
/// One turn is: wait, read the clock once (``now``), descriptors, mailbox, timers, ``endOfTurn`` handler.
// SAFETY: `state` is touched by the loop's thread alone, which every accessor checks; the rest is immutable or locked.
package final class EventLoop: @unchecked Sendable {
    private struct Registration {
        var generation: UInt32
        var handler: (Readiness) -> Void
    }

    /// What only the loop's thread touches.
    private final class State {
        var registrations: [Int32: Registration] = [:]
        var nextGeneration: UInt32 = 1
        var timers = TimerQueue()
        var endOfTurn: (() -> Void)?
        var whenStopping: [() -> Void] = []
        var now = Instant.zero
        var isStopping = false
    }

    private struct Mailbox {
        var work: [@Sendable () -> Void] = []
        var isStarted = false
        var isClosed = false
        var whenStopped: [CheckedContinuation<Void, Never>] = []
    }

    package let name: String
    private let state = State()
    private let mailbox = Mutex(Mailbox())
    /// `pthread_self()` of the running thread; 0 before the start and after the end.
    private let thread = Atomic<UInt>(0)
    private let epoll: Int32
    private let wakeUp: Int32
    private static let wakeUpToken = UInt64.max

    /// - Parameter name: the thread's name, at most 15 bytes are shown by the kernel.
    package init(name: String) throws(SocketError) {
        self.name = name
        epoll = clinux_epoll_create()
        guard epoll >= 0 else { throw SocketError(returned: epoll, place: "epoll") }
        wakeUp = clinux_eventfd()
        guard wakeUp >= 0 else {
            clinux_close(epoll)
            throw SocketError(returned: wakeUp, place: "eventfd")
        }
        _ = clinux_epoll_add(epoll, wakeUp, Readiness.readable.rawValue, Self.wakeUpToken)
    }

    deinit {
        clinux_close(wakeUp)
        clinux_close(epoll)
    }

    /// Starts the thread. Work that was submitted before runs first.
    package func start() throws(SocketError) {
        let isFirst = mailbox.withLock { mailbox in
            defer { mailbox.isStarted = true }
            return !mailbox.isStarted
        }
        precondition(isFirst, "an event loop starts once")
        var handle = pthread_t()
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        let code = unsafe pthread_create(
            &handle, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        guard code == 0 else {
            unsafe Unmanaged<EventLoop>.fromOpaque(context).release()
            throw SocketError(returned: -code, place: "start thread \(name)")
        }
        pthread_detach(handle)
    }

    // MARK: From any thread

    /// Runs `work` on the loop's thread, in the order of submission. False where the loop has stopped: `work` is dropped.
    @discardableResult
    package func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        mailbox.withLock { mailbox in
            guard !mailbox.isClosed else { return false }
            mailbox.work.append(work)
            // One signal wakes the loop for any number of letters.
            if mailbox.work.count == 1 { clinux_eventfd_signal(wakeUp) }
            return true
        }
    }

    /// Runs `work` on the loop's thread and returns its result; nil where the loop has stopped.
    package func perform<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            if !submit({ continuation.resume(returning: work()) }) { continuation.resume(returning: nil) }
        }
    }

    /// Ends the loop after the work that is already in the mailbox; returns once its thread has let go of everything.
    package func stop() async {
        await withCheckedContinuation { continuation in
            let isOver = mailbox.withLock { mailbox in
                if mailbox.isClosed || !mailbox.isStarted {
                    mailbox.isClosed = true
                    return true
                }
                mailbox.whenStopped.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
            submit { self.state.isStopping = true }
        }
    }

    package var isOnLoop: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Traps where the caller is not on the loop's thread: a bug in our own threading, never a peer's doing.
    package func assertOnLoop(_ function: StaticString = #function) {
        precondition(isOnLoop, "\(function) belongs to the event loop's thread")
    }

    // MARK: On the loop

    /// The monotonic clock as it was when this turn began.
    package var now: Instant {
        assertOnLoop()
        return state.now
    }

    /// Calls `handler` whenever `descriptor` is ready (level-triggered). The caller keeps the descriptor and deregisters
    /// it before closing it.
    package func register(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SocketError) {
        assertOnLoop()
        let generation = state.nextGeneration
        state.nextGeneration &+= 1
        let code = clinux_epoll_add(epoll, descriptor, interest.rawValue, token(descriptor, generation))
        guard code >= 0 else { throw SocketError(returned: code, place: "watch descriptor \(descriptor)") }
        state.registrations[descriptor] = Registration(generation: generation, handler: handler)
    }

    package func setInterest(_ interest: Readiness, of descriptor: Int32) {
        assertOnLoop()
        guard let known = state.registrations[descriptor] else { return }
        _ = clinux_epoll_modify(epoll, descriptor, interest.rawValue, token(descriptor, known.generation))
    }

    package func deregister(_ descriptor: Int32) {
        assertOnLoop()
        guard state.registrations.removeValue(forKey: descriptor) != nil else { return }
        _ = clinux_epoll_remove(epoll, descriptor)
    }

    /// Calls `handler` once, at the first turn after `deadline`.
    @discardableResult
    package func schedule(at deadline: Instant, _ handler: @escaping () -> Void) -> TimerID {
        assertOnLoop()
        return state.timers.add(at: deadline, handler)
    }

    package func cancel(_ timer: TimerID) {
        assertOnLoop()
        state.timers.cancel(timer)
    }

    /// Called at the end of every turn, before the loop waits again: the place to flush send batches and arm deadlines.
    package func setEndOfTurn(_ handler: (() -> Void)?) {
        assertOnLoop()
        state.endOfTurn = handler
    }

    /// Calls `handler` when the loop ends, while its thread can still close what it owns.
    package func whenStopping(_ handler: @escaping () -> Void) {
        assertOnLoop()
        state.whenStopping.append(handler)
    }

    // MARK: The thread

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        unsafe clinux_name_thread(String(decoding: name.utf8.prefix(15), as: UTF8.self))
        var events = [clinux_event](repeating: clinux_event(), count: 64)
        while !state.isStopping {
            let count = unsafe clinux_epoll_wait(epoll, &events, 64, timeToWait())
            precondition(count >= 0, "epoll_wait fails only where its descriptor is no epoll: \(count)")
            state.now = SystemClock.now()
            for event in events.prefix(Int(count)) { deliver(event) }
            while let handler = state.timers.popDue(state.now) { handler() }
            state.endOfTurn?()
        }
        finish()
    }

    /// Nanoseconds until the next timer; negative: for ever.
    private func timeToWait() -> Int64 {
        guard let deadline = state.timers.nextDeadline() else { return -1 }
        return max(0, (deadline - SystemClock.now()).nanoseconds)
    }

    private func deliver(_ event: clinux_event) {
        if event.token == Self.wakeUpToken {
            clinux_eventfd_drain(wakeUp)
            emptyMailbox()
            return
        }
        // A descriptor that was closed and reused within this turn has another generation: its old event is stale.
        let descriptor = Int32(truncatingIfNeeded: event.token)
        guard let known = state.registrations[descriptor], event.token == token(descriptor, known.generation) else {
            return
        }
        known.handler(Readiness(rawValue: event.events))
    }

    private func emptyMailbox() {
        let work = mailbox.withLock { mailbox in
            defer { mailbox.work.removeAll() }
            return mailbox.work
        }
        for letter in work { letter() }
    }

    /// Runs what was accepted, then lets go of every handler, so that what they captured is freed on this thread.
    private func finish() {
        var isEmpty = false
        while !isEmpty {
            emptyMailbox()
            isEmpty = mailbox.withLock { mailbox in
                mailbox.isClosed = mailbox.work.isEmpty
                return mailbox.isClosed
            }
        }
        for handler in state.whenStopping { handler() }
        state.whenStopping = []
        for descriptor in state.registrations.keys { _ = clinux_epoll_remove(epoll, descriptor) }
        state.registrations.removeAll()
        state.timers.removeAll()
        state.endOfTurn = nil
        thread.store(0, ordering: .relaxed)
        let waiting = mailbox.withLock { mailbox in
            defer { mailbox.whenStopped.removeAll() }
            return mailbox.whenStopped
        }
        for continuation in waiting { continuation.resume() }
    }

    private func token(_ descriptor: Int32, _ generation: UInt32) -> UInt64 {
        UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }
}
