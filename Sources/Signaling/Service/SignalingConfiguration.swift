package import Core

/// What signaling needs to know of the program's configuration.
package struct SignalingConfiguration: Sendable {
    /// `service` in `/health`.
    package var serviceName = "avatar-streamer"
    /// Versions that `/health` tells, by name.
    package var versions: [String: String] = [:]
    /// What browsers call the WebSocket port, `wss://avatar.example.org`; no slash at the end.
    package var publicWebSocketURL: String
    /// Needed to manage sessions and avatars; nil leaves that open.
    package var managementToken: String?
    /// Needed on `/ws/user_…`; nil leaves that open.
    package var userToken: String?
    /// The public stage's name; nil where there is none.
    package var publicStage: String? = "avatar"
    /// A registered avatar for the public stage; nil for the built-in one.
    package var publicAvatarID: String?
    package var isWHEPEnabled = true
    /// Needed for WHEP on the public stage; nil leaves that open.
    package var whepToken: String?
    package var maximumSessions = 100
    package var sessionTimeout: Duration = .seconds(3600)
    /// Stages of `user_…` connections at most.
    package var maximumUserStages = 100
    package var maximumUploadBytes = 67_108_864
    /// How long a viewer whose signaling connection broke is kept, so that it can come back by an ICE restart.
    package var detachedViewerGrace: Duration = .seconds(20)
    /// What `Retry-After` says where the server is full or going down.
    package var retryAfterSeconds = 5

    /// The robots that clients may see, by name.
    package var robots: [String: RobotExposure] = [:]
    /// Tokens for robots. ``managementToken`` admits to all of them as well.
    package var access: [AccessToken] = []
    /// What else of the program does not work at the moment; asked for every `/health`.
    package var otherDegraded: @Sendable () -> [DegradedPart] = { [] }

    package init(publicWebSocketURL: String) {
        self.publicWebSocketURL = publicWebSocketURL
    }
}

/// The clocks that signaling reads; tests move them by hand.
package struct SignalingClock: Sendable {
    package var now: @Sendable () -> Instant
    package var wallTime: @Sendable () -> WallTime

    package init(now: @escaping @Sendable () -> Instant, wallTime: @escaping @Sendable () -> WallTime) {
        self.now = now
        self.wallTime = wallTime
    }

    package static let system = SignalingClock(now: { SystemClock.now() }, wallTime: { SystemClock.wallTime() })
}

/// Whom a stage is for. What is said on one audience's stage is heard by nobody else.
package enum Audience: Hashable, Sendable {
    case session(SessionID)
    /// A `user_…` connection without a session.
    case user(String)
    case everyone(String)
    /// Whoever watches, reads or drives that robot.
    case robot(String)

    package var stage: StageID {
        switch self {
        case .session(let id): StageID("session:\(id)")
        case .user(let name): StageID("user:\(name)")
        case .everyone(let name): StageID(name)
        case .robot(let name): StageID("robot:\(name)")
        }
    }
}
