internal import Core

/// One engine's settings.
package struct EngineConfiguration: Sendable, Equatable {
    package var name: String
    /// Program and arguments; empty: the engine connects by itself.
    package var command: [String]
    /// Where it connects: `ipc://…`, `tcp://…` (with keys), or empty for a socket in the state directory.
    package var endpoint: String
    /// A file with the server's secret CURVE key, 40 characters of Z85.
    package var serverSecretKeyFile: String?
    /// Keys of the engines that may connect over TCP, Z85.
    package var clientPublicKeys: [String]
    /// In ten minutes.
    package var maximumRestarts: Int
    /// Bytes of raw idle pictures that are kept, of all its avatars together.
    package var idleMemoryLimit: Int
    /// Set for the child, over the server's own.
    package var environment: [String: String]

    package init(
        name: String, command: [String] = [], endpoint: String = "", serverSecretKeyFile: String? = nil,
        clientPublicKeys: [String] = [], maximumRestarts: Int = 20, idleMemoryLimit: Int = 512 << 20,
        environment: [String: String] = [:]
    ) {
        self.name = name
        self.command = command
        self.endpoint = endpoint
        self.serverSecretKeyFile = serverSecretKeyFile
        self.clientPublicKeys = clientPublicKeys
        self.maximumRestarts = maximumRestarts
        self.idleMemoryLimit = idleMemoryLimit
        self.environment = environment
    }
}

/// Why an engine's host cannot start.
package struct EngineError: Error, Equatable, Sendable {
    package enum Code: String, Sendable {
        case invalidConfiguration, keyUnavailable, endpointUnavailable, systemRefused
    }
    package let code: Code
    package let reason: String
    /// The command or setting that mends it.
    package let remedy: String
}

/// How the preparation of an avatar goes. The last is `.ready` or `.refused`.
package enum EnginePreparation: Equatable, Sendable {
    /// 0...1.
    case progress(Double)
    case ready
    case refused(reason: String)
}

/// What an engine's host counts.
struct EngineMetrics: Sendable {
    let shown: Counter
    let repeated: Counter
    let missing: Counter
    let late: Counter
    let stale: Counter
    let overtaken: Counter
    let faults: Counter
    let restarts: Counter
    let hangs: Counter
    let refusedConnections: Counter
    let refusedHellos: Counter
    let refusedByEngine: Counter
    let droppedLines: Counter
    let receivedBytes: Counter
    let connected: Gauge
    let inferenceRate: Gauge
    let queue: Gauge
    let skew: Histogram

    init(_ registry: MetricsRegistry, engine: String) {
        func frames(_ fate: String) -> Counter {
            registry.counter(
                "avatar_engine_frames_total", help: "Pictures of engines, by what became of them.",
                labels: ["engine": engine, "fate": fate])
        }
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter("avatar_engine_\(name)_total", help: help, labels: ["engine": engine])
        }
        func gauge(_ name: String, _ help: String) -> Gauge {
            registry.gauge("avatar_engine_\(name)", help: help, labels: ["engine": engine])
        }
        shown = frames("shown")
        repeated = registry.counter(
            "avatar_engine_missing_frames_total", help: "Moments of speech without a new picture, by what was shown.",
            labels: ["engine": engine, "shown": "last"])
        missing = registry.counter(
            "avatar_engine_missing_frames_total", help: "Moments of speech without a new picture, by what was shown.",
            labels: ["engine": engine, "shown": "idle"])
        late = frames("late")
        stale = frames("stale")
        overtaken = frames("overtaken")
        faults = counter("faults", "Messages of engines that break the protocol.")
        restarts = counter("restarts", "Engines that were started again.")
        hangs = counter("hangs", "Engines that answered no ping.")
        refusedConnections = counter("refused_connections", "Peers whose key is not in the allow-list.")
        refusedHellos = counter("refused_hellos", "Engines that were not welcome.")
        refusedByEngine = counter("refusals", "Requests of ours that an engine refused.")
        droppedLines = counter("dropped_lines", "Lines of engines' output that were too many for the log.")
        receivedBytes = counter("received_bytes", "Bytes that engines sent.")
        connected = gauge("connected", "1 while the engine serves.")
        inferenceRate = gauge("inference_fps", "Pictures a second that the engine makes while it works.")
        queue = gauge("queue", "Pictures that wait for credit in the engine.")
        skew = registry.histogram(
            "avatar_stage_skew_seconds", help: "Distance of a picture from the sound it belongs to, at its tick.",
            bounds: [0.005, 0.01, 0.015, 0.02, 0.03, 0.045, 0.08, 0.15, 0.3])
    }
}
