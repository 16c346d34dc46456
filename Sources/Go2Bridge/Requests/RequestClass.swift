internal import Core

/// How far a request reaches, which decides who may send it.
package enum RequestClass: String, Hashable, Sendable {
    /// Tells, and changes nothing.
    case reading
    /// Changes a setting: light, volume, a mode.
    case setting
    /// Moves the robot: for its driver alone while there is one.
    case motion
    /// Flips, jumps and the like: only where the configuration says `acrobatics`.
    case acrobatics
    /// Stops the robot; nobody who may drive is ever refused it.
    case stop
    /// Reaches into the robot's computer or joints past its own safety; never by way of us.
    case unsafe
}

extension RobotRequest {
    package var requestClass: RequestClass {
        asksForVersion ? .reading : Self.classify(topic: topic, apiID: apiID)
    }

    /// The one script that only tells: the versions of the robot's packages.
    private var asksForVersion: Bool {
        topic == RobotTopic.bashRunner && apiID == 1001
            && JSONValue(parsing: Array(parameter.utf8)) == ["script": "get_whole_packet_version.sh"]
    }

    /// `StopMove` and `Damp`: sent at once, before whatever waits.
    var isStop: Bool { topic == RobotTopic.sport && (apiID == 1003 || apiID == 1001) }

    /// A velocity, which a stop takes back while it waits to be sent.
    var isMotion: Bool {
        topic == RobotTopic.sport && apiID == 1008 || topic == RobotTopic.obstacleAvoidance && apiID == 1003
    }

    package static func classify(topic: String, apiID: Int32) -> RequestClass {
        switch (topic, apiID) {
        case (RobotTopic.sport, 1001), (RobotTopic.sport, 1003): .stop
        case (RobotTopic.sport, 1024), (RobotTopic.sport, 1025), (RobotTopic.sport, 1026), (RobotTopic.sport, 1034),
            (RobotTopic.sport, 2055):
            .reading
        case (RobotTopic.sport, 1030...1032), (RobotTopic.sport, 1039), (RobotTopic.sport, 1042...1044),
            (RobotTopic.sport, 1301...1305), (RobotTopic.sport, 2041...2044), (RobotTopic.sport, 2046),
            (RobotTopic.sport, 2047), (RobotTopic.sport, 2050), (RobotTopic.sport, 2059):
            .acrobatics
        case (RobotTopic.sport, _): .motion
        case (RobotTopic.obstacleAvoidance, 1002): .reading
        case (RobotTopic.obstacleAvoidance, 1003): .motion
        case (RobotTopic.motionSwitcher, 1001), (RobotTopic.motionSwitcher, 1005): .reading
        case (RobotTopic.motionSwitcher, _): .motion
        case (RobotTopic.vui, 1004), (RobotTopic.vui, 1006): .reading
        case (RobotTopic.audioHub, 1001), (RobotTopic.audioHub, 1010): .reading
        case (RobotTopic.robotState, 1002), ("rt/api/gas_sensor/request", 1002): .reading
        case ("rt/api/videohub/request", _): .reading
        case (RobotTopic.bashRunner, _): .unsafe
        case ("rt/api/pet/request", _), ("rt/api/uwbswitch/request", _), (RobotTopic.robotState, _): .motion
        default: .setting
        }
    }
}
