internal import Core
internal import MediaLoop

/// Says what it means that a phase does not end: the likeliest causes first, and what mends it.
///
/// The signatures are those that owners of robots have reported; docs/go2.md tells them.
enum PhaseDiagnosis {
    /// A phase has taken as long as it may.
    static func timeout(of phase: RobotPhase, after limit: Duration, _ facts: ConnectionFacts) -> PhaseFailure {
        let seconds = "\(Int(limit.seconds.rounded())) s"
        return switch phase {
        case .discovery: discovery(seconds)
        case .signaling: signaling(seconds)
        case .ice: noPath(facts)
        case .dtls: noHandshake(facts, seconds)
        case .sctp: noAssociation(facts, seconds)
        case .validation: noValidation(facts, seconds)
        case .media: noPicture(facts, seconds)
        }
    }

    /// A call has failed in a phase before its time was over.
    static func failure(in phase: RobotPhase, _ failure: CallFailure, _ facts: ConnectionFacts) -> PhaseFailure {
        switch failure.code {
        case .noPath: return noPath(facts)
        case .fingerprint:
            return PhaseFailure(
                code: "fingerprint_mismatch",
                reason: "the robot's DTLS certificate is not the one that its answer names",
                causes: [
                    "another device than the one that answered over HTTP replies at this address",
                    "the answer was changed on its way (a proxy between this machine and the robot)",
                ], remedy: "check that no two devices have the robot's address, then restart the robot")
        case .noCommonProfile:
            return PhaseFailure(
                code: "no_common_profile", reason: failure.reason,
                causes: ["firmware that this server does not know"],
                remedy: "send the bundle that avatar-streamer go2 diagnose writes")
        case .handshakeTimeout: return noHandshake(facts, "30 s")
        case .dtls:
            return PhaseFailure(
                code: "handshake_failed", reason: failure.reason,
                causes: [
                    "the robot refuses this server's certificate",
                    "the robot answers for a session that is over: its WebRTC service hangs",
                ], remedy: "restart the robot")
        }
    }

    /// The robot ended the association before the connection was ready.
    static func associationEnded(_ reason: String, _ facts: ConnectionFacts) -> PhaseFailure {
        if facts.channelState != "open", facts.initsSent > 1 { return noAssociation(facts, "the time that SCTP gives") }
        return PhaseFailure(
            code: "aborted", reason: "the robot ended the data channel: \(reason)",
            causes: [
                "the robot's WebRTC service is shutting down or starting anew",
                "the robot gave its only place to another client",
            ], remedy: "close the phone app; where it happens again, restart the robot")
    }

    /// What a watch says of whatever keeps the connection from being ready.
    static func stuck(
        in phase: RobotPhase, since elapsed: Duration, attempt: Int, _ facts: ConnectionFacts, cause: PhaseFailure
    ) -> PhaseFailure {
        var failure = cause
        let seconds = Int(elapsed.seconds.rounded())
        failure.reason =
            "not connected after \(seconds) s (attempt \(attempt)), stuck in phase \(phase.rawValue): "
            + "\(facts.states); \(cause.reason)"
        return failure
    }

    private static func discovery(_ seconds: String) -> PhaseFailure {
        PhaseFailure(
            code: "no_answer", reason: "no robot with this serial number answered within \(seconds)",
            causes: [
                "the robot is off, or in another network than this machine",
                "the network does not carry multicast (guest Wi-Fi, client isolation, a container's bridge)",
                "the serial number is wrong",
            ], remedy: "give the robot's address instead: robots.NAME.address")
    }

    private static func signaling(_ seconds: String) -> PhaseFailure {
        PhaseFailure(
            code: "timeout", reason: "offer and answer took longer than \(seconds)",
            causes: [
                "the robot's signaling service hangs", "the address belongs to another device",
                "a weak Wi-Fi link loses most packets",
            ], remedy: "restart the robot, and check its address in the phone app")
    }

    private static func noPath(_ facts: ConnectionFacts) -> PhaseFailure {
        let named = facts.remoteCandidates
        if named.isEmpty {
            return PhaseFailure(
                code: "no_candidates", reason: "the robot's answer names no address to reach it at",
                causes: [
                    "the robot's network was not up when its WebRTC service started",
                    "the robot's WebRTC service hangs",
                ], remedy: "restart the robot")
        }
        if facts.refusedCandidates.count >= named.count {
            return PhaseFailure(
                code: "unusable_candidates",
                reason: "no address that the robot's answer names is of use: "
                    + facts.refusedCandidates.prefix(4).joined(separator: "; "),
                causes: [
                    "the robot is in two networks, and this machine in neither of those that it names",
                    "the robot has no address on its Wi-Fi yet",
                ], remedy: "bring this machine into the robot's network, then restart the robot's Wi-Fi")
        }
        if facts.checksRefused > 0, facts.checksAuthenticated == 0 {
            return wrongCredentials(facts)
        }
        if facts.checksAuthenticated > 0 {
            return PhaseFailure(
                code: "one_way",
                reason: "the robot's checks arrive, but it does not answer this server's",
                causes: [
                    "the robot uses other ICE credentials than its answer names: it serves a former session",
                    "a firewall or NAT lets datagrams through in one direction only",
                ], remedy: "allow UDP in both directions between this machine and the robot, then restart the robot")
        }
        return PhaseFailure(
            code: "unreachable",
            reason: "no datagram of the robot arrives: it named "
                + named.prefix(4).map(\.description).joined(separator: ", ") + ", this server "
                + facts.localCandidates.prefix(4).map(\.description).joined(separator: ", "),
            causes: [
                "a firewall drops UDP between this machine and the robot",
                "the robot cannot reach this machine (container, WSL2, VPN, or two interfaces in one subnet)",
                "the Wi-Fi isolates its clients from each other",
                "the robot's WebRTC service hangs",
            ],
            remedy:
                "run this program on the robot's own network (container: --network host), allow UDP from the robot, "
                + "then restart the robot")
    }

    private static func wrongCredentials(_ facts: ConnectionFacts) -> PhaseFailure {
        PhaseFailure(
            code: "wrong_credentials",
            reason: "the robot's checks come with other ICE credentials than this server offered "
                + "(\(facts.checksRefused) refused)",
            causes: [
                "the robot still serves a former session, and answers for that one",
                "the offer was changed on its way (a proxy between this machine and the robot)",
            ], remedy: "wait 45 s for the former session to end, then restart the robot")
    }

    private static func noHandshake(_ facts: ConnectionFacts, _ seconds: String) -> PhaseFailure {
        guard facts.recordsReceived > 0 else {
            // Ours are answered, so a path seems to be there; the robot itself has none and waits.
            if facts.checksRefused > 0 { return wrongCredentials(facts) }
            return PhaseFailure(
                code: "silent",
                reason: "a path was found, but the robot did not begin the DTLS handshake within \(seconds)",
                causes: [
                    "the robot's WebRTC service hangs in a former session",
                    "large datagrams are lost on the way (MTU below 1,280)",
                ], remedy: "restart the robot")
        }
        return PhaseFailure(
            code: "handshake_timeout", reason: "the robot did not finish the DTLS handshake within \(seconds)",
            causes: [
                "large datagrams are lost on the way (MTU below 1,280, a weak Wi-Fi link)",
                "the robot answers for a session that is over",
            ], remedy: "bring the robot nearer to its access point, then restart it")
    }

    private static func noAssociation(_ facts: ConnectionFacts, _ seconds: String) -> PhaseFailure {
        if facts.isChannelRefused {
            return PhaseFailure(
                code: "channel_refused", reason: "the robot's answer refuses the data channel",
                causes: ["firmware that this server does not know", "the address belongs to another device"],
                remedy: "send the bundle that avatar-streamer go2 diagnose writes")
        }
        return PhaseFailure(
            code: "init_unanswered",
            reason: "DTLS is connected, but the robot did not answer SCTP within \(seconds): "
                + "INIT was sent \(facts.initsSent) times",
            causes: [
                "the robot refused this server's fingerprint in silence, and never started SCTP",
                "the robot's WebRTC service hangs in a former session",
            ], remedy: "restart the robot; where it stays so, send the bundle that avatar-streamer go2 diagnose writes")
    }

    private static func noValidation(_ facts: ConnectionFacts, _ seconds: String) -> PhaseFailure {
        if facts.validationAnswers == 0, facts.validationRefusals == 0 {
            return PhaseFailure(
                code: "no_challenge",
                reason: "the data channel is open, but the robot sent no challenge within \(seconds) "
                    + "(\(facts.messagesReceived) messages came)",
                causes: [
                    "the robot's WebRTC service is up, the services behind it are not yet",
                    "firmware that this server does not know",
                ], remedy: "wait until the robot stands and its app shows it as ready, else restart it")
        }
        return PhaseFailure(
            code: "not_accepted",
            reason: "the robot did not accept this server's answer to its challenge within \(seconds) "
                + "(answered \(facts.validationAnswers) times, refused \(facts.validationRefusals) times)",
            causes: [
                "firmware that wants another answer", "the phone app took the robot over at this moment",
            ],
            remedy: "close the phone app; where it stays so, send the bundle that avatar-streamer go2 diagnose writes")
    }

    /// A robot that had let us in wants to be answered again; meanwhile it takes no orders.
    static let revalidation = PhaseFailure(
        code: "validation_needed", reason: "the robot asks for validation again",
        causes: ["the robot's WebRTC service started anew", "the phone app took the robot over"],
        remedy: "none needed where the robot accepts the answer; else it is called again by itself")

    private static func noPicture(_ facts: ConnectionFacts, _ seconds: String) -> PhaseFailure {
        guard facts.picturePackets > 0 else {
            return PhaseFailure(
                code: "no_packets", reason: "the camera was switched on, but no packet of it came within \(seconds)",
                causes: [
                    "the robot's camera service does not run",
                    "the robot started its picture stream for another client",
                ], remedy: "restart the robot")
        }
        return PhaseFailure(
            code: "no_picture",
            reason: "\(facts.picturePackets) packets of the camera came within \(seconds), and no whole key frame",
            causes: [
                "a weak Wi-Fi link loses packets of every key frame", "the robot's encoder sends what is no H.264",
            ], remedy: "bring the robot nearer to its access point, else restart it")
    }
}
