internal import Core

/// How a connection that was up came to its end.
package enum LinkLoss: Sendable, Equatable {
    /// The robot said goodbye.
    case closedByRobot
    /// The robot no longer answers ICE's checks.
    case consentLost
    /// Nothing came on the data channel for that long, although heartbeats were sent.
    case silent(Duration)
    /// The robot asked for validation again, and did not accept it for that long.
    case validationLost(Duration)
    case associationEnded(reason: String)
    /// The robot closed the channel `data`.
    case channelClosed
    case transportFailed(reason: String)

    /// Whether the robot may go on holding our place: it has not said goodbye itself, and may not have heard ours.
    package var leavesSlot: Bool {
        switch self {
        case .closedByRobot, .validationLost, .associationEnded, .channelClosed: false
        case .consentLost, .silent, .transportFailed: true
        }
    }

    package var failure: PhaseFailure {
        switch self {
        case .closedByRobot:
            PhaseFailure(
                code: "closed_by_robot", reason: "the robot ended the connection",
                causes: ["the robot restarts or shuts down", "another client took the robot over"],
                remedy: "none needed where the robot restarts; else close the phone app")
        case .consentLost:
            PhaseFailure(
                code: "consent_lost", reason: "the robot no longer answers",
                causes: ["the robot left the Wi-Fi's range", "the robot was switched off", "the network changed"],
                remedy: "bring the robot back into its network; the connection comes back by itself")
        case .silent(let duration):
            PhaseFailure(
                code: "silent",
                reason: "nothing came on the data channel for \(Int(duration.seconds.rounded())) s "
                    + "although heartbeats were sent",
                causes: ["the robot's services hang", "the robot is overloaded"],
                remedy: "none needed where the connection comes back by itself; else restart the robot")
        case .validationLost(let duration):
            PhaseFailure(
                code: "validation_lost",
                reason: "the robot asked for validation again and did not accept it for "
                    + "\(Int(duration.seconds.rounded())) s",
                causes: ["the robot's WebRTC service started anew", "the phone app took the robot over"],
                remedy: "none needed where the connection comes back by itself; else close the phone app")
        case .associationEnded(let reason):
            PhaseFailure(
                code: "aborted", reason: "the robot ended the data channel: \(reason)",
                causes: ["the robot's WebRTC service starts anew"], remedy: "none needed: it is called again")
        case .channelClosed:
            PhaseFailure(
                code: "channel_closed", reason: "the robot closed the data channel",
                causes: ["the robot's WebRTC service starts anew"], remedy: "none needed: it is called again")
        case .transportFailed(let reason):
            PhaseFailure(
                code: "transport_failed", reason: reason,
                causes: ["the network changed", "the robot's WebRTC service hangs"],
                remedy: "none needed where the connection comes back by itself; else restart the robot")
        }
    }
}
