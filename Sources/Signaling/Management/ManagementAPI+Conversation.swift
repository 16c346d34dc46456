internal import Conversation
internal import Core
internal import MediaPipeline
internal import WebServer

/// Routes for servers that drive an avatar: speak, interrupt, events.
extension ManagementAPI {
    func addConversation(to router: inout Router, _ prefix: String) {
        let session = "\(prefix)/sessions/{id}"
        router.add(.post, "\(session)/speak", bodyLimit: ClientMessageLimits.message) { request in
            await driven(request, speak)
        }
        router.add(.post, "\(session)/interrupt") { request in await driven(request, interrupt) }
        router.add(.get, "\(session)/events") { request in await driven(request, events) }
    }

    /// Lets a request through that has the management token or the session's own.
    private func driven(
        _ request: HTTPRequest, _ handle: (HTTPRequest, Audience) async throws(RequestError) -> HTTPResponse
    ) async -> HTTPResponse {
        await answering { () async throws(RequestError) in
            let id = sessionID(request)
            guard await service.session(id) != nil else { throw Self.sessionNotFound }
            let isAdmitted =
                hasManagementToken(request) ? true : await service.authenticate(id, token: request.bearerToken) != nil
            guard isAdmitted else { throw RequestError(401, "The session's engine_token is needed as bearer token") }
            await service.touch(id)
            return try await handle(request, .session(id))
        }
    }

    private func speak(_ request: HTTPRequest, _ audience: Audience) async throws(RequestError) -> HTTPResponse {
        let speech = try SpeechRequest.parse(request.body)
        guard await service.viewerCount(on: audience) > 0 else {
            throw RequestError(409, "Nobody watches the session: a viewer must connect first")
        }
        do throws(StageFailure) {
            let utterance = try await service.say(speech, on: audience)
            return .json(.accepted, ["utterance_id": .string(utterance.value)])
        } catch {
            throw RequestError(error)
        }
    }

    private func interrupt(_ request: HTTPRequest, _ audience: Audience) async throws(RequestError) -> HTTPResponse {
        let interrupted = await service.interrupt(audience).map { interruption -> JSONValue in
            [
                "utterance_id": .string(interruption.utterance.value),
                "playback_position_ms": .integer(interruption.position.nanoseconds / 1_000_000),
            ]
        }
        return .json(.ok, ["interrupted": .array(interrupted)])
    }

    private func events(_ request: HTTPRequest, _ audience: Audience) async throws(RequestError) -> HTTPResponse {
        do throws(StageFailure) {
            let (stage, _) = try await service.openStage(for: audience, avatarID: nil)
            let clock = service.clock
            let body = ServerSentEvents.stream(service.media.conversationEvents(of: stage)) { clock.wallTime() }
            return HTTPResponse(
                .ok, headers: ["Content-Type": "text/event-stream", "Cache-Control": "no-store"], body: .stream(body))
        } catch {
            throw RequestError(error)
        }
    }
}

extension RequestError {
    init(_ failure: StageFailure) {
        let status =
            switch failure.kind {
            case .unusableInput: 422
            case .busy: 429
            case .unavailable: 503
            }
        self.init(status, "\(failure.reason) (\(failure.remedy))")
    }
}
