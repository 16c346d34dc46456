/// Everything an operator can set; the initial values are the embedded defaults.
///
/// What each value means is written once, above its key in `config/avatar-streamer.yaml`.
struct Configuration: Equatable, Sendable {
    enum Connectivity: String, CaseIterable, Sendable {
        case relay, direct, all
    }
    enum Relay: String, CaseIterable, Sendable {
        case embedded, external
    }

    struct Management: Equatable, Sendable {
        var host = "0.0.0.0"
        var port = 9000
        var bearerToken = ""
        var corsOrigins = ["*"]
    }
    struct Signaling: Equatable, Sendable {
        var host = "0.0.0.0"
        var port = 9001
        var publicURL = ""
        var userToken = ""
    }
    struct Sessions: Equatable, Sendable {
        var maximum = 100
        var timeoutSeconds = 3600
    }
    struct WebRTC: Equatable, Sendable {
        var publicIP = "auto"
        var bindAddress = "0.0.0.0"
        var portMinimum = 10110
        var portMaximum = 10115
        var stunServer = ""
        var turnServer = ""
        var turnServerLocal = ""
        var turnUsername = ""
        var turnPassword = ""
        var turnSharedSecret = ""
        var turnLocalPort = 10116
        var credentialLifetimeSeconds = 3600
        var maximumViewers = 1000
        var maximumViewersPerAddress = 1000
    }
    struct EmbeddedRelay: Equatable, Sendable {
        var realm = "avatar-streamer"
        var sharedSecret = ""
        var allocationsPerCredential = 12
        var allocationsPerAddress = 4096
        var streamConnections = 1024
    }
    struct Avatar: Equatable, Sendable {
        var width = 512
        var height = 512
        var framesPerSecond = 30
        var videoBitRate = 1_000_000
        var audioBitRate = 48_000
    }
    struct Avatars: Equatable, Sendable {
        var directory = "var/avatars"
        var videoRoots: [String] = []
        var maximumUploadBytes = 67_108_864
        var maximumCount = 1000
    }
    struct PublicStage: Equatable, Sendable {
        var enabled = true
        var name = "avatar"
        var avatarID = ""
    }
    struct WHEP: Equatable, Sendable {
        var enabled = true
        var bearerToken = ""
    }
    struct Storage: Equatable, Sendable {
        var stateDirectory = "var/state"
        var webRoot = "Web"
    }
    struct Logging: Equatable, Sendable {
        enum Format: String, CaseIterable, Sendable {
            case auto, text, json
        }
        enum Level: String, CaseIterable, Sendable {
            case debug, info, warning, error
        }
        var level = Level.info
        var format = Format.auto
        var showAddresses = false
    }
    struct Shutdown: Equatable, Sendable {
        var drainSeconds = 5
    }

    var connectivity = Connectivity.relay
    var relay = Relay.embedded
    var management = Management()
    var signaling = Signaling()
    var sessions = Sessions()
    var webRTC = WebRTC()
    var embeddedRelay = EmbeddedRelay()
    var avatar = Avatar()
    var avatars = Avatars()
    var publicStage = PublicStage()
    var whep = WHEP()
    var storage = Storage()
    var logging = Logging()
    var shutdown = Shutdown()
    var robotControl = RobotControl()
    /// What holds for every avatar whose profile says nothing else.
    var conversation = Conversation()
    /// By name.
    var engines: [String: Engine] = [:]
    /// By avatar id.
    var profiles: [String: Profile] = [:]
    /// By name.
    var robots: [String: Robot] = [:]
    /// By name, which is for logs alone.
    var access: [String: Access] = [:]
}
