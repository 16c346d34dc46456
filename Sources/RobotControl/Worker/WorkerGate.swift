internal import Core
internal import Networking

/// What every carrier does with a worker's messages: nothing is taken before `hello`, and no more pushes in a second than
/// the limit.
struct WorkerGate {
    private let pushesPerSecond: Int
    private var isOpen = false
    private var secondEnd: Instant = .zero
    private var pushes = 0
    /// Pushes over the limit, not told yet.
    private var leftOut = 0

    init(pushesPerSecond: Int) {
        self.pushesPerSecond = pushesPerSecond
    }

    mutating func admit(_ event: WorkerEvent) -> WorkerEvent {
        switch event {
        case .hello where isOpen: return .rubbish(reason: "a second hello")
        case .hello: isOpen = true
        case .rubbish: break
        default: if !isOpen { return .rubbish(reason: "a message before hello") }
        }
        return event
    }

    /// Whether a push may be read: asked before that is done, since the reading is what costs.
    mutating func takesPush(at now: Instant) -> Bool {
        if now >= secondEnd {
            secondEnd = now + .seconds(1)
            pushes = 0
        }
        pushes += 1
        if pushes > pushesPerSecond { leftOut += 1 }
        return pushes <= pushesPerSecond
    }

    mutating func takeLeftOut() -> WorkerEvent? {
        defer { leftOut = 0 }
        return leftOut > 0 ? .pushesLeftOut(leftOut) : nil
    }
}

extension WorkerEvent {
    /// Nil for a message, which is the carrier's to read.
    init?(_ event: ChildProcess.Event) {
        switch event {
        case .line(let text, let isError): self = .line(text, isError: isError)
        case .linesLeftOut(let count): self = .linesLeftOut(count)
        case .ended(let ending): self = .ended(ending)
        case .message: return nil
        }
    }
}

extension WorkerLaunch {
    /// How its process is started: confined, in the project's folder, with an environment of its own.
    var settings: ChildProcess.Settings {
        var settings = ChildProcess.Settings()
        settings.directory = project.path
        settings.inheritsEnvironment = false
        settings.linesPerSecond = linesPerSecond
        settings.limits = limits
        return settings
    }

    func variables(token: String) -> [String: String] {
        let own = [
            "AVATAR_STREAMER_WORKER_TOKEN": token, "AVATAR_STREAMER_PROJECT": project.path,
            "AVATAR_STREAMER_CALLS": runsConcurrently ? "concurrent" : "ordered", "AVATAR_STREAMER_SCRATCH": scratch,
            "TMPDIR": scratch, "HOME": scratch,
        ]
        return environment.merging(own) { _, ours in ours }
    }
}
