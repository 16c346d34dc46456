/// The robot's topics that are spoken over DDS.
enum DDSTopics {
    /// What says that the robot is there.
    static let state: Set<String> = [
        RobotTopic.lowState, RobotTopic.sportState, "rt/lowstate", "rt/sportmodestate",
    ]

    /// The type of a topic that can be subscribed to; nil for one whose type is not known here.
    static func type(of topic: String) -> DDSType? {
        switch topic {
        case RobotTopic.lowState, "rt/lowstate": .lowState
        case RobotTopic.sportState, "rt/sportmodestate", "rt/mf/sportmodestate": .sportModeState
        case RobotTopic.robotPose: .poseStamped
        // A Go2's services print JSON into a string.
        case RobotTopic.multipleState, RobotTopic.serviceState: .string
        default: nil
        }
    }

    /// What can be published besides requests: the LiDAR's switch.
    static func isPublishable(_ topic: String) -> Bool { topic == RobotTopic.lidarSwitch }
}
