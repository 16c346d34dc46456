/// One robot as the operator describes it, apart from how it is reached, which is its link's.
package struct RobotConfiguration: Sendable, Equatable {
    package var name: String
    /// `webrtc` or `cyclonedds`, for those who ask.
    package var connection: String
    /// The robot's microphone may be listened to.
    package var allowsSound = false
    /// Viewers may speak through the robot's loudspeaker.
    package var allowsTalk = false
    package var allowsLiDAR = true
    /// Flips, jumps and the like.
    package var allowsAcrobatics = false
    /// Velocities take the way around obstacles.
    package var avoidsObstacles = false
    package var driving = DriveLimits()
    package var lidar = LiDARLimits()
    /// Subscribed to as long as the robot is connected, so that their latest values are at hand.
    package var permanentTopics: Set<String> = [
        RobotTopic.lowState, RobotTopic.sportState, RobotTopic.robotPose, RobotTopic.multipleState,
        RobotTopic.serviceState,
    ]
    /// Topics at a time, all subscribers together.
    package var maximumTopics = 64
    /// Bytes of a request's parameter.
    package var maximumParameterBytes = 65_536

    package init(name: String, connection: String = "webrtc") {
        self.name = name
        self.connection = connection
    }
}
