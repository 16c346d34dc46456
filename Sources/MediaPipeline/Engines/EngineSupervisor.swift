internal import Core

/// When an engine is started, asked, given up and ended. Does no I/O.
///
/// Feed it with ``handle(_:now:)``, carry out ``pollOutput()`` until nil, and feed `.timeout` once ``deadline`` has passed.
struct EngineSupervisor {
    struct Limits: Sendable {
        /// From the start of a child to its hello: models are loaded meanwhile.
        var start: Duration = .seconds(120)
        var pingInterval: Duration = .milliseconds(500)
        var pong: Duration = .seconds(2)
        var firstBackoff: Duration = .milliseconds(500)
        var longestBackoff: Duration = .seconds(30)
        /// So much good work makes the backoff short again.
        var goodWork: Duration = .seconds(60)
        var maximumRestarts = 20
        var restartWindow: Duration = .seconds(600)
        var maximumFaults = 100
        var faultWindow: Duration = .seconds(60)
        /// From `shutdown` to SIGTERM, and from there to SIGKILL.
        var shutdown: Duration = .seconds(2)
        var termination: Duration = .seconds(3)
    }

    enum Input: Equatable {
        case start
        case childStarted
        case childNotStarted(reason: String)
        case childEnded(reason: String)
        case helloAccepted
        case helloRefused(reason: String)
        case pong(id: Int64)
        /// The peer broke the protocol.
        case fault
        /// The peer takes no more messages, or said goodbye.
        case peerLost(reason: String)
        case stop
        case timeout
    }

    enum Output: Equatable {
        case startChild
        /// SIGTERM to the group, SIGKILL after `grace`.
        case endChild(grace: Duration)
        case killChild
        case sendPing(id: Int64)
        case sendShutdown
        /// Its sessions are detached, its messages not heard any more.
        case forgetPeer(reason: String)
        case countRestart
        case countHang
        case stopped
    }

    enum Phase: Equatable {
        case idle
        /// Nobody is there: a child that has not said hello by the deadline, or one that comes by itself (nil).
        case awaiting(deadline: Instant?)
        case serving(since: Instant)
        /// The child was killed; its end is awaited.
        case dying
        case backingOff(until: Instant)
        case givenUp
        /// `shutdown` was sent; SIGTERM at the deadline, nil once that was done.
        case stopping(deadline: Instant?)
        case stopped
    }

    let hasChild: Bool
    let limits: Limits
    private(set) var phase = Phase.idle
    /// Why nobody serves; nil while all is well.
    private(set) var failure: String?
    /// Why the hello since the last start was refused.
    private var refusal: String?
    private var backoff: Duration
    private var restarts: [Instant] = []
    private var faults: [Instant] = []
    private var unanswered: [(id: Int64, sent: Instant)] = []
    private var nextPing: (id: Int64, due: Instant) = (1, .zero)
    private var isChildRunning = false
    private var outputs: [Output] = []

    init(hasChild: Bool, limits: Limits = Limits()) {
        self.hasChild = hasChild
        self.limits = limits
        backoff = limits.firstBackoff
    }

    mutating func pollOutput() -> Output? {
        outputs.isEmpty ? nil : outputs.removeFirst()
    }

    var deadline: Instant? {
        switch phase {
        case .idle, .dying, .givenUp, .stopped: return nil
        case .awaiting(let deadline): return deadline
        case .serving: return unanswered.first.map { min($0.sent + limits.pong, nextPing.due) } ?? nextPing.due
        case .backingOff(let until): return until
        case .stopping(let deadline): return deadline
        }
    }

    mutating func handle(_ input: Input, now: Instant) {
        switch input {
        case .start:
            guard phase == .idle else { return }
            launch(now)
        case .childStarted:
            isChildRunning = true
        case .childNotStarted(let reason):
            ended(reason, now)
        case .childEnded(let reason):
            isChildRunning = false
            ended("it ended: \(reason)", now)
        case .helloAccepted:
            switch phase {
            case .awaiting, .serving: break
            default: return
            }
            phase = .serving(since: now)
            failure = nil
            refusal = nil
            unanswered = []
            faults = []
            nextPing.due = now
        case .helloRefused(let reason):
            guard case .awaiting = phase else { return }
            refusal = "its hello was refused: \(reason)"
            failure = refusal
        case .pong(let id):
            unanswered.removeAll { $0.id <= id }
        case .fault:
            guard case .serving = phase else { return }
            faults.removeAll { now - $0 > limits.faultWindow }
            faults.append(now)
            if faults.count > limits.maximumFaults {
                giveUpPeer("it sent \(faults.count) faulty messages in a minute", now)
            }
        case .peerLost(let reason):
            guard case .serving = phase else { return }
            giveUpPeer(reason, now)
        case .stop:
            stop(now)
        case .timeout:
            timeout(now)
        }
    }

    private mutating func launch(_ now: Instant) {
        refusal = nil
        guard hasChild else {
            phase = .awaiting(deadline: nil)
            failure = failure ?? "it has not connected yet"
            return
        }
        phase = .awaiting(deadline: now + limits.start)
        failure = failure ?? "it is starting"
        outputs.append(.startChild)
    }

    private mutating func timeout(_ now: Instant) {
        switch phase {
        case .awaiting(let deadline?) where deadline <= now:
            failure = refusal ?? "it said no hello for \(Int(limits.start.seconds)) s"
            phase = .dying
            outputs.append(.killChild)
        case .serving:
            if let first = unanswered.first, first.sent + limits.pong <= now {
                outputs.append(.countHang)
                giveUpPeer("it hung: no pong for \(limits.pong.seconds) s", now)
            } else if nextPing.due <= now {
                unanswered.append((nextPing.id, now))
                outputs.append(.sendPing(id: nextPing.id))
                nextPing = (nextPing.id + 1, now + limits.pingInterval)
            }
        case .backingOff(let until) where until <= now:
            outputs.append(.countRestart)
            launch(now)
        case .stopping(let deadline?) where deadline <= now:
            phase = .stopping(deadline: nil)
            outputs.append(.endChild(grace: limits.termination))
        default: break
        }
    }

    /// The one that served is of no more use.
    private mutating func giveUpPeer(_ reason: String, _ now: Instant) {
        failure = reason
        rewardGoodWork(now)
        outputs.append(.forgetPeer(reason: reason))
        if hasChild {
            phase = .dying
            outputs.append(.killChild)
            // It may have ended before its last message was read.
            if !isChildRunning { ended(reason, now) }
        } else {
            phase = .awaiting(deadline: nil)
        }
    }

    private mutating func rewardGoodWork(_ now: Instant) {
        if case .serving(let since) = phase, now - since >= limits.goodWork { backoff = limits.firstBackoff }
    }

    /// No child is there any more: once more, later.
    private mutating func ended(_ reason: String, _ now: Instant) {
        switch phase {
        case .stopping:
            phase = .stopped
            outputs.append(.stopped)
            return
        case .idle, .stopped, .givenUp, .backingOff:
            return
        case .serving:
            failure = reason
            rewardGoodWork(now)
            outputs.append(.forgetPeer(reason: reason))
        case .awaiting:
            // One that was refused ends for that reason.
            failure = refusal ?? reason
        case .dying:
            break
        }
        restarts.removeAll { now - $0 > limits.restartWindow }
        guard restarts.count < limits.maximumRestarts else {
            phase = .givenUp
            failure =
                "it was started again \(restarts.count) times in \(Int(limits.restartWindow.seconds)) s; "
                + "the last time: \(failure ?? reason)"
            return
        }
        restarts.append(now)
        phase = .backingOff(until: now + backoff)
        backoff = min(backoff * 2, limits.longestBackoff)
    }

    private mutating func stop(_ now: Instant) {
        switch phase {
        case .stopping, .stopped: return
        case .serving:
            outputs.append(.sendShutdown)
            outputs.append(.forgetPeer(reason: "the server stops"))
        default: break
        }
        guard isChildRunning else {
            phase = .stopped
            outputs.append(.stopped)
            return
        }
        if case .serving = phase {
            phase = .stopping(deadline: now + limits.shutdown)
        } else {
            phase = .stopping(deadline: nil)
            outputs.append(.endChild(grace: limits.termination))
        }
    }
}
