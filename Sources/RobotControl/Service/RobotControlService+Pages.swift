internal import Core
internal import WebServer

/// What is served over plain HTTP beside Socket.IO.
extension RobotControlService {
    func addPages(to router: inout Router) {
        router.add(.get, "/") { _ in
            Self.json(
                .ok, ["service": "Robot Control System", "protocol": "Socket.IO", "status": "running"])
        }
        router.add(.get, "/healthz") { [weak self] _ in
            guard let self else { return .text(.serviceUnavailable, "stopped\n") }
            return healthz()
        }
        guard let root = configuration.webRoot else { return }
        let page = StaticFiles(root: root + "/control")
        router.add(.get, "/console") { _ in HTTPResponse(.permanentRedirect, headers: ["Location": "/console/"]) }
        router.add(.get, "/console/{path...}") { request in await page.respond(to: request) }
    }

    private func healthz() -> HTTPResponse {
        let state = runner.status.state.word
        guard let part = degraded.first else { return Self.json(.ok, ["status": "ok", "state": .string(state)]) }
        return Self.json(
            .serviceUnavailable, ["status": "degraded", "state": .string(state), "reason": .string(part.reason)])
    }

    private static func json(_ status: HTTPStatus, _ body: JSONValue) -> HTTPResponse {
        HTTPResponse(status, contentType: "application/json", Array(body.text.utf8))
    }
}
