import Core
import FoundationEssentials
import Go2Bridge
import MediaLoop
import Synchronization
import TestSupport

@testable import Signaling
@testable import WebServer

extension Router {
    /// What the server would answer, found by the router's own rules.
    func respondInTest(to request: HTTPRequest) async -> HTTPResponse {
        switch match(request.method, request.path) {
        case .endpoint(let endpoint, let parameters):
            if let limit = endpoint.bodyLimit, request.body.count > limit {
                return error(.contentTooLarge, "too large")
            }
            var request = request
            request.parameters = parameters
            return await endpoint.handler(request)
        case .options: return HTTPResponse(.noContent)
        case .methodNotAllowed: return error(.methodNotAllowed, "method not allowed")
        case .upgradeRequired: return error(.upgradeRequired, "upgrade required")
        case .notFound: return error(.notFound, "not found")
        }
    }
}

/// A clock that several actors read and a test moves.
final class SharedClock: Sendable {
    private let clock = Mutex(ManualClock())

    func advance(by duration: Duration) { clock.withLock { $0.advance(by: duration) } }

    var signaling: SignalingClock {
        SignalingClock(
            now: { self.clock.withLock { $0.now } },
            wallTime: {
                WallTime(secondsSince1970: 1_800_000_000) + (self.clock.withLock { $0.now } - Instant.zero)
            })
    }
}

/// A service on scripted media, and what a test needs around it.
struct Bench {
    let media = ScriptedMedia()
    let clock: SharedClock
    let service: SignalingService
    let directory: String

    init(
        videoRoots: [String] = [], configured: [String: StagePicture] = [:], directory: String? = nil,
        clock: SharedClock = SharedClock(), robots: [Robot] = [], metrics: MetricsRegistry = MetricsRegistry(),
        _ change: (inout SignalingConfiguration) -> Void = { _ in }
    ) {
        var configuration = SignalingConfiguration(publicWebSocketURL: "ws://203.0.113.9:9001")
        configuration.maximumSessions = 2
        configuration.sessionTimeout = .seconds(60)
        change(&configuration)
        let directory =
            directory ?? FileManager.default.temporaryDirectory.appending(path: "avatars-\(UUID().uuidString)").path
        self.directory = directory
        self.clock = clock
        service = SignalingService(
            configuration: configuration, media: media,
            avatars: AvatarLibrary(
                directory: directory, videoRoots: videoRoots, maximumCount: 3, configured: configured),
            robots: RobotFleet(robots), metrics: metrics, random: .seeded(7), clock: clock.signaling)
    }

    /// Both ports' handlers, looked up as the server looks them up.
    func respond(
        _ method: HTTPMethod, _ path: String, body: String = "", headers: HTTPHeaders = [:],
        query: [String: String] = [:]
    ) async -> (status: Int, headers: HTTPHeaders, text: String) {
        await respond(method, path, bytes: Array(body.utf8), headers: headers, query: query)
    }

    func respond(
        _ method: HTTPMethod, _ path: String, bytes: [UInt8], headers: HTTPHeaders = [:], query: [String: String] = [:]
    ) async -> (status: Int, headers: HTTPHeaders, text: String) {
        var router = Router.answeringInJSON()
        ManagementAPI(service: service).add(to: &router)
        WHEPEndpoint(service: service).add(to: &router)
        let response = await router.respondInTest(
            to: HTTPRequest(method: method, path: path, query: query, headers: headers, body: bytes))
        guard case .bytes(let bytes) = response.body else { return (response.status.code, response.headers, "") }
        return (response.status.code, response.headers, String(decoding: bytes, as: UTF8.self))
    }

    /// A response whose body comes piece by piece.
    func stream(
        _ method: HTTPMethod, _ path: String, headers: HTTPHeaders, query: [String: String] = [:]
    ) async -> (headers: HTTPHeaders, stream: AsyncStream<[UInt8]>?) {
        var router = Router.answeringInJSON()
        ManagementAPI(service: service).add(to: &router)
        let response = await router.respondInTest(
            to: HTTPRequest(method: method, path: path, query: query, headers: headers))
        guard case .stream(let stream) = response.body else { return (response.headers, nil) }
        return (response.headers, stream)
    }

    func session(tutor: Int = 5) async throws -> Session {
        try await service.createSession(SessionRequest(tutorID: tutor, studentID: 9, knowledgeBaseID: nil))
    }

    func connect(_ audience: Audience, as robotClient: RobotClient? = nil) async -> Client {
        let client = Client()
        let connection = SignalingConnection(
            audience: audience, service: service, remoteAddress: .loopbackV4, client: robotClient,
            send: { client.receive($0) },
            close: { client.closed($0, $1) })
        client.connection.withLock { $0 = connection }
        await connection.open()
        return client
    }
}

/// The far end of a signaling connection.
final class Client: Sendable {
    private struct State {
        var messages: [ServerMessage] = []
        var closeCode: UInt16?
        /// Messages that ``next(_:)`` has passed.
        var seen = 0
        var waiting: [(count: Int, CheckedContinuation<Void, Never>)] = []
    }
    private let state = Mutex(State())
    let connection = Mutex<SignalingConnection?>(nil)

    var messages: [ServerMessage] { state.withLock { $0.messages } }
    var closeCode: UInt16? { state.withLock { $0.closeCode } }

    func receive(_ message: ServerMessage) {
        let ready = state.withLock { state in
            state.messages.append(message)
            let ready = state.waiting.filter { $0.count <= state.messages.count }
            state.waiting.removeAll { $0.count <= state.messages.count }
            return ready
        }
        for (_, continuation) in ready { continuation.resume() }
    }

    func closed(_ code: UInt16, _ reason: String) {
        state.withLock { $0.closeCode = code }
    }

    /// Sends one frame and returns what was answered while it was handled.
    @discardableResult
    func say(_ json: JSONValue) async -> [ServerMessage] { await say(json.text) }

    @discardableResult
    func say(_ text: String) async -> [ServerMessage] {
        let before = messages.count
        await connection.withLock { $0 }?.receive(Array(text.utf8), isText: true)
        return Array(messages.dropFirst(before))
    }

    /// Waits until so many messages have come in all.
    func messages(count: Int) async -> [ServerMessage] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.messages.count >= count { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        return messages
    }

    /// Waits for a message that has not been looked for yet.
    func next<Found: Sendable>(_ look: @Sendable (ServerMessage) -> Found?) async -> Found {
        while true {
            let (found, count) = state.withLock { state -> (Found?, Int) in
                for (index, message) in state.messages.enumerated() where index >= state.seen {
                    if let found = look(message) {
                        state.seen = index + 1
                        return (found, state.messages.count)
                    }
                }
                return (nil, state.messages.count)
            }
            if let found { return found }
            _ = await messages(count: count + 1)
        }
    }

    func disconnect() async {
        await connection.withLock { $0 }?.closed()
    }
}

/// An offer as a browser writes it, as far as signaling looks at it.
func offer(origin: Int = 4711, fragment: String = "abcd") -> String {
    "v=0\r\no=- \(origin) 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
        + "a=ice-ufrag:\(fragment)\r\na=ice-pwd:0123456789012345678901\r\na=recvonly\r\n"
}

extension SignalingService {
    /// Waits until a stage that was told to end has ended.
    func stageEnded(_ audience: Audience) async {
        await closings[audience.stage]?.task.value
    }
}
