/// Why a robot is not found over DDS, and what mends it.
enum DDSDiagnosis {
    static func cannotOpen(_ error: DDSError, _ place: DDSSettings) -> PhaseFailure {
        let reason = "the DDS domain cannot be opened: \(error.reason)"
        guard !error.lacksDescriptors else {
            return PhaseFailure(
                code: "descriptors", reason: reason,
                causes: ["the server was started with that many files open: it keeps some for DDS from its start"],
                remedy: "ls -l /proc/PID/fd shows what they are; start the server again without them")
        }
        return PhaseFailure(
            code: "interface", reason: reason,
            causes: [
                "the interface \(place.interface) does not exist or has no address",
                "the cable is not plugged in, so that the interface is down",
                "another part of this server opened domain \(place.domain) on another interface",
            ],
            remedy:
                "ip addr show \(place.interface); give it an address in 192.168.123.0/24 (such as 192.168.123.222/24)")
    }

    static func nobody(_ place: DDSSettings) -> PhaseFailure {
        PhaseFailure(
            code: "no_participant",
            reason: "nobody else is in DDS domain \(place.domain) on \(place.interface)",
            causes: [
                "the cable is not in the robot's Ethernet port, or the robot is off",
                "the interface's address is not in 192.168.123.0/24",
                "a firewall drops UDP 7400 and up, or multicast to 239.255.0.1",
                "the wrong domain: the robot's own is 0",
            ],
            remedy: "ping 192.168.123.161; allow UDP from the robot on \(place.interface); see docs/go2-dds.md")
    }

    static func noRobot(others: Int, _ place: DDSSettings) -> PhaseFailure {
        PhaseFailure(
            code: "no_robot",
            reason: "\(others) other participants are in DDS domain \(place.domain), and none of them writes "
                + RobotTopic.lowState + " or " + RobotTopic.sportState,
            causes: [
                "they are other computers' ROS 2 nodes, not the robot",
                "the robot still boots, or its services were stopped",
                "the firmware's types have other names",
            ],
            remedy:
                "wait a minute after switching the robot on; ros2 topic list on the same interface names what is there")
    }

    static func noSamples(_ place: DDSSettings) -> PhaseFailure {
        PhaseFailure(
            code: "no_samples", reason: "the robot's state was found, but no sample of it came",
            causes: [
                "a firewall lets discovery pass and drops the data",
                "the firmware's samples are of another form: avatar_dds_samples_refused_total counts them",
            ],
            remedy: "allow all UDP from 192.168.123.0/24 on \(place.interface)")
    }

    static func silent(_ limit: Duration) -> PhaseFailure {
        PhaseFailure(
            code: "silent", reason: "no sample of the robot's state for \(limit)",
            causes: ["the cable was pulled", "the robot was switched off", "its services start anew"],
            remedy: "none needed where the robot restarts; else look at the cable")
    }
}
