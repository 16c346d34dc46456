internal import Core
internal import MediaLoop
package import WebServer

/// The WebSocket port: who may connect, as whom, and how frames reach the connection.
package struct SignalingRoutes: Sendable {
    private let service: SignalingService

    package init(service: SignalingService) {
        self.service = service
    }

    package func add(to router: inout Router) {
        // The former service mounted the same endpoint twice.
        for pattern in ["/ws/{connection_id}", "/ws/ws/{connection_id}"] {
            router.webSocket(pattern) { connection, parameters, incoming in
                await serve(connection, id: parameters["connection_id"] ?? "", incoming)
            }
        }
        router.add(.get, "/health") { _ in await ManagementAPI(service: service).health(showsConnections: true) }
    }

    private func serve(
        _ connection: WebSocketConnection, id: String, _ incoming: AsyncStream<WebSocketMessage>
    ) async {
        if await service.isDraining {
            connection.close(code: .goingAway, reason: "server is shutting down")
            return
        }
        guard let (audience, client) = await service.admit(id, token: connection.query["token"]) else {
            connection.close(code: .policyViolation, reason: "Invalid or missing token")
            return
        }
        let clock = service.clock
        let signaling = SignalingConnection(
            audience: audience, service: service, remoteAddress: connection.remoteAddress.ip, client: client,
            send: { message in connection.send(text: message.text(at: clock.wallTime())) },
            close: { code, reason in connection.close(code: WebSocketCloseCode(code), reason: reason) })
        await signaling.open()
        for await message in incoming {
            switch message {
            case .text(let text): await signaling.receive(Array(text.utf8), isText: true)
            case .binary(let bytes): await signaling.receive(bytes, isText: false)
            case .spooled: preconditionFailure("the signaling listener keeps its messages in memory")
            }
        }
        await signaling.closed()
    }
}

extension SignalingService {
    /// Who a connection id and its token let in, and as what client where it is a robot's; nil where they let nobody in.
    func admit(_ connectionID: String, token: String?) -> (Audience, RobotClient?)? {
        guard connectionID.hasPrefix(Self.robotPrefix) else {
            return audience(of: connectionID, token: token).map { ($0, nil) }
        }
        let name = String(connectionID.dropFirst(Self.robotPrefix.count))
        do throws(RobotRefusal) {
            return (.robot(name), try robotClient(name, token: token))
        } catch {
            robotMetrics.count(error.code)
            return nil
        }
    }

    private static var robotPrefix: String { "robot_" }

    /// Whom a connection id and its token stand for; nil where they are not let in.
    ///
    /// A session's id needs that session's own token. `user_…` needs the configured token, if there is one.
    package func audience(of connectionID: String, token: String?) -> Audience? {
        guard connectionID.utf8.count <= ClientMessageLimits.identifier else { return nil }
        if connectionID.hasPrefix("user_") {
            let name = connectionID.dropFirst("user_".count)
            guard !name.isEmpty else { return nil }
            if let expected = configuration.userToken {
                guard let token, constantTimeEquals(Array(expected.utf8), Array(token.utf8)) else { return nil }
            }
            return .user(String(name))
        }
        return authenticate(SessionID(connectionID), token: token).map { .session($0.id) }
    }
}
