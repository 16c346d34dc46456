internal import Core
internal import Go2Bridge

/// What is said about a robot through one door of a client: answers go back where the question came from, news come by
/// themselves.
actor RobotConversation {
    private var client: RobotClient
    private let service: SignalingService
    private let send: @Sendable (ServerMessage) -> Void
    private var door: RobotClient.Door
    private var topics: Set<String> = []
    private var updates: Task<Void, Never>?
    private var news: [Task<Void, Never>] = []
    private var requestsUnderWay = 0
    /// What the client was told last of who drives.
    private var toldHolder = RobotServerMessage.DriveState.Holder.none
    private var wasMoving = false
    /// Of the robot's stops, how many the client knows of.
    private var knownStops: UInt64
    private var isOpen = false
    private var isClosed = false

    /// Between two `robot_state`.
    static let stateInterval: Duration = .milliseconds(250)

    init(client: RobotClient, service: SignalingService, send: @escaping @Sendable (ServerMessage) -> Void) {
        self.client = client
        self.service = service
        self.send = send
        door = client.newDoor()
        knownStops = client.robot.status.drive.stopCount
    }

    /// Begins to tell how the robot stands and who drives it.
    func open() {
        isOpen = true
        let (client, service, send) = (client, service, send)
        let states = client.robot.statusChanges()
        news.append(
            Task {
                for await status in states {
                    send(.robot(.state(robot: await service.robotJSON(client, status))))
                    // Of what changes meanwhile the newest is kept.
                    try? await Task.sleep(for: Self.stateInterval)
                }
            })
        let changes = client.robot.statusChanges()
        news.append(
            Task { [weak self] in
                for await _ in changes { await self?.tellDriving() }
            })
    }

    /// Another client speaks through this door from now on: what the former one held through it ends, and its topics stay where
    /// the new one may read them.
    func follow(_ new: RobotClient) {
        client.close(door)
        client = new
        door = new.newDoor()
        guard isOpen, !isClosed else { return }
        for task in news { task.cancel() }
        news = []
        open()
        guard !topics.isEmpty else { return }
        do throws(RobotRefusal) {
            try subscribe(topics)
        } catch {
            updates?.cancel()
            updates = nil
            topics = []
            refuse(error, nil)
        }
    }

    /// Says who drives where that is not what was said last, and that the robot was stopped under its driver.
    ///
    /// Goes by how things stand now: of changes that come fast the listener sees the last, and this client's own orders have
    /// been answered meanwhile.
    private func tellDriving() {
        let drive = client.robot.status.drive
        let holder = client.robot.status.holder(for: client.driver)
        let hasStopped = drive.stopCount != knownStops
        defer {
            wasMoving = drive.isMoving
            knownStops = drive.stopCount
        }
        if holder != toldHolder {
            tell(holder == .none ? (hasStopped ? drive.lastStop?.rawValue : nil) ?? "ended" : "changed")
        } else if holder == .you, wasMoving, !drive.isMoving, let stop = drive.lastStop, stop != .ordered {
            tell(stop.rawValue)
        }
    }

    private func tell(_ reason: String) {
        let state = client.driveState(reason)
        toldHolder = state.holder
        send(.robot(.drive(state)))
    }

    /// The door is closed. A lease that was acquired through it ends.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        for task in news { task.cancel() }
        news = []
        updates?.cancel()
        updates = nil
        client.close(door)
    }

    /// Acts on a message whose type ``RobotClientMessage/reads(_:)``.
    func receive(_ json: JSONValue) {
        let requestID = RobotClientMessage.requestID(of: json)
        do throws(RobotRefusal) {
            try act(on: try RobotClientMessage(json), requestID)
        } catch {
            refuse(error, requestID)
        }
    }

    private func refuse(_ refusal: RobotRefusal, _ requestID: JSONValue?) {
        service.robotMetrics.count(refusal.code)
        send(.robot(.refused(refusal, requestID: requestID)))
    }

    private func act(on message: RobotClientMessage, _ requestID: JSONValue?) throws(RobotRefusal) {
        switch message {
        case .subscribe(let names): try subscribe(topics.union(Self.named(names)))
        case .unsubscribe(let names): try subscribe(topics.subtracting(Self.named(names)))
        case .request(let call):
            let client = client
            try answer(requestID) { () async throws(RobotRefusal) in try await client.ask(call) }
        case .command(let name, let arguments):
            let client = client
            try answer(requestID) { () async throws(RobotRefusal) in
                try await client.command(name, arguments, timeout: RobotLimits.timeout)
            }
        case .publish(let topic, let data): try client.publish(topic, data)
        case .acquire:
            try client.acquire(through: door)
            tell("acquired")
        case .renew:
            try client.renew()
            tell("renewed")
        case .release:
            try client.release()
            tell("released")
        case .move(let velocity): try client.move(velocity)
        case .stop: try client.stop()
        }
    }

    /// Requests take as long as the robot takes; other messages do not wait for them.
    private func answer(
        _ requestID: JSONValue?,
        _ ask: @escaping @Sendable () async throws(RobotRefusal) -> RobotAnswer
    ) throws(RobotRefusal) {
        guard requestsUnderWay < RobotLimits.requestsUnderWay else {
            throw RobotRefusal(
                .tooMany, "A connection has at most \(RobotLimits.requestsUnderWay) requests under way")
        }
        requestsUnderWay += 1
        Task {
            do throws(RobotRefusal) {
                let answer = try await ask()
                send(.robot(.response(answer, requestID: requestID)))
            } catch {
                refuse(error, requestID)
            }
            requestsUnderWay -= 1
        }
    }

    // MARK: Topics

    /// The app's names for topics mean the topics.
    private static func named(_ names: Set<String>) -> Set<String> { Set(names.map { RobotTopic.named($0) }) }

    /// Subscribes to exactly these.
    func subscribe(_ wanted: Set<String>) throws(RobotRefusal) {
        try client.require(.read)
        guard wanted.count <= RobotLimits.topics else {
            throw RobotRefusal(.tooMany, "A connection has at most \(RobotLimits.topics) topics")
        }
        guard !wanted.contains(RobotTopic.voxelMap) else {
            throw .invalid("LiDAR frames come on a data channel of the label \(ViewerDoors.lidarLabel)")
        }
        let stream: AsyncStream<TopicUpdate>?
        do throws(RobotRequestError) {
            stream = wanted.isEmpty ? nil : try client.robot.subscribe(wanted)
        } catch {
            throw RobotRefusal(error, client.robot.status)
        }
        // The new subscription stands before the old one ends, so that the robot need not be asked again.
        updates?.cancel()
        let added = wanted.subtracting(topics)
        topics = wanted
        send(.robot(.subscribed(Array(wanted))))
        for name in added.sorted() {
            guard let known = client.robot.topic(name) else { continue }
            send(.robot(.topic(name, value: known.value, age: known.age)))
        }
        let (send, clock) = (send, service.clock)
        updates = stream.map { stream in
            Task {
                for await update in stream {
                    let age = max(.zero, clock.now() - update.receivedAt)
                    send(.robot(.topic(update.topic, value: update.value, age: age)))
                }
            }
        }
    }
}
