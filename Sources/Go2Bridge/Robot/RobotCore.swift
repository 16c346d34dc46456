internal import Core

/// What stands of one robot, and what is wanted of it; the facade's state, without locks, tasks or a clock.
///
/// Every method may leave orders for the link and news for listeners: drain ``pollOrder()`` and ``pollNews()``.
struct RobotCore: Sendable {
    /// What listeners are told.
    enum News: Sendable {
        case topic(TopicUpdate)
        /// ``status(now:)`` says something new.
        case status
        case voxels(header: JSONValue, payload: [UInt8])
        case response(RobotResponse)
        case requestFailed(id: Int32, RobotRequestError)
        /// A topic was refused: one too many.
        case refusedTopic
        case stopped(StopReason)
        case velocitySent
    }

    /// The LiDAR's switch is thrown again until frames come, since a robot that wakes up misses it.
    static let switchInterval: Duration = .seconds(1)
    static let maximumSwitches = 5
    /// How often topics are looked at for being stale.
    static let staleInterval: Duration = .seconds(1)
    /// Bytes of a binary message that is shown as a topic's value, in Base64.
    static let maximumShownBytes = 262_144

    private struct Waiting: Sendable {
        /// Nil for a caller's; the driver's seat hears of its own.
        var driving: RobotRequest?
        /// Long after the link should have given it up.
        var deadline: Instant
    }

    /// A chunked answer may take a minute (``RobotSessionLimits/maximumAnswerTime``).
    private static let patience: Duration = .seconds(61)

    let configuration: RobotConfiguration
    private(set) var report = ConnectionReport()
    private(set) var isReady = false
    private var lostReason: String?
    private var faults: [RobotFault] = []
    private var network: String?
    private(set) var topics = TopicTable()
    private var stale: [String] = []
    var seat: DriveSeat
    private var shownDrive: DriveState

    private var subscribers: [String: Int] = [:]
    private var watchesVideo = false
    private var watchesSound = false
    private var voxelListeners = 0
    private var switchesLeft = 0
    private var nextSwitch: Instant?
    private var nextStaleCheck: Instant?

    private var waiting: [Int32: Waiting] = [:]
    private var lastID: Int32 = 0
    private var orders: [RobotOrder] = []
    private var news: [News] = []

    init(configuration: RobotConfiguration, random: RandomSource) {
        self.configuration = configuration
        seat = DriveSeat(limits: configuration.driving, avoidsObstacles: configuration.avoidsObstacles, random: random)
        shownDrive = seat.state(now: .zero)
        for topic in configuration.permanentTopics { subscribers[topic] = 1 }
    }

    mutating func pollOrder() -> RobotOrder? { orders.isEmpty ? nil : orders.removeFirst() }
    mutating func pollNews() -> News? { news.isEmpty ? nil : news.removeFirst() }

    // MARK: - The link

    mutating func handle(_ event: RobotLinkEvent, now: Instant) {
        switch event {
        case .report(let report):
            self.report = report
            news.append(.status)
        case .ready: ready(now: now)
        case .lost(let reason): lost(reason, now: now)
        case .topic(let topic, let value): receive(topic, value, now: now)
        case .binary(let header, let payload): receive(header, payload, now: now)
        case .response(let response):
            guard let waiting = waiting.removeValue(forKey: response.id) else { return }
            if let request = waiting.driving {
                seat.answered(request, code: response.code, now: now)
            } else {
                news.append(.response(response))
            }
        case .requestFailed(let id, let error): fail(id, error)
        case .faults(let faults):
            self.faults = faults
            news.append(.status)
        case .network(let status):
            network = status
            news.append(.status)
        case .camera, .microphone: break  // Media goes past the state, on the link's thread.
        }
        settle(now: now)
    }

    private mutating func ready(now: Instant) {
        isReady = true
        lostReason = nil
        for topic in subscribers.keys.sorted() {
            orders.append(.subscribe(topic: topic))
            topics.subscribed(topic, now: now)
        }
        orders.append(.camera(isOn: watchesVideo))
        orders.append(.microphone(isOn: watchesSound))
        if voxelListeners > 0 { switchLiDAR(isOn: true, now: now) }
        seat.linkReady(now: now)
        nextStaleCheck = now + Self.staleInterval
        news.append(.status)
    }

    private mutating func lost(_ reason: String, now: Instant) {
        isReady = false
        lostReason = reason
        faults.removeAll()
        network = nil
        stale.removeAll()
        topics.connectionLost()
        seat.linkLost(now: now)
        nextSwitch = nil
        nextStaleCheck = nil
        for id in waiting.keys.sorted() { fail(id, .lost) }
        news.append(.status)
    }

    private mutating func fail(_ id: Int32, _ error: RobotRequestError) {
        guard let waiting = waiting.removeValue(forKey: id), waiting.driving == nil else { return }
        news.append(.requestFailed(id: id, error))
    }

    private mutating func receive(_ topic: String, _ value: JSONValue, now: Instant) {
        guard topics.receive(topic, value, now: now) else {
            news.append(.refusedTopic)
            return
        }
        news.append(.topic(TopicUpdate(topic: topic, value: value, receivedAt: now)))
    }

    private mutating func receive(_ header: JSONValue, _ payload: [UInt8], now: Instant) {
        guard let topic = header["topic"]?.stringValue, RobotTopic.isValid(topic),
            case .object(var data) = header["data"] ?? .object([:])
        else {
            news.append(.refusedTopic)
            return
        }
        if topic == RobotTopic.voxelMap {
            nextSwitch = nil
            if voxelListeners > 0 { news.append(.voxels(header: header, payload: payload)) }
        } else if payload.count <= Self.maximumShownBytes {
            data["data"] = .string(Base64.encode(payload))
        }
        receive(topic, .object(data), now: now)
    }

    // MARK: - What is wanted

    /// One more subscriber of each; refused for bad names or too many topics.
    mutating func subscribe(_ wanted: Set<String>, now: Instant) throws(RobotRequestError) {
        for topic in wanted.sorted() where !RobotTopic.isValid(topic) {
            throw .invalid(reason: "\(topic.prefix(RobotTopic.maximumLength)) is no topic")
        }
        guard subscribers.count + wanted.count(where: { subscribers[$0] == nil }) <= configuration.maximumTopics else {
            throw .tooMany(limit: configuration.maximumTopics)
        }
        for topic in wanted.sorted() {
            let count = subscribers[topic, default: 0]
            subscribers[topic] = count + 1
            guard count == 0, isReady else { continue }
            orders.append(.subscribe(topic: topic))
            topics.subscribed(topic, now: now)
        }
    }

    mutating func unsubscribe(_ wanted: Set<String>) {
        for topic in wanted.sorted() {
            guard let count = subscribers[topic] else { continue }
            subscribers[topic] = count > 1 ? count - 1 : nil
            guard count == 1 else { continue }
            topics.unsubscribed(topic)
            if isReady { orders.append(.unsubscribe(topic: topic)) }
        }
    }

    mutating func setWatched(video: Bool, sound: Bool) {
        let sound = sound && configuration.allowsSound
        if isReady, watchesVideo != video { orders.append(.camera(isOn: video)) }
        if isReady, watchesSound != sound { orders.append(.microphone(isOn: sound)) }
        if watchesVideo != video || watchesSound != sound { news.append(.status) }
        watchesVideo = video
        watchesSound = sound
    }

    mutating func addVoxelListener(now: Instant) throws(RobotRequestError) {
        guard configuration.allowsLiDAR else {
            throw .forbidden(reason: "lidar is off for this robot: robots.\(configuration.name).lidar")
        }
        if voxelListeners == 0 {
            try subscribe([RobotTopic.voxelMap], now: now)
            if isReady { switchLiDAR(isOn: true, now: now) }
        }
        voxelListeners += 1
    }

    mutating func removeVoxelListener(now: Instant) {
        guard voxelListeners > 0 else { return }
        voxelListeners -= 1
        guard voxelListeners == 0 else { return }
        unsubscribe([RobotTopic.voxelMap])
        if isReady { switchLiDAR(isOn: false, now: now) }
    }

    private mutating func switchLiDAR(isOn: Bool, now: Instant) {
        orders.append(.trafficSaving(isOn: !isOn))
        orders.append(.publish(topic: RobotTopic.lidarSwitch, data: isOn ? "ON" : "OFF"))
        switchesLeft = isOn ? Self.maximumSwitches - 1 : 0
        nextSwitch = isOn ? now + Self.switchInterval : nil
    }

    // MARK: - Requests

    /// A caller's request, with a number of its own; its end comes as ``News``.
    mutating func send(_ request: RobotRequest, now: Instant) -> Int32 {
        var request = request
        request.id = freshID()
        waiting[request.id] = Waiting(driving: nil, deadline: now + request.timeout + Self.patience)
        orders.append(.request(request))
        return request.id
    }

    mutating func publish(_ topic: String, _ data: JSONValue) {
        orders.append(.publish(topic: topic, data: data))
    }

    /// Nobody waits for it any more.
    mutating func abandon(_ id: Int32) {
        waiting[id] = nil
    }

    private mutating func freshID() -> Int32 {
        repeat {
            lastID = lastID == .max ? 1 : lastID + 1
        } while waiting[lastID] != nil
        return lastID
    }

    // MARK: - Time

    var deadline: Instant? {
        ([seat.deadline, nextSwitch, nextStaleCheck] + waiting.values.map(\.deadline)).compactMap(\.self).min()
    }

    mutating func handleTimeout(now: Instant) {
        seat.handleTimeout(now: now)
        if let due = nextSwitch, now >= due {
            nextSwitch = switchesLeft > 1 ? now + Self.switchInterval : nil
            switchesLeft -= 1
            orders.append(.publish(topic: RobotTopic.lidarSwitch, data: "ON"))
        }
        if let due = nextStaleCheck, now >= due {
            nextStaleCheck = now + Self.staleInterval
            let found = topics.staleTopics(now: now)
            if found != stale { news.append(.status) }
            stale = found
        }
        // A link that never answers must not keep callers for ever.
        for (id, waiting) in waiting where now >= waiting.deadline { fail(id, .lost) }
        settle(now: now)
    }

    /// Hands on what the driver's seat wants; to be called after anything was done to ``seat``.
    mutating func settle(now: Instant) {
        while var request = seat.pollRequest() {
            request.id = freshID()
            if request.timeout > .zero {
                waiting[request.id] = Waiting(driving: request, deadline: now + request.timeout + Self.patience)
            }
            if request.isMotion { news.append(.velocitySent) }
            orders.append(.request(request))
        }
        while let reason = seat.pollStop() { news.append(.stopped(reason)) }
        var drive = seat.state(now: now)
        drive.expiresIn = nil
        drive.velocity = drive.isMoving ? Velocity(x: 1, y: 0, yaw: 0) : .zero
        if drive != shownDrive {
            shownDrive = drive
            news.append(.status)
        }
    }

    func status(now: Instant) -> RobotStatus {
        RobotStatus(
            name: configuration.name, connection: configuration.connection, report: report, isReady: isReady,
            lostReason: lostReason,
            faults: faults.map { DescribedFault(fault: $0, text: RobotErrorTable.text(of: $0)) },
            battery: topics.latest(RobotTopic.lowState).flatMap(BatteryStatus.init(lowState:)),
            sport: topics.latest(RobotTopic.sportState).flatMap(SportStatus.init(sportState:)), network: network,
            drive: seat.state(now: now), staleTopics: stale, videoIsOn: watchesVideo, soundIsOn: watchesSound,
            allowsLiDAR: configuration.allowsLiDAR, allowsSound: configuration.allowsSound,
            allowsTalk: configuration.allowsTalk, allowsAcrobatics: configuration.allowsAcrobatics,
            driveLimits: configuration.driving)
    }
}
