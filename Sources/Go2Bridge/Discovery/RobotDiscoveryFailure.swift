internal import Core
internal import Networking

/// What can go wrong when a robot is looked for, each with its causes and what mends it.
enum RobotDiscoveryFailure {
    static func notFound(_ search: RobotSearch, _ limits: RobotSearch.Limits) -> PhaseFailure {
        let others = search.found.count
        let reason =
            others == 0
            ? "no robot answered the search within \(limits.duration)"
            : "\(others) robots answered the search, none of them with the serial number that is looked for"
        var causes = [
            "the robot is off, or in another network than this machine",
            "the access point or a firewall does not pass multicast on, or UDP port 10134 is closed",
        ]
        if others > 0 { causes.insert("the serial number is wrong", at: 0) }
        return PhaseFailure(
            code: "not_found", reason: reason, causes: causes,
            remedy: "compare with `avatar-streamer go2 discover`; where multicast does not pass, "
                + "set the robot's address instead of its serial number")
    }

    static func noInterface(_ name: String?) -> PhaseFailure {
        PhaseFailure(
            code: "no_interface",
            reason: name.map { "the interface \($0) is not up, or has no IPv4 address" }
                ?? "no network interface with an IPv4 address is up",
            causes: ["the network is not connected", "the interface is named differently"],
            remedy: "see `ip -4 address`, connect the network or correct robots.NAME.interface")
    }

    static func noSocket(_ error: SocketError) -> PhaseFailure {
        PhaseFailure(
            code: "port_taken", reason: error.description,
            causes: ["another program that looks for robots is running on this machine"],
            remedy: "end that program, or set the robot's address instead of its serial number")
    }

    static let cancelled = PhaseFailure(
        code: "cancelled", reason: "the search was called off", causes: [], remedy: "none is needed")
}
