package import Core

/// How far a connection to a robot is: every phase with its evidence, its time and its limit, and the watch over all of them.
///
/// Does no I/O. Feed it with ``handle(_:now:)``; after each input drain ``pollEvent()`` to nil and arm ``deadline``. What the
/// connection shows (``facts``) is set by the driver before it asks for anything.
package struct ConnectionPhases: Sendable {
    package struct Limits: Sendable, Equatable {
        package var discovery: Duration = .seconds(10)
        /// Two requests of 10 s each and the look at two ports.
        package var signaling: Duration = .seconds(25)
        package var ice: Duration = .seconds(15)
        package var dtls: Duration = .seconds(12)
        /// Robots need tens of milliseconds; a stack that resends INIT gives up after 30 s.
        package var sctp: Duration = .seconds(15)
        package var validation: Duration = .seconds(10)
        /// From the camera's switch to the first whole key frame; robots send one each 2 s.
        package var media: Duration = .seconds(10)
        /// After so long without a connection the watch reports, and again each time that twice as much has passed.
        package var watch: Duration = .seconds(30)

        package init() {}

        package subscript(phase: RobotPhase) -> Duration {
            switch phase {
            case .discovery: discovery
            case .signaling: signaling
            case .ice: ice
            case .dtls: dtls
            case .sctp: sctp
            case .validation: validation
            case .media: media
            }
        }
    }

    package enum Input: Sendable, Equatable {
        /// Another attempt begins. The address is looked for first, or known.
        case attemptStarted(isDiscovering: Bool)
        /// Something was seen in a phase.
        case evidence(RobotPhase, String)
        /// A phase is through; those before it are as well, whatever was seen of them.
        case completed(RobotPhase)
        case failed(RobotPhase, PhaseFailure)
        /// The camera was switched on, or off again.
        case cameraSwitched(isOn: Bool)
        /// A robot that had let us in wants to be answered again; the phase `validation` runs until it is completed, or the robot lost.
        case validationNeeded
        case lost(LinkLoss)
        case retryScheduled(at: Instant)
        case stopped
        /// ``deadline`` has passed.
        case timeout
    }

    package enum Event: Sendable, Equatable {
        /// Tell whoever shows it.
        case changed
        /// The robot takes orders; so long it took from the attempt's beginning.
        case ready(after: Duration)
        /// The attempt is over: end the call and think about the next one. The phase `media` is no end of a connection.
        case phaseFailed(RobotPhase, PhaseFailure)
        /// The watch: where it hangs, in words for an operator.
        case stuck(RobotPhase, PhaseFailure)
    }

    private struct Progress: Sendable {
        var outcome = PhaseReport.Outcome.pending
        var began: Instant?
        var ended: Instant?
        var evidence: [String] = []
    }

    /// Lines of evidence of one phase, and bytes of one line; what a robot sends may be in them.
    private static let maximumEvidence = 32
    private static let maximumLine = 240
    /// The longest pause between two reports of the watch.
    private static let longestWatch: Duration = .seconds(3600)

    package let limits: Limits
    /// What the connection shows.
    package var facts = ConnectionFacts()

    package private(set) var state = ConnectionReport.State.idle
    package private(set) var attempt = 0
    private var progress: [RobotPhase: Progress] = [:]
    /// The phase that is running; nil while nothing is, and once the robot is ready.
    package private(set) var current: RobotPhase?
    private var attemptBegan: Instant?
    /// Since when there is no connection although one is wanted.
    private var withoutSince: Instant?
    private var watchDue: Instant?
    private var watchPause: Duration
    /// Of the last failure: what it was, where, and what the connection showed.
    private var failure: PhaseFailure?
    private var failedPhase: RobotPhase?
    private var failedFacts = ConnectionFacts()
    /// The watch's words for it, until something newer happens.
    private var watchReport: PhaseFailure?
    private var retryAt: Instant?
    private var events: [Event] = []

    package init(limits: Limits = Limits()) {
        self.limits = limits
        watchPause = limits.watch
    }

    package mutating func pollEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }

    /// When ``Input/timeout`` is due.
    package var deadline: Instant? {
        [phaseDeadline(current), phaseDeadline(.media), watchDue].compactMap(\.self).min()
    }

    package mutating func handle(_ input: Input, now: Instant) {
        guard state != .stopped else { return }
        switch input {
        case .attemptStarted(let isDiscovering): startAttempt(isDiscovering: isDiscovering, now: now)
        case .evidence(let phase, let line): note(line, in: phase)
        case .completed(.media): completeMedia(now: now)
        case .completed(.validation) where state == .connected: regainValidation(now: now)
        case .completed(let phase): complete(phase, now: now)
        case .failed(let phase, let failure): fail(phase, failure, now: now)
        case .cameraSwitched(let isOn): switchCamera(isOn: isOn, now: now)
        case .validationNeeded: needValidation(now: now)
        case .lost(let loss): lose(loss, now: now)
        case .retryScheduled(let instant):
            retryAt = instant
            events.append(.changed)
        case .stopped: stop(now: now)
        case .timeout: handleTimeout(now: now)
        }
    }

    package func isRunning(_ phase: RobotPhase) -> Bool { progress[phase]?.outcome == .running }

    /// Adds the likeliest cause to the last failure, known from what happened before it.
    package mutating func explain(_ cause: String) {
        failure?.causes.insert(cause, at: 0)
        if let phase = failedPhase, let failure { progress[phase]?.outcome = .failed(failure) }
        events.append(.changed)
    }

    // MARK: Phases

    private mutating func startAttempt(isDiscovering: Bool, now: Instant) {
        attempt += 1
        state = .connecting
        progress = [:]
        retryAt = nil
        attemptBegan = now
        facts = ConnectionFacts()
        if withoutSince == nil { beginWatch(now: now) }
        if !isDiscovering { progress[.discovery] = Progress(outcome: .skipped) }
        begin(isDiscovering ? .discovery : .signaling, now: now)
        events.append(.changed)
    }

    private mutating func begin(_ phase: RobotPhase, now: Instant) {
        current = phase
        progress[phase, default: Progress()].outcome = .running
        progress[phase]?.began = now
    }

    private mutating func complete(_ phase: RobotPhase, now: Instant) {
        guard state == .connecting, let running = current, let last = Self.index(phase),
            let first = Self.index(running), first <= last
        else { return }
        for phase in Self.order[first...last] {
            progress[phase, default: Progress()].outcome = .succeeded
            if progress[phase]?.began == nil { progress[phase]?.began = now }
            progress[phase]?.ended = now
        }
        if last + 1 < Self.order.count {
            begin(Self.order[last + 1], now: now)
        } else {
            becomeReady(now: now)
        }
        events.append(.changed)
    }

    private mutating func becomeReady(now: Instant) {
        current = nil
        state = .connected
        failure = nil
        failedPhase = nil
        watchReport = nil
        withoutSince = nil
        watchDue = nil
        events.append(.ready(after: attemptBegan.map { now - $0 } ?? .zero))
    }

    private mutating func fail(_ phase: RobotPhase, _ failure: PhaseFailure, now: Instant) {
        guard phase != .media else { return failMedia(failure, now: now) }
        guard state == .connecting, current != nil else { return }
        progress[phase, default: Progress()].outcome = .failed(failure)
        progress[phase]?.ended = now
        endAttempt(phase, failure)
        events.append(.phaseFailed(phase, failure))
        events.append(.changed)
    }

    private mutating func endAttempt(_ phase: RobotPhase?, _ failure: PhaseFailure) {
        current = nil
        state = .waiting
        self.failure = failure
        failedPhase = phase
        failedFacts = facts
        watchReport = nil
        endMedia()
    }

    private mutating func lose(_ loss: LinkLoss, now: Instant) {
        guard state == .connected else { return }
        let phase: RobotPhase? = isRunning(.validation) ? .validation : nil
        if let phase {
            progress[phase]?.outcome = .failed(loss.failure)
            progress[phase]?.ended = now
        }
        endAttempt(phase, loss.failure)
        beginWatch(now: now)
        events.append(.changed)
    }

    private mutating func needValidation(now: Instant) {
        guard state == .connected, !isRunning(.validation) else { return }
        progress[.validation]?.outcome = .running
        progress[.validation]?.began = now
        progress[.validation]?.ended = nil
        failure = PhaseDiagnosis.revalidation
        failedPhase = .validation
        events.append(.changed)
    }

    private mutating func regainValidation(now: Instant) {
        guard isRunning(.validation) else { return }
        progress[.validation]?.outcome = .succeeded
        progress[.validation]?.ended = now
        if failedPhase == .validation { (failure, failedPhase) = (nil, nil) }
        events.append(.changed)
    }

    private mutating func stop(now: Instant) {
        if let running = current {
            progress[running]?.outcome = .pending
            progress[running]?.ended = now
        }
        endMedia()
        current = nil
        watchDue = nil
        retryAt = nil
        state = .stopped
        events.append(.changed)
    }

    // MARK: Media

    private mutating func switchCamera(isOn: Bool, now: Instant) {
        guard state == .connected else { return }
        if isOn {
            guard progress[.media]?.outcome != .running, progress[.media]?.outcome != .succeeded else { return }
            progress[.media] = Progress(outcome: .running, began: now)
        } else {
            guard progress[.media]?.outcome == .running else { return }
            progress[.media] = nil
        }
        events.append(.changed)
    }

    private mutating func completeMedia(now: Instant) {
        guard progress[.media]?.outcome != .succeeded, progress[.media]?.began != nil else { return }
        progress[.media]?.outcome = .succeeded
        progress[.media]?.ended = now
        if failedPhase == .media { (failure, failedPhase) = (nil, nil) }
        events.append(.changed)
    }

    private mutating func failMedia(_ failure: PhaseFailure, now: Instant) {
        guard progress[.media]?.outcome == .running else { return }
        progress[.media]?.outcome = .failed(failure)
        progress[.media]?.ended = now
        self.failure = failure
        failedPhase = .media
        events.append(.phaseFailed(.media, failure))
        events.append(.changed)
    }

    /// Without a connection nobody waits for a picture.
    private mutating func endMedia() {
        if progress[.media]?.outcome == .running { progress[.media]?.outcome = .pending }
    }

    // MARK: Time

    private mutating func handleTimeout(now: Instant) {
        if let phase = current, let due = phaseDeadline(phase), due <= now {
            fail(phase, PhaseDiagnosis.timeout(of: phase, after: limits[phase], facts), now: now)
        }
        if let due = phaseDeadline(.media), due <= now {
            failMedia(PhaseDiagnosis.timeout(of: .media, after: limits.media, facts), now: now)
        }
        guard let due = watchDue, due <= now, let since = withoutSince else { return }
        watchPause = min(watchPause * 2, Self.longestWatch)
        watchDue = now + watchPause
        report(stuckSince: since, now: now)
    }

    /// While an attempt runs that is no further than the last one came, the last one's failure says more.
    private mutating func report(stuckSince since: Instant, now: Instant) {
        let phase: RobotPhase
        let cause: PhaseFailure
        var shown = facts
        if let failed = failedPhase, let failure, current.map({ Self.isBefore($0, failed) }) ?? true {
            (phase, cause, shown) = (failed, failure, failedFacts)
        } else if let current {
            let elapsed = progress[current]?.began.map { now - $0 } ?? limits[current]
            (phase, cause) = (current, PhaseDiagnosis.timeout(of: current, after: elapsed, facts))
        } else if let failure {
            (phase, cause, shown) = (.signaling, failure, failedFacts)
        } else {
            return
        }
        let stuck = PhaseDiagnosis.stuck(in: phase, since: now - since, attempt: attempt, shown, cause: cause)
        watchReport = stuck
        events.append(.stuck(phase, stuck))
        events.append(.changed)
    }

    private mutating func beginWatch(now: Instant) {
        withoutSince = now
        watchPause = limits.watch
        watchDue = now + limits.watch
    }

    private func phaseDeadline(_ phase: RobotPhase?) -> Instant? {
        guard let phase, let running = progress[phase], running.outcome == .running, let began = running.began else {
            return nil
        }
        return began + limits[phase]
    }

    // MARK: Evidence

    private mutating func note(_ line: String, in phase: RobotPhase) {
        var kept = progress[phase, default: Progress()].evidence
        // Who says the same again and again says it once.
        guard kept.last != line else { return }
        // The first lines tell how it began, the last ones where it stands.
        if kept.count >= Self.maximumEvidence { kept.remove(at: Self.maximumEvidence / 2) }
        kept.append(line.utf8.count <= Self.maximumLine ? line : String(line.prefix(Self.maximumLine / 4)) + "…")
        progress[phase, default: Progress()].evidence = kept
        events.append(.changed)
    }

    package func report(now: Instant) -> ConnectionReport {
        var report = ConnectionReport(state: state, attempt: attempt)
        report.phases = RobotPhase.allCases.map { phase in
            let known = progress[phase] ?? Progress()
            return PhaseReport(
                phase: phase, outcome: known.outcome, duration: known.began.map { (known.ended ?? now) - $0 },
                evidence: known.evidence)
        }
        report.channelState = facts.channelState
        report.connectionState = facts.connectionState
        report.iceState = facts.iceState
        report.gatheringState = facts.gatheringState
        report.failure = watchReport ?? failure
        report.retryIn = retryAt.map { max(.zero, $0 - now) }
        return report
    }

    /// The phases on the way to a robot that takes orders.
    private static let order: [RobotPhase] = [.discovery, .signaling, .ice, .dtls, .sctp, .validation]

    private static func index(_ phase: RobotPhase) -> Int? { order.firstIndex(of: phase) }

    private static func isBefore(_ left: RobotPhase, _ right: RobotPhase) -> Bool {
        (index(left) ?? order.count) < (index(right) ?? order.count)
    }
}
