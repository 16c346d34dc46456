package import Core
internal import WebServer

/// The robot control service's settings, each as in `config/avatar-streamer.yaml`.
package struct RobotControlConfiguration: Sendable {
    /// What lets clients and operators in; nil: nothing is asked.
    package var token: String?
    /// What lets viewers in.
    package var viewerToken: String?
    /// Origins of web pages that may connect besides the service's own page; `*` among them: any.
    package var origins: [String] = []
    package var secondClient = ClientSeat.SecondClient.refuse
    /// Projects, environments, logs and sockets lie here.
    package var storageDirectory: String
    package var maximumMessageBytes = 140_000_000
    package var waitingPushes = 1_000
    package var pingInterval: Duration = .milliseconds(25_000)
    package var pingTimeout: Duration = .milliseconds(20_000)
    /// The former service's ZeroMQ endpoints.
    package var legacy = LegacyEndpoints.Configuration()
    package var logLevel = LogLevel.info
    /// The page's files; nil: no page.
    package var webRoot: String?

    package init(storageDirectory: String) {
        self.storageDirectory = storageDirectory
    }

    var socketIO: SocketIOServer.Configuration {
        var socketIO = SocketIOServer.Configuration()
        socketIO.engine.maximumPayloadBytes = maximumMessageBytes
        socketIO.engine.maximumDroppablePackets = waitingPushes
        socketIO.engine.pingInterval = pingInterval
        socketIO.engine.pingTimeout = pingTimeout
        return socketIO
    }
}
