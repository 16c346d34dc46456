internal import Core
internal import MediaLoop

/// One viewer that came over WHEP: the HTTP resource behind its `Location`.
struct WHEPSession: Sendable {
    var audience: Audience
    var viewer: ViewerID
    /// Names the ICE session; a restart makes a new one.
    var entityTag: String
    /// The browser's last offer, which a restart is worked into.
    var offer: String
    /// The browser's ICE user name fragment.
    var usernameFragment: String
}

/// What a WHEP request is answered with where it is refused.
package struct WHEPProblem: Error, Equatable, Sendable {
    package var status: Int
    package var detail: String

    init(_ status: Int, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    init(_ error: ViewerError) {
        let status =
            switch error.code {
            case .invalidOffer: 400
            case .stageUnknown, .viewerUnknown: 404
            case .limitReached, .draining, .relayUnavailable: 503
            }
        self.init(status, error.reason)
    }
}

extension SignalingService {
    /// Whom a stage's name in a WHEP URL means, if the bearer token lets the request in, and as what client where the stage is
    /// a robot's.
    func admit(
        toStage name: String, token: String?
    ) throws(WHEPProblem) -> (audience: Audience, client: RobotClient?) {
        guard name.hasPrefix(Self.robotStagePrefix) else { return (try audience(ofStage: name, token: token), nil) }
        let robot = String(name.dropFirst(Self.robotStagePrefix.count))
        do throws(RobotRefusal) {
            return (.robot(robot), try robotClient(robot, token: token))
        } catch {
            robotMetrics.count(error.code)
            throw WHEPProblem(error.code.status, error.detail)
        }
    }

    private static var robotStagePrefix: String { "robot:" }

    private func audience(ofStage name: String, token: String?) throws(WHEPProblem) -> Audience {
        if name == configuration.publicStage {
            guard let expected = configuration.whepToken else { return .everyone(name) }
            guard let token, constantTimeEquals(Array(expected.utf8), Array(token.utf8)) else {
                throw WHEPProblem(401, "The bearer token is missing or wrong")
            }
            return .everyone(name)
        }
        let id = SessionID(name)
        guard session(id) != nil else { throw WHEPProblem(404, "There is no stage of that name") }
        guard authenticate(id, token: token) != nil else {
            throw WHEPProblem(401, "A session's stage needs its engine_token as bearer token")
        }
        return .session(id)
    }

    /// Makes a viewer of an offer; the answer holds all candidates, since WHEP has no way to send more.
    func beginWHEP(
        _ audience: Audience, client: RobotClient? = nil, offer: String, remoteAddress: IPAddress
    ) async throws(WHEPProblem) -> (resource: String, entityTag: String, sdp: String) {
        guard !isDraining else { throw WHEPProblem(503, "The server is shutting down") }
        let fragment: SDPFragment
        do throws(SDPFragment.ParseError) {
            fragment = try SDPFragment(Array(offer.utf8))
        } catch {
            throw WHEPProblem(400, "The body is no SDP offer with ICE credentials")
        }
        if client == nil {
            do throws(StageFailure) {
                _ = try await openStage(for: audience, avatarID: nil)
            } catch {
                throw WHEPProblem(503, "\(error.reason) (\(error.remedy))")
            }
        }
        // A robot's stage is there as long as the robot, and is opened by nobody here.
        let generation = generation(of: audience)
        let answer: ViewerAnswer
        do throws(ViewerError) {
            answer = try await media.addViewer(
                stage: audience.stage, offer: offer, remoteAddress: remoteAddress, includeCandidates: true,
                extras: extras(for: audience, client: client, offer: offer, remoteAddress: remoteAddress))
        } catch {
            throw WHEPProblem(error)
        }
        guard self.generation(of: audience) == generation else {
            media.removeViewer(answer.id, reason: "session ended")
            throw WHEPProblem(404, "The session ended")
        }
        let resource = random.token(bits: 128)
        let session = WHEPSession(
            audience: audience, viewer: answer.id, entityTag: "\"\(random.token(bits: 64))\"", offer: offer,
            usernameFragment: fragment.usernameFragment)
        whepSessions[resource] = session
        Task {
            // The events end when the viewer is gone; its resource goes with it.
            for await _ in answer.events {}
            whepSessions.removeValue(forKey: resource)
        }
        return (resource, session.entityTag, answer.sdp)
    }

    /// Adds candidates (nil) or restarts ICE (the reply's body and the new entity tag).
    func patchWHEP(
        _ resource: String, of audience: Audience, ifMatch: String?, body: [UInt8]
    ) async throws(WHEPProblem) -> (text: String, entityTag: String)? {
        guard let session = whepSessions[resource], session.audience == audience else { throw Self.noSuchViewer }
        guard let ifMatch else { throw WHEPProblem(428, "If-Match with the ICE session's entity tag is required") }
        guard ifMatch == "*" || ifMatch == session.entityTag else {
            throw WHEPProblem(412, "The ICE session has another entity tag")
        }
        let fragment: SDPFragment
        do throws(SDPFragment.ParseError) {
            fragment = try SDPFragment(body)
        } catch {
            throw WHEPProblem(400, "The SDP fragment cannot be read: \(error)")
        }
        if fragment.usernameFragment != session.usernameFragment {
            return try await restart(session, resource, fragment)
        }
        for line in fragment.candidates {
            // What does not parse or is not allowed is passed over, as the draft demands.
            _ = await media.addRemoteCandidate(viewer: session.viewer, line: line)
        }
        if fragment.endsCandidates { media.endOfCandidates(viewer: session.viewer) }
        return nil
    }

    private func restart(
        _ session: WHEPSession, _ resource: String, _ fragment: SDPFragment
    ) async throws(WHEPProblem) -> (text: String, entityTag: String) {
        let offer = fragment.restarting(session.offer)
        let sdp: String
        do throws(ViewerError) {
            let answer = try await media.renegotiate(viewer: session.viewer, offer: offer, microphone: nil)
            // The fragment must hold every candidate, in the answer's text or beside it.
            sdp = answer.sdp + answer.candidates.map { "a=\($0.candidate)\r\n" }.joined()
        } catch {
            throw WHEPProblem(error)
        }
        guard var reply = try? SDPFragment(Array(sdp.utf8)) else {
            throw WHEPProblem(422, "ICE cannot be restarted on this session")
        }
        reply.endsCandidates = true
        let entityTag = "\"\(random.token(bits: 64))\""
        whepSessions[resource]?.offer = offer
        whepSessions[resource]?.usernameFragment = fragment.usernameFragment
        whepSessions[resource]?.entityTag = entityTag
        return (reply.text, entityTag)
    }

    func endWHEP(_ resource: String, of audience: Audience) throws(WHEPProblem) {
        guard let session = whepSessions[resource], session.audience == audience else { throw Self.noSuchViewer }
        whepSessions.removeValue(forKey: resource)
        media.removeViewer(session.viewer, reason: "viewer said goodbye")
    }

    private static var noSuchViewer: WHEPProblem { WHEPProblem(404, "There is no such viewer") }
}
