/// A step on the way to a robot, in their order.
package enum RobotPhase: String, CaseIterable, Hashable, Sendable {
    /// Finding the robot's address by its serial number; left out where the address is given.
    case discovery
    /// Offer and answer over the robot's HTTP.
    case signaling
    case ice
    case dtls
    case sctp
    case validation
    /// The first whole picture, once the camera was switched on.
    case media
}

/// What one phase came to.
package struct PhaseReport: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case pending
        case running
        case succeeded
        case failed(PhaseFailure)
        /// Nobody asked for it.
        case skipped
    }
    package var phase: RobotPhase
    package var outcome: Outcome
    /// From the phase's beginning to its end, or to now.
    package var duration: Duration?
    /// What was seen, in the order it was seen: `9991 answered data2=2`, `checking`, `INIT sent 3 times`.
    package var evidence: [String]

    package init(phase: RobotPhase, outcome: Outcome = .pending, duration: Duration? = nil, evidence: [String] = []) {
        self.phase = phase
        self.outcome = outcome
        self.duration = duration
        self.evidence = evidence
    }
}

/// Why a phase failed, and what mends it.
package struct PhaseFailure: Error, Sendable, Hashable {
    /// A word for programs: `refused`, `timeout`, `busy`, `key_required`, `key_rejected`, `too_soon`, `no_answer` …
    package var code: String
    package var reason: String
    /// The likeliest first.
    package var causes: [String]
    package var remedy: String

    package init(code: String, reason: String, causes: [String], remedy: String) {
        self.code = code
        self.reason = reason
        self.causes = causes
        self.remedy = remedy
    }
}

/// How a connection to a robot stands.
package struct ConnectionReport: Sendable, Equatable {
    package enum State: String, Sendable {
        case idle, connecting, connected, waiting, stopped
    }
    package var state: State
    /// Counts from 1.
    package var attempt: Int
    package var phases: [PhaseReport]
    /// What the browser's words for it would be: `new`, `checking`, `connected` …
    package var channelState: String
    package var connectionState: String
    package var iceState: String
    package var gatheringState: String
    /// Of the last failure; nil once all is well.
    package var failure: PhaseFailure?
    /// Until the next attempt.
    package var retryIn: Duration?

    /// The robot had let us in and wants to be answered again: it takes no orders until it has accepted that.
    package var isRevalidating: Bool {
        state == .connected && phases.contains { $0.phase == .validation && $0.outcome == .running }
    }

    package init(state: State = .idle, attempt: Int = 0, phases: [PhaseReport] = []) {
        self.state = state
        self.attempt = attempt
        self.phases = phases
        channelState = "closed"
        connectionState = "new"
        iceState = "new"
        gatheringState = "new"
    }
}
