internal import Core
internal import Glibc
internal import Networking

/// What can go wrong with a robot's signaling, each with its causes and what mends it.
enum RobotSignalingFailure {
    /// Why no TCP connection stands, on one of the two ports.
    enum Unconnected: Hashable {
        case refused, unreachable, timedOut
    }

    /// Nil where the robot was connected to, or it is nobody's fault.
    static func unconnected(_ error: HTTPClientError) -> Unconnected? {
        switch error.code {
        case .connectionFailed:
            [EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EACCES, EADDRNOTAVAIL].contains(error.systemError)
                ? .unreachable : .refused
        case .timedOut(.connect): .timedOut
        default: nil
        }
    }

    /// Neither port takes a connection.
    static func unconnected(
        _ notify: Unconnected, _ offer: Unconnected, robot: RobotAddress, limits: RobotSignalingLimits
    ) -> PhaseFailure {
        let ports = "\(robot.notifyPort) and \(robot.offerPort)"
        if notify == .unreachable || offer == .unreachable {
            return PhaseFailure(
                code: "unreachable", reason: "no route leads to \(robot.ip)",
                causes: [
                    "this machine is not in the robot's network", "the address is wrong",
                    "two interfaces are in one subnet, and the route takes the other one",
                ],
                remedy: "join the robot's network, or correct the address: \(addressHint)")
        }
        if notify == .timedOut || offer == .timedOut {
            return PhaseFailure(
                code: "timeout",
                reason:
                    "nothing answers at \(robot.ip) on ports \(ports) within \(limits.connectTimeout) each",
                causes: [
                    "the robot is off, or not yet up (about a minute)", "the address is wrong or has changed",
                    "a firewall or the access point keeps clients apart",
                ],
                remedy: "see whether `ping \(robot.ip)` is answered; check the address: \(addressHint)")
        }
        return PhaseFailure(
            code: "refused", reason: "\(robot.ip) refuses connections on ports \(ports)",
            causes: [
                "the address is another machine's (at an EDU robot 192.168.123.18 is the dock's computer, not the robot)",
                "the robot's WebRTC service does not run or is still starting",
            ],
            remedy: "wait a minute and try again; check the address: \(addressHint); then restart the robot")
    }

    private static let addressHint =
        "a robot is 192.168.12.1 at its own access point and 192.168.123.161 on an EDU's cable; "
        + "`avatar-streamer go2 discover` lists the others"

    /// A connection that stood, but gave no answer.
    static func unanswered(
        _ error: HTTPClientError, request: String, limits: RobotSignalingLimits
    ) -> PhaseFailure {
        switch error.code {
        case .timedOut, .unresolvable:
            return PhaseFailure(
                code: "timeout", reason: "\(request) was not answered whole within \(limits.requestTimeout)",
                causes: [
                    "the phone app or another client is connecting at this moment", "the robot's signaling hangs",
                    "the radio link is very poor",
                ],
                remedy: "close the phone app and try again; restart the robot if it stays so")
        case .closedEarly, .connectionFailed:
            return PhaseFailure(
                code: "no_answer", reason: "the robot closed the connection of \(request) without a whole answer",
                causes: [
                    "the robot's signaling could not read the request: a firmware that is newer than this server",
                    "the robot's signaling is restarting", "the robot is being connected to by the phone app",
                ],
                remedy: "try again in 15 s; restart the robot if it stays so, and report its firmware's version")
        case .malformedAnswer:
            return notARobot("what answers \(request) does not speak HTTP")
        case .tooLarge:
            return notARobot("the answer to \(request) is larger than \(limits.maximumAnswerBytes) bytes")
        case .cancelled, .stopped:
            return PhaseFailure(
                code: "cancelled", reason: "\(request) was called off", causes: [], remedy: "none is needed")
        case .invalidRequest, .tlsFailed, .system:
            return PhaseFailure(
                code: "no_answer", reason: "\(request) could not be sent: \(error.reason)",
                causes: ["this machine has no memory or no sockets left"], remedy: "see the server's log")
        }
    }

    /// Throws where the status is no good one.
    static func check(_ response: HTTPClientResponse, request: String) throws(PhaseFailure) {
        switch response.status {
        case 200..<300:
            guard response.body.isEmpty else { return }
            throw PhaseFailure(
                code: "no_answer", reason: "the answer to \(request) is empty",
                causes: ["the robot's signaling is restarting", "the firmware is newer than this server"],
                remedy: "try again in 15 s; restart the robot if it stays so")
        case 429:
            throw PhaseFailure(
                code: "too_soon",
                reason: "the robot answered \(request) with status 429: too many connections in a row",
                causes: ["it was connected to within the last seconds", "several clients take turns at it"],
                remedy: "wait 15 s before the next attempt; the server does so by itself")
        case 500...:
            throw PhaseFailure(
                code: "no_answer", reason: "the robot answered \(request) with status \(response.status)",
                causes: ["the robot's signaling has a fault or is still starting"],
                remedy: "wait a minute and try again; then restart the robot")
        default:
            throw notARobot("\(request) was answered with status \(response.status)")
        }
    }

    private static func notARobot(_ reason: String) -> PhaseFailure {
        PhaseFailure(
            code: "not_a_robot", reason: reason,
            causes: ["another service than a robot's listens at this address", "a firmware that is not known yet"],
            remedy: "correct the address: \(addressHint)")
    }

    // MARK: Contents

    static func notice(_ error: RobotNotice.ParseError, data2: Int?, hasKey: Bool) -> PhaseFailure {
        switch error {
        case .wrongKey:
            guard data2 == 3 else {
                return PhaseFailure(
                    code: "key_rejected", reason: "the key common to all robots does not open this robot's answer",
                    causes: ["a firmware that is not known yet"],
                    remedy: "configure the robot's own key (robots.NAME.aes_key_file), as docs/go2.md tells")
            }
            if hasKey {
                return PhaseFailure(
                    code: "key_rejected", reason: "the configured key does not open this robot's answer",
                    causes: ["the key is another robot's", "the key was copied with a mistake"],
                    remedy: "get the key of this very robot again, as docs/go2.md tells, and compare its 32 digits")
            }
            return PhaseFailure(
                code: "key_required", reason: "the robot wants its own key (data2=3), and none is configured",
                causes: ["firmware 1.1.15 and later seal their signaling with a key of each robot"],
                remedy: "set robots.NAME.aes_key_file or aes_key_env; docs/go2.md tells how to get the key")
        case .unknownSeal(let number):
            return malformed("con_notify says data2=\(number), which is not known", isNewer: true)
        case .notJSON: return notARobot("the answer to con_notify is neither base64 nor JSON")
        case .noData: return notARobot("the answer to con_notify has no data1")
        case .malformedSeal: return malformed("data1 of con_notify is no sealed text", isNewer: true)
        case .noPublicKey: return malformed("data1 of con_notify holds no RSA key", isNewer: true)
        }
    }

    static func malformed(_ error: RobotEnvelope.ParseError) -> PhaseFailure {
        switch error {
        case .unreadable: malformed("the robot's answer cannot be opened", isNewer: true)
        case .noDescription: malformed("the robot's answer holds no SDP", isNewer: false)
        }
    }

    static func malformed(_ reason: String, isNewer: Bool = true) -> PhaseFailure {
        PhaseFailure(
            code: "malformed", reason: reason,
            causes: isNewer
                ? ["a firmware that is newer than this server", "another service than a robot's"]
                : ["the robot could not answer the offer", "the robot's signaling has a fault"],
            remedy: "restart the robot and try again; if it stays so, report it with "
                + "`avatar-streamer go2 diagnose ADDRESS --bundle FILE.tar.gz`")
    }

    /// The robot serves one client at a time, and has one.
    static let busy = PhaseFailure(
        code: "busy", reason: "the robot answered reject: another client holds its only connection",
        causes: [
            "the phone app is connected", "another program is connected",
            "a client that died without a goodbye still holds the connection, for 30 to 45 s",
        ],
        remedy: "close the phone app (not only its window), or wait 45 s; the server tries again every 15 s")
}
