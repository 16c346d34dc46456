package import Core
internal import MediaLoop
package import WebServer

/// The management HTTP API: health, ICE configuration, sessions, metrics.
///
/// The former service answered the same routes under several prefixes; all of them stay.
package struct ManagementAPI: Sendable {
    let service: SignalingService

    package init(service: SignalingService) {
        self.service = service
    }

    package func add(to router: inout Router) {
        router.add(.get, "/health") { _ in await health(showsConnections: false) }
        router.add(.get, "/metrics") { _ in metrics() }
        for path in ["/api/webrtc/config", "/v1/webrtc/config", "/mgmt/v1/webrtc/config", "/config"] {
            router.add(.get, path) { request in iceConfiguration(request) }
        }
        for prefix in ["/v1", "/mgmt/v1"] {
            addSessions(to: &router, prefix)
            addConversation(to: &router, prefix)
            addAvatars(to: &router, prefix)
            addRobots(to: &router, prefix)
        }
    }

    private func addSessions(to router: inout Router, _ prefix: String) {
        router.add(.post, "\(prefix)/sessions") { request in await managed(request, createSession) }
        router.add(.get, "\(prefix)/sessions") { request in await managed(request, listSessions) }
        router.add(.get, "\(prefix)/sessions/{id}") { request in await managed(request, showSession) }
        router.add(.delete, "\(prefix)/sessions/{id}") { request in await managed(request, deleteSession) }
    }

    /// Lets a request through where the management token, if one is configured, is right.
    func managed(
        _ request: HTTPRequest, _ handle: (HTTPRequest) async throws(RequestError) -> HTTPResponse
    ) async -> HTTPResponse {
        await answering { () async throws(RequestError) in
            guard service.configuration.managementToken == nil || hasManagementToken(request) else {
                throw RequestError(401, "The management token is missing or wrong")
            }
            return try await handle(request)
        }
    }

    func hasManagementToken(_ request: HTTPRequest) -> Bool {
        guard let expected = service.configuration.managementToken, let token = request.bearerToken else {
            return false
        }
        return constantTimeEquals(Array(expected.utf8), Array(token.utf8))
    }

    /// Turns refusals into answers.
    func answering(_ handle: () async throws(RequestError) -> HTTPResponse) async -> HTTPResponse {
        do throws(RequestError) {
            return try await handle()
        } catch {
            return refusal(error)
        }
    }

    private func refusal(_ error: RequestError) -> HTTPResponse {
        var response = HTTPResponse.json(HTTPStatus(error.status), ["detail": .string(error.detail)])
        if [429, 503].contains(error.status) {
            response.headers["Retry-After"] = String(service.configuration.retryAfterSeconds)
        }
        if error.status == 401 { response.headers["WWW-Authenticate"] = "Bearer" }
        return response
    }

    /// What an unknown route is answered.
    package static var notFound: HTTPResponse { .json(.notFound, ["detail": "Not Found"]) }

    // MARK: Sessions

    private func createSession(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let session = try await service.createSession(try SessionRequest(body: request.body))
        return .json(
            .created,
            [
                "session_id": .string(session.id.value),
                "engine_url": .string("\(service.configuration.publicWebSocketURL)/ws/\(session.id)"),
                "engine_token": .string(session.token), "status": "active",
            ])
    }

    private func listSessions(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        let sessions = await service.allSessions
        return .json(.ok, ["total": JSONValue(sessions.count), "sessions": .array(sessions.map(\.json))])
    }

    private func showSession(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        guard let session = await service.session(sessionID(request)) else { throw Self.sessionNotFound }
        return .json(.ok, session.json)
    }

    private func deleteSession(_ request: HTTPRequest) async throws(RequestError) -> HTTPResponse {
        guard await service.removeSession(sessionID(request)) else { throw Self.sessionNotFound }
        return HTTPResponse(.noContent)
    }

    func sessionID(_ request: HTTPRequest) -> SessionID {
        SessionID(request.parameters["id"] ?? "")
    }

    static let sessionNotFound = RequestError(404, "Session not found")

    // MARK: ICE

    /// `/api/webrtc/config`: a view of the server's own ICE settings, with fresh credentials in each answer.
    ///
    /// `?transport=tcp` (new, optional) asks for TURN over TCP, for networks that let no UDP out.
    private func iceConfiguration(_ request: HTTPRequest) -> HTTPResponse {
        var configuration = service.media.browserConfiguration(name: service.random.token(bits: 64))
        if request.query["transport"] == "tcp" {
            for index in configuration.iceServers.indices {
                configuration.iceServers[index].urls = configuration.iceServers[index].urls.map { url in
                    url.hasPrefix("turn:") && !url.contains("?") ? "\(url)?transport=tcp" : url
                }
            }
        }
        var response = HTTPResponse.json(.ok, configuration.json)
        response.headers["Cache-Control"] = "no-store"
        return response
    }

    // MARK: State

    private func metrics() -> HTTPResponse {
        HTTPResponse(
            .ok, contentType: "text/plain; version=0.0.4; charset=utf-8",
            Array(service.metrics.prometheusText().utf8))
    }

    /// `/health` of both ports. 503 only while draining: what is merely degraded still serves.
    package func health(showsConnections: Bool) async -> HTTPResponse {
        let summary = await service.media.summary()
        let degraded = await service.degraded
        let isDraining = await service.isDraining
        let uptime = (service.clock.now() - service.startedAt).seconds
        var members: [String: JSONValue] = [
            "status": isDraining ? "draining" : degraded.isEmpty ? "healthy" : "degraded",
            "service": .string(service.configuration.serviceName),
            "active_sessions": JSONValue(await service.sessions.count),
            "max_sessions": JSONValue(service.configuration.maximumSessions),
            "degraded": .array(degraded.map(\.json)),
            "versions": .object(service.configuration.versions.mapValues(JSONValue.string)),
            "uptime_seconds": .integer(Int64(uptime)), "viewers": JSONValue(summary.viewers),
            "stages": JSONValue(summary.stages),
            "conversation": service.media.conversationNames.json, "robots": await service.robotsHealth,
            "relay": ["state": .string(summary.relayState), "allocations": JSONValue(summary.allocations)],
        ]
        if showsConnections { members["active_connections"] = JSONValue(await service.connectionCount) }
        var response = HTTPResponse.json(isDraining ? .serviceUnavailable : .ok, .object(members))
        response.headers["Cache-Control"] = "no-store"
        if isDraining { response.headers["Retry-After"] = String(service.configuration.retryAfterSeconds) }
        return response
    }
}

extension DegradedPart {
    var json: JSONValue {
        ["part": .string(part), "reason": .string(reason), "remedy": .string(remedy)]
    }
}

extension ConversationNames {
    var json: JSONValue {
        ["voice": .string(voice), "hearing": .string(hearing), "answering": .string(answering)]
    }
}

extension BrowserICEConfiguration {
    /// The answer of `/api/webrtc/config`; field names are the former service's.
    package var json: JSONValue {
        [
            "iceServers": .array(
                iceServers.map { server in
                    var members: [String: JSONValue] = ["urls": .array(server.urls.map(JSONValue.string))]
                    if let username = server.username { members["username"] = .string(username) }
                    if let credential = server.credential { members["credential"] = .string(credential) }
                    return .object(members)
                }),
            "iceTransportPolicy": .string(iceTransportPolicy), "publicIp": .string(publicIp),
            "portRange": [
                "min": JSONValue(Int(portRange.lowerBound)), "max": JSONValue(Int(portRange.upperBound)),
            ],
            "sdpSemantics": "unified-plan",
        ]
    }
}

extension Router {
    /// A router whose own errors (404, 405, 413 …) have the former service's shape, `{"detail": …}`.
    package static func answeringInJSON() -> Router {
        var router = Router()
        router.errorBody = { _, reason in
            let body: JSONValue = ["detail": .string(reason)]
            return ("application/json", Array(body.text.utf8))
        }
        return router
    }
}

extension HTTPResponse {
    static func json(_ status: HTTPStatus, _ value: JSONValue) -> HTTPResponse {
        HTTPResponse(status, contentType: "application/json", Array(value.text.utf8))
    }
}
