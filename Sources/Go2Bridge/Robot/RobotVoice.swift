internal import Core
package import MediaPipeline
internal import PeerConnection
internal import Synchronization

/// A viewer's voice for the robot's loudspeaker: Opus as it comes, one speaker at a time.
final class RobotVoice: MicrophoneSink {
    private let robot: Robot
    private let speaker: DriverID

    init(robot: Robot, speaker: DriverID) {
        self.robot = robot
        self.speaker = speaker
    }

    func receive(_ packet: ReceivedPacket, now: Instant) {
        guard robot.state.withLock({ $0.talker == speaker && $0.core.isReady }) else { return }
        robot.link.perform(.sound(packet))
    }

    func ended() {
        robot.endTalk(speaker)
    }
}

extension Robot {
    /// Lets a viewer speak through the robot, until its microphone ends or ``endTalk(_:)``.
    package func talk(_ speaker: DriverID) throws(RobotRequestError) -> any MicrophoneSink {
        guard configuration.allowsTalk else {
            throw .forbidden(reason: "talk is off for this robot: robots.\(name).talk")
        }
        let isFree = state.withLock { state in
            guard state.talker == nil || state.talker == speaker else { return false }
            state.talker = speaker
            return true
        }
        guard isFree else { throw .forbidden(reason: "somebody else speaks through the robot") }
        return RobotVoice(robot: self, speaker: speaker)
    }

    package func endTalk(_ speaker: DriverID) {
        state.withLock { state in
            if state.talker == speaker { state.talker = nil }
        }
    }
}
