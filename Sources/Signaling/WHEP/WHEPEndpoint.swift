internal import Core
internal import MediaLoop
package import WebServer

/// WebRTC-HTTP egress: one POST and a standard player watches a stage.
///
/// - SeeAlso: [draft-ietf-wish-whep](https://datatracker.ietf.org/doc/draft-ietf-wish-whep/), `docs/protocols/whep.md`
package struct WHEPEndpoint: Sendable {
    private let service: SignalingService

    package init(service: SignalingService) {
        self.service = service
    }

    private static let endpoint = "/whep/{stage}"
    private static let resource = "/whep/{stage}/{viewer}"
    private static let fragmentType = "application/trickle-ice-sdpfrag"

    package func add(to router: inout Router) {
        router.add(.post, Self.endpoint, bodyLimit: ClientMessageLimits.sdp) { request in
            await answering { () throws(WHEPProblem) in try await begin(request) }
        }
        router.add(.options, Self.endpoint) { _ in
            Self.options(["Accept-Post": "application/sdp"], methods: "POST, GET, HEAD, OPTIONS")
        }
        router.add(.patch, Self.resource, bodyLimit: SDPFragment.maximumLength) { request in
            await answering { () throws(WHEPProblem) in try await patch(request) }
        }
        router.add(.delete, Self.resource) { request in
            await answering { () throws(WHEPProblem) in try await end(request) }
        }
        router.add(.options, Self.resource) { _ in
            Self.options(["Accept-Patch": Self.fragmentType], methods: "PATCH, DELETE, GET, HEAD, OPTIONS")
        }
        // The draft keeps GET for later: it succeeds without content.
        for path in [Self.endpoint, Self.resource] {
            router.add(.get, path) { request in
                await answering { () throws(WHEPProblem) in
                    _ = try await audience(of: request)
                    return HTTPResponse(.noContent)
                }
            }
        }
    }

    // MARK: Requests

    private func begin(_ request: HTTPRequest) async throws(WHEPProblem) -> HTTPResponse {
        let (audience, client) = try await admit(request)
        guard request.mediaType == "application/sdp" else {
            throw WHEPProblem(415, "Content-Type must be application/sdp")
        }
        guard Self.accepts("application/sdp", request.headers["Accept"]) else {
            throw WHEPProblem(406, "The answer is application/sdp, which Accept rules out")
        }
        let (resource, entityTag, sdp) = try await service.beginWHEP(
            audience, client: client, offer: String(decoding: request.body, as: UTF8.self),
            remoteAddress: request.remoteAddress.ip)
        let stage = request.parameters["stage"] ?? ""
        var response = HTTPResponse(.created, contentType: "application/sdp", Array(sdp.utf8))
        response.headers["Location"] = "/whep/\(stage)/\(resource)"
        response.headers["ETag"] = entityTag
        response.headers["Accept-Patch"] = Self.fragmentType
        response.headers["Cache-Control"] = "no-store"
        for link in Self.links(service.media.browserConfiguration(name: service.random.token(bits: 64))) {
            response.headers.append("Link", link)
        }
        return response
    }

    private func patch(_ request: HTTPRequest) async throws(WHEPProblem) -> HTTPResponse {
        let audience = try await audience(of: request)
        guard request.mediaType == Self.fragmentType else {
            throw WHEPProblem(415, "Content-Type must be \(Self.fragmentType)")
        }
        let restarted = try await service.patchWHEP(
            request.parameters["viewer"] ?? "", of: audience, ifMatch: request.headers["If-Match"],
            body: request.body)
        guard let restarted else { return HTTPResponse(.noContent) }
        return HTTPResponse(
            .ok, headers: ["ETag": restarted.entityTag], contentType: Self.fragmentType, Array(restarted.text.utf8))
    }

    private func end(_ request: HTTPRequest) async throws(WHEPProblem) -> HTTPResponse {
        try await service.endWHEP(request.parameters["viewer"] ?? "", of: try await audience(of: request))
        return HTTPResponse(.ok)
    }

    private func audience(of request: HTTPRequest) async throws(WHEPProblem) -> Audience {
        try await admit(request).audience
    }

    private func admit(_ request: HTTPRequest) async throws(WHEPProblem) -> (audience: Audience, client: RobotClient?) {
        try await service.admit(toStage: request.parameters["stage"] ?? "", token: request.bearerToken)
    }

    // MARK: Fields

    /// The answer to OPTIONS, which is a browser's preflight as well; whose pages may read it is the listener's policy.
    private static func options(_ headers: HTTPHeaders, methods: String) -> HTTPResponse {
        var response = HTTPResponse(.ok, headers: headers)
        response.headers["Allow"] = methods
        response.headers["Access-Control-Allow-Methods"] = methods
        response.headers["Access-Control-Allow-Headers"] = "Content-Type, Authorization, If-Match, Accept"
        response.headers["Access-Control-Max-Age"] = "600"
        return response
    }

    /// Problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) for whatever was refused.
    private func answering(_ handle: () async throws(WHEPProblem) -> HTTPResponse) async -> HTTPResponse {
        do throws(WHEPProblem) {
            return try await handle()
        } catch {
            let status = HTTPStatus(error.status)
            let body: JSONValue = [
                "type": "about:blank", "title": .string(status.reasonPhrase), "status": JSONValue(error.status),
                "detail": .string(error.detail),
            ]
            var response = HTTPResponse(status, contentType: "application/problem+json", Array(body.text.utf8))
            if error.status == 401 { response.headers["WWW-Authenticate"] = "Bearer" }
            if error.status == 503 {
                response.headers["Retry-After"] = String(service.configuration.retryAfterSeconds)
            }
            return response
        }
    }

    /// Whether an `Accept` field lets a media type through ([RFC 9110 §12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
    static func accepts(_ type: String, _ field: String?) -> Bool {
        guard let field, !field.isEmpty else { return true }
        let family = type.prefix { $0 != "/" }
        return field.lowercased().split(separator: ",").contains { range in
            let parts = range.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            guard let name = parts.first, [type, "\(family)/*", "*/*"].contains(name) else { return false }
            return !parts.dropFirst().contains { $0.hasPrefix("q=0") && Double($0.dropFirst(2)) == 0 }
        }
    }

    /// One `Link` field per ICE server ([RFC 9725 §4.6](https://www.rfc-editor.org/rfc/rfc9725#section-4.6)).
    static func links(_ configuration: BrowserICEConfiguration) -> [String] {
        configuration.iceServers.flatMap { server in
            server.urls.map { url in
                var link = "<\(url)>; rel=\"ice-server\""
                if let username = server.username, let credential = server.credential {
                    link += "; username=\"\(quoted(username))\"; credential=\"\(quoted(credential))\""
                    link += "; credential-type=\"password\""
                }
                return link
            }
        }
    }

    private static func quoted(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if character == "\"" || character == "\\" { result.append("\\") }
            result.append(character)
        }
    }
}
