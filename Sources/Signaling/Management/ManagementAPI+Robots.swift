internal import Core
internal import Go2Bridge
internal import Synchronization
internal import WebServer

/// Routes for whoever reads or drives a robot; see `docs/protocols/robot.md`.
extension ManagementAPI {
    func addRobots(to router: inout Router, _ prefix: String) {
        let robot = "\(prefix)/robots/{id}"
        router.add(.get, "\(prefix)/robots") { request in
            await answeringRobots { () async throws(RobotRefusal) in try await listRobots(request) }
        }
        router.add(.get, robot) { request in
            await answeringRobots { () async throws(RobotRefusal) in try await showRobot(request) }
        }
        router.add(.get, "\(robot)/topics") { request in
            await answeringRobots { () async throws(RobotRefusal) in try await listTopics(request) }
        }
        router.add(.get, "\(robot)/topics/{topic...}") { request in
            await answeringRobots { () async throws(RobotRefusal) in try await showTopic(request) }
        }
        router.add(.get, "\(robot)/events") { request in
            await answeringRobots { () async throws(RobotRefusal) in try await robotEvents(request) }
        }
        let orders:
            [(HTTPMethod, String, @Sendable (HTTPRequest, JSONValue) async throws(RobotRefusal) -> HTTPResponse)] = [
                (.post, "requests", askRobot), (.post, "webrtc_req", askRobot), (.post, "publish", publish),
                (.post, "move", move), (.post, "drive", acquireSeat), (.put, "drive", renewSeat),
                (.delete, "drive", releaseSeat), (.post, "{command}", command),
            ]
        for (method, path, handle) in orders {
            router.add(method, "\(robot)/\(path)", bodyLimit: RobotLimits.bodyBytes) { request in
                await answeringRobots { () async throws(RobotRefusal) in
                    try await handle(request, try Self.body(of: request))
                }
            }
        }
    }

    /// Turns refusals into answers, and counts them.
    private func answeringRobots(
        _ handle: () async throws(RobotRefusal) -> HTTPResponse
    ) async -> HTTPResponse {
        do throws(RobotRefusal) {
            return try await handle()
        } catch {
            service.robotMetrics.count(error.code)
            var response = HTTPResponse.json(HTTPStatus(error.code.status), error.json)
            if [429, 503].contains(error.code.status) {
                let seconds = error.retryAfterSeconds ?? service.configuration.retryAfterSeconds
                response.headers["Retry-After"] = String(seconds)
            }
            if error.code.status == 401 { response.headers["WWW-Authenticate"] = "Bearer" }
            return response
        }
    }

    /// The body's JSON object; an empty one where there is no body.
    private static func body(of request: HTTPRequest) throws(RobotRefusal) -> JSONValue {
        guard !request.body.isEmpty else { return .object([:]) }
        guard let json = JSONValue(parsing: request.body), case .object = json else {
            throw .invalid("The body must be a JSON object")
        }
        return json
    }

    /// Who asks: its token, and the lease that it names in the header or the body.
    private func client(
        _ request: HTTPRequest, needs scope: RobotScope, _ body: JSONValue = .null
    ) throws(RobotRefusal) -> RobotClient {
        let lease = request.headers["X-Drive-Lease"] ?? body["lease_id"]?.stringValue
        return try service.robotClient(
            request.parameters["id"] ?? "", token: request.bearerToken, needs: scope,
            lease: scope == .drive ? lease : nil)
    }

    // MARK: Reading

    private func listRobots(_ request: HTTPRequest) async throws(RobotRefusal) -> HTTPResponse {
        let access = service.robotAccess
        var robots: [JSONValue] = []
        for name in service.robots.keys.sorted() {
            guard try access.scope(of: name, token: request.bearerToken) != nil else { continue }
            robots.append(await service.robotJSON(try service.robotClient(name, token: request.bearerToken)))
        }
        return Self.fresh(["total": JSONValue(robots.count), "robots": .array(robots)])
    }

    private func showRobot(_ request: HTTPRequest) async throws(RobotRefusal) -> HTTPResponse {
        Self.fresh(await service.robotJSON(try client(request, needs: .watch)))
    }

    private func listTopics(_ request: HTTPRequest) async throws(RobotRefusal) -> HTTPResponse {
        let topics = try client(request, needs: .read).robot.topics.map { JSONValue.object($0.members) }
        return Self.fresh(["total": JSONValue(topics.count), "topics": .array(topics)])
    }

    private func showTopic(_ request: HTTPRequest) async throws(RobotRefusal) -> HTTPResponse {
        let client = try client(request, needs: .read)
        let name = RobotTopic.named(try RobotCall.topic(.string(request.parameters["topic"] ?? "")))
        guard request.query["stream"] == nil else { return try await events(client, topics: [name], showsState: false) }
        let found: TopicValue?
        do throws(RobotRequestError) {
            found = try await client.robot.value(of: name, patience: RobotLimits.topicPatience)
        } catch {
            throw RobotRefusal(error, client.robot.status)
        }
        guard let value = found ?? client.robot.topic(name) else {
            guard client.robot.status.isReady else { throw .notConnected(client.robot.status) }
            throw RobotRefusal(.topicSilent, "Nothing comes on \(name)")
        }
        var members = value.summary.members
        members["value"] = value.value
        return Self.fresh(.object(members))
    }

    private func robotEvents(_ request: HTTPRequest) async throws(RobotRefusal) -> HTTPResponse {
        let wanted = (request.query["topics"] ?? "").split(separator: ",").map(String.init)
        var topics: Set<String> = []
        for name in wanted { topics.insert(RobotTopic.named(try RobotCall.topic(.string(name)))) }
        let client = try client(request, needs: topics.isEmpty ? .watch : .read)
        return try await events(client, topics: topics, showsState: true)
    }

    private func events(
        _ client: RobotClient, topics: Set<String>, showsState: Bool
    ) async throws(RobotRefusal) -> HTTPResponse {
        let clock = service.clock
        let conversations = Mutex<RobotConversation?>(nil)
        let events = ServerSentEvents(time: { clock.wallTime() }) {
            guard let conversation = conversations.withLock({ $0.take() }) else { return }
            Task { await conversation.close() }
        }
        let conversation = RobotConversation(client: client, service: service) { events.send($0) }
        conversations.withLock { $0 = conversation }
        do throws(RobotRefusal) {
            if !topics.isEmpty { try await conversation.subscribe(topics) }
        } catch {
            events.finish()
            throw error
        }
        if showsState { await conversation.open() }
        return HTTPResponse(
            .ok, headers: ["Content-Type": "text/event-stream", "Cache-Control": "no-store"],
            body: .stream(events.stream))
    }

    private static func fresh(_ json: JSONValue) -> HTTPResponse {
        var response = HTTPResponse.json(.ok, json)
        response.headers["Cache-Control"] = "no-store"
        return response
    }

    // MARK: Asking

    private func askRobot(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let isAllowed = try client(request, needs: .read).scope >= .drive
        let client = try client(request, needs: isAllowed ? .drive : .read, body)
        return .json(.ok, try await client.ask(try RobotCall(body)).json)
    }

    private func publish(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let client = try client(request, needs: .drive, body)
        let (topic, data) = try RobotClientMessage.publication(body)
        try client.publish(topic, data)
        return .json(.accepted, ["topic": .string(topic)])
    }

    private func command(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let isAllowed = try client(request, needs: .read).scope >= .drive
        let client = try client(request, needs: isAllowed ? .drive : .read, body)
        guard case .object(var arguments) = body else { throw .invalid("The body must be a JSON object") }
        arguments["lease_id"] = nil
        let timeout = try RobotCall.timeout(arguments.removeValue(forKey: "timeout_ms"))
        return .json(
            .ok, try await client.command(request.parameters["command"] ?? "", arguments, timeout: timeout).json)
    }

    // MARK: Driving

    private func acquireSeat(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let client = try client(request, needs: .drive, body)
        return seat(client, try client.acquire(through: client.newDoor()).id, .created)
    }

    private func renewSeat(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let client = try client(request, needs: .drive, body)
        try client.renew()
        return seat(client, request.headers["X-Drive-Lease"] ?? body["lease_id"]?.stringValue ?? "", .ok)
    }

    private func releaseSeat(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let client = try client(request, needs: .drive, body)
        try client.renew()
        try client.release()
        return HTTPResponse(.noContent)
    }

    private func seat(_ client: RobotClient, _ lease: String, _ status: HTTPStatus) -> HTTPResponse {
        let state = client.driveState("acquired")
        var response = HTTPResponse.json(
            status,
            [
                "lease_id": .string(lease), "expires_in_ms": .integer(state.left.nanoseconds / 1_000_000),
                "limits": state.limits.json,
            ])
        response.headers["Cache-Control"] = "no-store"
        return response
    }

    /// With a lease the order is given and that is all; without one the call is the driver for as long as it lasts.
    private func move(_ request: HTTPRequest, _ body: JSONValue) async throws(RobotRefusal) -> HTTPResponse {
        let client = try client(request, needs: .drive, body)
        let velocity = try Velocity(body)
        var duration: Int?
        if let given = body["duration_ms"], !given.isNull {
            guard let number = given.integerValue, RobotLimits.moves.contains(number) else {
                throw RobotRefusal(.outOfRange, "duration_ms must be from 50 to 5000")
            }
            duration = number
        }
        let lasting = Duration.milliseconds(duration ?? RobotLimits.moveWithoutDuration)
        if client.hasLease {
            try client.move(velocity, for: lasting)
        } else {
            let door = client.newDoor()
            try client.acquire(through: door)
            defer { client.close(door) }
            try client.move(velocity, for: lasting)
            // Whoever ends the request ends the ride.
            if velocity != .zero { try? await Task.sleep(for: lasting) }
        }
        let code = client.robot.status.drive.refusedCode ?? 0
        var members = velocity.members
        members["duration_ms"] = JSONValue(duration ?? RobotLimits.moveWithoutDuration)
        members["code"] = .integer(Int64(code))
        members["message"] = .string(RobotErrorTable.text(of: code))
        return .json(.ok, .object(members))
    }
}
