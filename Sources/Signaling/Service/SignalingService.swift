package import Core
package import Go2Bridge
internal import MediaLoop

/// Everything that both ports know together: sessions and their tokens, stages, viewers, open connections.
///
/// An actor at the edge of the system: nothing here runs per packet. It never waits for files; stages are opened outside.
package actor SignalingService {
    package nonisolated let configuration: SignalingConfiguration
    package nonisolated let media: any AvatarMedia
    package nonisolated let avatars: AvatarLibrary
    /// By name.
    package nonisolated let robots: [String: Robot]
    package nonisolated let clock: SignalingClock
    package nonisolated let metrics: MetricsRegistry
    nonisolated let random: RandomSource
    nonisolated let startedAt: Instant
    nonisolated let log = Logger("signaling")

    var sessions: SessionTable
    var stages: [StageID: StageRecord] = [:]
    var attachments: [AttachmentKey: ViewerAttachment] = [:]
    /// When viewers without a connection are given up.
    var detached: [AttachmentKey: Instant] = [:]
    var connections: [UInt64: OpenConnection] = [:]
    var whepSessions: [String: WHEPSession] = [:]
    /// Stages that are being ended; a new opening of the same stage waits for it.
    var closings: [StageID: Closing] = [:]
    var stageGeneration = 0
    var publicStageFailure: StageFailure?
    /// Avatars that an engine is making at present.
    var preparations: [String: Task<Void, Never>] = [:]
    package internal(set) var isDraining = false
    private var lastConnection: UInt64 = 0
    let sessionsGauge: Gauge
    let connectionsGauge: Gauge
    private let channelsGauge: Gauge
    nonisolated let channelMetrics: ChannelMetrics
    nonisolated let robotMetrics: RobotAPIMetrics

    struct StageRecord {
        var audience: Audience
        var avatarID: String?
        /// Counts the openings of this stage, so that a connection sees that its subscription belongs to an earlier one.
        var generation: Int
        var opening: Task<StageFailure?, Never>
        var lastUsed: Instant
    }

    struct Closing {
        var generation: Int
        var task: Task<Void, Never>
    }

    struct AttachmentKey: Hashable {
        var audience: Audience
        var userID: String
        /// A second window of the same user is a viewer of its own.
        var connection: UInt64
    }

    struct OpenConnection {
        var audience: Audience
        /// A viewer's data channel, not a WebSocket.
        var isChannel: Bool
        var send: @Sendable (ServerMessage) -> Void
        var close: @Sendable (_ code: UInt16, _ reason: String) -> Void
    }

    package init(
        configuration: SignalingConfiguration, media: any AvatarMedia, avatars: AvatarLibrary,
        robots: RobotFleet? = nil, metrics: MetricsRegistry, random: RandomSource = .system,
        clock: SignalingClock = .system
    ) {
        self.configuration = configuration
        self.media = media
        self.avatars = avatars
        self.robots = robots?.robots ?? [:]
        self.metrics = metrics
        self.random = random
        self.clock = clock
        startedAt = clock.now()
        sessions = SessionTable(
            maximum: configuration.maximumSessions, timeout: configuration.sessionTimeout, random: random)
        sessionsGauge = metrics.gauge("avatar_streamer_sessions", help: "Sessions that exist now.")
        connectionsGauge = metrics.gauge(
            "avatar_streamer_signaling_connections", help: "WebSocket connections that are open now.")
        channelsGauge = metrics.gauge(
            "avatar_streamer_signaling_channels", help: "Viewers' data channels that carry messages now.")
        channelMetrics = ChannelMetrics(metrics)
        robotMetrics = RobotAPIMetrics(metrics)
    }

    // MARK: Sessions

    package func createSession(_ request: SessionRequest) throws(RequestError) -> Session {
        guard !isDraining else { throw RequestError(503, "The server is shutting down") }
        let (now, wallTime) = (clock.now(), clock.wallTime())
        guard let session = sessions.create(request, now: now, wallTime: wallTime) else {
            throw RequestError(503, "Maximum sessions (\(sessions.maximum)) reached")
        }
        sessionsGauge.set(Double(sessions.count))
        log.info("session created", ["session.id": LogValue(session.id), "tutor.id": LogValue(session.tutorID)])
        return session
    }

    package func session(_ id: SessionID) -> Session? { sessions[id: id] }

    package var allSessions: [Session] { sessions.all }

    /// The session whose token this is; using it counts as activity.
    package func authenticate(_ id: SessionID, token: String?) -> Session? {
        guard let token, let session = sessions.authenticate(id, token: token) else { return nil }
        touch(id)
        return session
    }

    package func touch(_ id: SessionID) {
        sessions.touch(id, now: clock.now(), wallTime: clock.wallTime())
    }

    /// Ends a session with its stage, its viewers and its connections. False where there was none.
    @discardableResult
    package func removeSession(_ id: SessionID, reason: String = "session ended") -> Bool {
        guard sessions.remove(id) else { return false }
        sessionsGauge.set(Double(sessions.count))
        closeStage(of: .session(id))
        for connection in connections.values where connection.audience == .session(id) {
            connection.close(1000, reason)
        }
        log.info("session ended", ["session.id": LogValue(id), "reason": LogValue(reason)])
        return true
    }

    // MARK: Connections

    func register(
        _ audience: Audience, isChannel: Bool, send: @escaping @Sendable (ServerMessage) -> Void,
        close: @escaping @Sendable (UInt16, String) -> Void
    ) -> UInt64 {
        lastConnection += 1
        connections[lastConnection] = OpenConnection(
            audience: audience, isChannel: isChannel, send: send, close: close)
        countConnections()
        return lastConnection
    }

    /// Forgets a connection; its viewers stay for a while, in case they come back.
    func unregister(_ connection: UInt64) {
        guard let gone = connections.removeValue(forKey: connection) else { return }
        countConnections()
        let deadline = clock.now() + configuration.detachedViewerGrace
        for (key, attachment) in attachments where key.connection == connection {
            attachment.detach()
            detached[key] = deadline
        }
        stages[gone.audience.stage]?.lastUsed = clock.now()
    }

    package var connectionCount: Int { connections.values.count { !$0.isChannel } }

    private func countConnections() {
        connectionsGauge.set(Double(connectionCount))
        channelsGauge.set(Double(connections.count - connectionCount))
    }

    // MARK: The end

    /// From now on nobody new is let in. Those who are connected stay until the server ends.
    package func drain() {
        guard !isDraining else { return }
        isDraining = true
        log.info("draining", ["connections": LogValue(connectionCount), "viewers": LogValue(attachments.count)])
    }
}
