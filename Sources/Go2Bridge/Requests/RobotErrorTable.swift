/// The robot's codes in words.
package enum RobotErrorTable {
    /// Of `status.code` in an answer.
    package static func text(of code: Int32) -> String {
        switch code {
        case 0: "done"
        case -1: "the robot refuses this in its present state"
        case 1013: "the robot is still warming up, in its first ten seconds"
        case 3102: "the robot could not send the request on"
        case 3103: "the service does not know this request"
        case 3104: "the service did not answer the robot in time"
        case 3105, 3106: "the service's answer did not fit the request"
        case 3202: "the service failed"
        case 3203: "not implemented: this firmware has another command set"
        case 3204: "the parameter is not valid"
        case 3205: "the robot refuses the request"
        case 3206, 3207: "another controller holds the robot's own lease"
        default: "the robot answers with code \(code)"
        }
    }

    /// Of `error_code` in `rt/lf/sportmodestate`.
    package static func sportState(of code: Int) -> String {
        switch code {
        case 100: "idle"
        case 1002: "standing"
        case 1013: "warming up"
        default: "state \(code)"
        }
    }

    /// Of a fault's triple. A code is one bit, or several together.
    package static func text(of fault: RobotFault) -> String {
        let place =
            switch fault.source {
            case 100: "communication"
            case 200: "fans"
            case 300: "motors"
            case 301...399: "motor \(fault.source - 300)"
            case 400: "LiDAR"
            case 500: "UWB"
            case 600: "motion control"
            case 700: "battery"
            default: "source \(fault.source)"
            }
        let what: String? =
            switch (fault.source, fault.code) {
            case (300...399, 16): "winding overheated"
            case (600, 8): "low battery"
            default: nil
            }
        return what.map { "\(place): \($0)" } ?? "\(place): fault \(fault.code)"
    }
}
