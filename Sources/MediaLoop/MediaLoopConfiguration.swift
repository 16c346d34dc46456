internal import Networking
package import PeerConnection

/// Everything that the media loop needs to know before it starts.
package struct MediaLoopConfiguration: Sendable {
    package var connectivity: ConnectivityConfiguration
    /// Viewers at most, over all stages.
    package var maximumViewers: Int = 1000
    /// Viewers at most that one remote address may have; behind a tunnel all share one address.
    package var maximumViewersPerAddress: Int = 1000

    /// How long a viewer is sent to without a sign of life (RFC 7675 §5.1: 30 s).
    package var consentTimeout: Duration = .seconds(30)

    /// From a viewer's offer to media; one that takes longer gives its place back. ICE alone may take 40 s.
    package var connectTimeout: Duration = .seconds(60)

    /// What viewers may do with data channels, where they are offered any.
    package var dataChannels: DataChannelLimits
    /// Data channel messages a second that one viewer may send; more are dropped and counted. A gamepad sends 60.
    package var maximumChannelMessagesPerSecond = 200

    package init(connectivity: ConnectivityConfiguration) {
        self.connectivity = connectivity
        dataChannels = DataChannelLimits()
        dataChannels.maximumMessageBytes = 64 << 10
        dataChannels.maximumChannels = 4
        dataChannels.maximumBufferedBytes = 1 << 20
        dataChannels.maximumIncompleteBytes = 128 << 10
    }
}

/// Why the media loop could not start: what failed, and what mends it.
package struct MediaLoopError: Error, Hashable, Sendable {
    package enum Code: Sendable { case portUnavailable, certificate, system }
    package var code: Code
    package var reason: String
    package var remedy: String

    init(code: Code, reason: String, remedy: String) {
        self.code = code
        self.reason = reason
        self.remedy = remedy
    }

    init(_ code: Code, _ error: SocketError) {
        self.init(
            code: error.code == .addressInUse ? .portUnavailable : .system, reason: "\(error)",
            remedy: error.holder.map { "stop \($0), or set webrtc.port_min and webrtc.port_max" }
                ?? "check webrtc.bind_address, webrtc.port_min and webrtc.port_max")
    }
}
