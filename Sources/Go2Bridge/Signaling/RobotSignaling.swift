package import Core
package import Networking

/// Offer and answer over a robot's own HTTP, of every generation of its firmware.
///
/// Port 9991 is asked first, then 8081. Every request has a TCP connection of its own: robots close theirs without saying so.
package struct RobotSignaling: Sendable {
    /// Hears what is found, as it is found. Lines never hold a key or an SDP.
    package typealias Witness = @Sendable (String) -> Void

    private let client: HTTPClient
    private let limits: RobotSignalingLimits
    private let random: RandomSource

    package init(
        client: HTTPClient = .shared, limits: RobotSignalingLimits = RobotSignalingLimits(),
        random: RandomSource = .system
    ) {
        self.client = client
        self.limits = limits
        self.random = random
    }

    /// Hands the robot an offer with all of its candidates, and returns its answer. Cancelling the task calls it off.
    ///
    /// - Parameter witness: hears each line of evidence, also where the exchange fails later.
    /// - Throws: a failure whose code is `refused`, `unreachable`, `timeout`, `no_answer`, `too_soon`, `busy`,
    ///   `key_required`, `key_rejected`, `not_a_robot`, `malformed`, or `cancelled`.
    package func exchange(
        offer: String, with robot: RobotAddress, witness: @escaping Witness = { _ in }
    ) async throws(PhaseFailure) -> SignalingAnswer {
        let log = EvidenceLog(witness)
        let notice: HTTPClientResponse
        do {
            notice = try await post("con_notify", to: robot, port: robot.notifyPort, log: log)
        } catch {
            guard let first = RobotSignalingFailure.unconnected(error) else {
                throw RobotSignalingFailure.unanswered(error, request: "con_notify", limits: limits)
            }
            return try await plainExchange(offer, robot, notifying: first, log)
        }
        let (publicKey, path, data2) = try read(notice, robot, log)
        let envelope = RobotEnvelope(random: random)
        let text = RobotEnvelope.text(offer: offer, isAccessPoint: robot.isAccessPoint)
        guard let body = envelope.sealed(text, publicKeyDER: publicKey) else {
            throw RobotSignalingFailure.malformed("the robot's RSA key cannot be used")
        }
        let response = try await answered(
            path, to: robot, port: robot.notifyPort, contentType: "application/x-www-form-urlencoded", body: body, log)
        let reply: RobotEnvelope.Reply
        do {
            reply = try envelope.reply(opening: response.body)
        } catch {
            throw RobotSignalingFailure.malformed(error)
        }
        return try answer(reply, .notify(data2: data2), log)
    }

    // MARK: The generations

    /// Firmware before 1.1: the envelope in clear.
    private func plainExchange(
        _ offer: String, _ robot: RobotAddress, notifying first: RobotSignalingFailure.Unconnected, _ log: EvidenceLog
    ) async throws(PhaseFailure) -> SignalingAnswer {
        let body = RobotEnvelope.text(offer: offer, isAccessPoint: robot.isAccessPoint)
        let response: HTTPClientResponse
        do {
            response = try await post(
                "offer", to: robot, port: robot.offerPort, contentType: "application/json", body: body, log: log)
        } catch {
            guard let second = RobotSignalingFailure.unconnected(error) else {
                throw RobotSignalingFailure.unanswered(error, request: "offer", limits: limits)
            }
            throw RobotSignalingFailure.unconnected(first, second, robot: robot, limits: limits)
        }
        try RobotSignalingFailure.check(response, request: "offer")
        let reply: RobotEnvelope.Reply
        do {
            reply = try RobotEnvelope.reply(response.body)
        } catch {
            throw RobotSignalingFailure.malformed(error)
        }
        return try answer(reply, .plain, log)
    }

    /// What `con_notify` says.
    private func read(
        _ response: HTTPClientResponse, _ robot: RobotAddress, _ log: EvidenceLog
    ) throws(PhaseFailure) -> (publicKey: [UInt8], path: String, data2: Int) {
        try RobotSignalingFailure.check(response, request: "con_notify")
        var data2: Int?
        do {
            let notice = try RobotNotice(parsing: response.body)
            data2 = notice.data2
            log.add("con_notify says data2=\(notice.data2)")
            let (text, opening) = try notice.opened(key: robot.key)
            switch opening {
            case .unsealed: log.add("the robot's RSA key is not sealed")
            case .commonKey: log.add("the robot's RSA key was opened with the key common to all robots")
            case .ownKey: log.add("the robot's RSA key was opened with the configured key")
            }
            let (publicKey, digits) = try RobotNotice.contents(of: text)
            return (publicKey, "con_ing_\(digits)", notice.data2)
        } catch {
            throw RobotSignalingFailure.notice(error, data2: data2, hasKey: robot.key != nil)
        }
    }

    private func answer(
        _ reply: RobotEnvelope.Reply, _ generation: RobotGeneration, _ log: EvidenceLog
    ) throws(PhaseFailure) -> SignalingAnswer {
        switch reply {
        case .rejected:
            log.add("the robot answered reject")
            throw RobotSignalingFailure.busy
        case .answer(let sdp):
            log.add("the robot answered with an SDP of \(sdp.utf8.count) bytes")
            return SignalingAnswer(sdp: sdp, generation: generation, evidence: log.lines)
        }
    }

    // MARK: Requests

    private func answered(
        _ path: String, to robot: RobotAddress, port: UInt16, contentType: String, body: String, _ log: EvidenceLog
    ) async throws(PhaseFailure) -> HTTPClientResponse {
        let request = Self.name(of: path)
        let response: HTTPClientResponse
        do {
            response = try await post(path, to: robot, port: port, contentType: contentType, body: body, log: log)
        } catch {
            throw RobotSignalingFailure.unanswered(error, request: request, limits: limits)
        }
        try RobotSignalingFailure.check(response, request: request)
        return response
    }

    private static func name(of path: String) -> String {
        path.hasPrefix("con_ing_") ? "con_ing" : path
    }

    private func post(
        _ path: String, to robot: RobotAddress, port: UInt16, contentType: String? = nil, body: String = "",
        log: EvidenceLog
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        var request = HTTPClientRequest(
            .post, "http://\(SocketAddress(robot.ip, port))/\(path)", body: Array(body.utf8), isRepeatable: false)
        if let contentType { request.headers["Content-Type"] = contentType }
        request.usesFreshConnection = true
        request.connectTimeout = limits.connectTimeout
        request.firstByteTimeout = limits.requestTimeout
        request.idleTimeout = limits.requestTimeout
        request.totalTimeout = limits.requestTimeout
        request.maximumResponseBytes = limits.maximumAnswerBytes
        // The digits of the path are the robot's own: evidence names the request alone.
        let name = Self.name(of: path)
        let began = SystemClock.now()
        func time() -> String { "\(Int((SystemClock.now() - began).milliseconds)) ms" }
        do {
            let response = try await client.send(request)
            log.add(
                "port \(port) answered \(name) with status \(response.status) and \(response.body.count) bytes in \(time())"
            )
            return response
        } catch {
            let what =
                switch RobotSignalingFailure.unconnected(error) {
                case .refused: "refuses connections"
                case .unreachable: "is not reached by any route"
                case .timedOut: "does not answer"
                case nil: "took \(name) and failed: \(error.reason)"
                }
            log.add("port \(port) \(what) (\(time()))")
            throw error
        }
    }
}

extension RobotAddress {
    /// What a robot's own access point always has.
    var isAccessPoint: Bool { ip == .v4(0xC0A8_0C01) }
}
