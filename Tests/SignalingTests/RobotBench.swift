import Core
import Go2Bridge
import MediaLoop
import PeerConnection
import Synchronization
import TestSupport
import Testing
import WebServer

@testable import Signaling

/// A robot as a test writes it: answers by rule, notes what it was asked.
final class ScriptedLink: RobotLink {
    private struct State {
        var events: (@Sendable (RobotLinkEvent) -> Void)?
        var orders: [RobotOrder] = []
        /// The code that a request is answered with, by its number.
        var codes: [Int32: Int32] = [:]
        var data = ""
        /// Requests stay without an answer.
        var isSilent = false
        var waiting: [(isMet: @Sendable ([RobotOrder]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []

        /// Takes out those who wait for what has come.
        mutating func takeReady() -> [CheckedContinuation<Void, Never>] {
            let ready = waiting.filter { $0.isMet(orders) }.map(\.continuation)
            waiting.removeAll { $0.isMet(orders) }
            return ready
        }
    }
    private let state = Mutex(State())

    func start(_ events: @escaping @Sendable (RobotLinkEvent) -> Void) { state.withLock { $0.events = events } }

    func stop() async {}

    func perform(_ order: RobotOrder) {
        let (answer, ready) = state.withLock { state -> (RobotResponse?, [CheckedContinuation<Void, Never>]) in
            state.orders.append(order)
            let ready = state.takeReady()
            guard case .request(let request) = order, !state.isSilent else { return (nil, ready) }
            let answer = RobotResponse(
                id: request.id, apiID: request.apiID, code: state.codes[request.apiID] ?? 0, data: state.data)
            return (answer, ready)
        }
        for continuation in ready { continuation.resume() }
        if let answer { emit(.response(answer)) }
    }

    func emit(_ event: RobotLinkEvent) { state.withLock(\.events)?(event) }

    func answer(_ apiID: Int32, code: Int32) { state.withLock { $0.codes[apiID] = code } }
    func answer(data: String) { state.withLock { $0.data = data } }
    func fallSilent() { state.withLock { $0.isSilent = true } }

    var orders: [RobotOrder] { state.withLock(\.orders) }

    var requests: [RobotRequest] { orders.requests }

    /// How often the robot was told to stand still.
    var stops: Int { orders.stops }

    /// Waits until what the robot was told so far is enough.
    func told(_ isMet: @escaping @Sendable ([RobotOrder]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                state.waiting.append((isMet, continuation))
                return state.takeReady()
            }
            for continuation in ready { continuation.resume() }
        }
    }

    func connect() {
        var report = ConnectionReport(
            state: .connected, attempt: 1,
            phases: [PhaseReport(phase: .signaling, outcome: .succeeded, duration: .milliseconds(31))])
        report.channelState = "open"
        emit(.report(report))
        emit(.ready)
    }
}

extension [RobotOrder] {
    var requests: [RobotRequest] {
        compactMap { if case .request(let request) = $0 { request } else { nil } }
    }

    var stops: Int { requests.count { $0.topic == RobotTopic.sport && $0.apiID == 1003 } }

    /// What was published on a topic.
    func published(on topic: String) -> [JSONValue] {
        compactMap { if case .publish(topic, let data) = $0 { data } else { nil } }
    }

    func unsubscribes(from topic: String) -> Bool {
        contains { if case .unsubscribe(topic) = $0 { true } else { false } }
    }
}

/// A service with one robot, `dog`, and what a test needs around it.
struct RobotBench {
    let bench: Bench
    let link = ScriptedLink()
    let robot: Robot
    let metrics = MetricsRegistry()

    static let drive = "drive-token"
    static let read = "read-token"
    static let watch = "watch-token"

    /// - Parameter isConnected: whether the robot takes orders from the beginning.
    init(
        isConnected: Bool = true, exposure: RobotExposure = RobotExposure(),
        _ change: (inout RobotConfiguration) -> Void = { _ in }
    ) {
        var configuration = RobotConfiguration(name: "dog")
        change(&configuration)
        let clock = SharedClock()
        robot = Robot(
            configuration: configuration, link: link, metrics: RobotMetrics(metrics, robot: "dog"),
            clock: RobotClock(
                now: clock.signaling.now,
                sleep: { duration in
                    // Whoever waits for a silent topic has waited; nobody else's time comes by itself.
                    if duration == RobotLimits.topicPatience { return }
                    for await _ in AsyncStream<Never>.makeStream().stream {}
                    throw CancellationError()
                }),
            random: .seeded(5))
        bench = Bench(clock: clock, robots: [robot], metrics: metrics) { signaling in
            signaling.robots = ["dog": exposure]
            signaling.managementToken = "management"
            signaling.access = [
                AccessToken(name: "driver", token: Self.drive, scope: .drive),
                AccessToken(name: "reader", token: Self.read, robots: ["dog"], scope: .read),
                AccessToken(name: "watcher", token: Self.watch, scope: .watch),
                AccessToken(name: "stranger", token: "cat-token", robots: ["cat"], scope: .drive),
            ]
        }
        robot.start()
        if isConnected { link.connect() }
    }

    /// One answer over HTTP.
    func ask(
        _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, token: String? = RobotBench.drive,
        lease: String? = nil
    ) async -> (status: Int, json: JSONValue, headers: HTTPHeaders) {
        var headers: HTTPHeaders = [:]
        if let token { headers["Authorization"] = "Bearer \(token)" }
        if let lease { headers["X-Drive-Lease"] = lease }
        let answer = await bench.respond(method, "/v1/robots" + path, body: body?.text ?? "", headers: headers)
        return (answer.status, JSONValue(parsing: Array(answer.text.utf8)) ?? .null, answer.headers)
    }

    /// A page on the robot's WebSocket.
    func connect(token: String? = RobotBench.drive) async throws -> Client {
        let (audience, client) = try #require(await bench.service.admit("robot_dog", token: token))
        return await bench.connect(audience, as: client)
    }
}

/// One of a viewer's data channels, from the browser's side.
final class BrowserChannel: Sendable {
    let id: DataChannelID
    private let media: ScriptedMedia
    private let viewer: ViewerID
    private let stream: AsyncStream<DataChannelMessage>

    init(_ number: UInt32, label: String, of viewer: ViewerID, on media: ScriptedMedia) {
        id = DataChannelID(number: number)
        self.media = media
        self.viewer = viewer
        let (stream, continuation) = AsyncStream<DataChannelMessage>.makeStream()
        self.stream = stream
        media.state.withLock { $0.channels[id] = continuation }
        sink?.opened(id, label: label, viewer: viewer)
    }

    var sink: (any ViewerChannels)? { media.viewers[viewer]?.extras.channels }

    func say(_ json: JSONValue) { say(DataChannelMessage(text: json.text)) }
    func say(_ message: DataChannelMessage) { sink?.received(message, on: id, viewer: viewer) }
    func close() { sink?.closed(id, viewer: viewer) }

    /// The next message; nil once the channel is closed.
    func next() async -> DataChannelMessage? {
        for await message in stream { return message }
        return nil
    }

    /// The next message of a type, as JSON.
    func next(_ type: String) async -> JSONValue? {
        while let message = await next() {
            if let json = JSONValue(parsing: message.bytes), json["type"]?.stringValue == type { return json }
        }
        return nil
    }
}

extension JSONValue: ExpressibleByFloatLiteral {
    package init(floatLiteral value: Double) { self = .number(value) }
}
