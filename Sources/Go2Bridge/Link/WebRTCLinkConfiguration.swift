internal import Core

/// How one robot is called over WebRTC, and when it counts as lost.
package struct WebRTCLinkConfiguration: Sendable {
    /// The robot's name in the configuration; for logs and metrics.
    package var name: String
    /// The one interface that the robot may be reached on; nil: whichever leads to it.
    package var interface: String?
    package var limits = ConnectionPhases.Limits()
    package var reconnection = ReconnectionPolicy.Configuration()
    package var session = RobotSessionLimits()
    /// Nothing on the data channel for that long, of a robot that talked before, although heartbeats were sent: it is lost.
    package var silenceLimit: Duration = .seconds(10)
    /// No answer to ICE's checks for that long: it is lost.
    package var consentTimeout: Duration = .seconds(10)
    /// Candidates of an offer at most; robots read a short description only.
    package var maximumCandidates = 4
    /// Bytes that may wait in the data channel; what is more waits in the session, where a stop overtakes it. Above the longest
    /// message.
    package var maximumBufferedBytes = 512 << 10
    /// After so many failed attempts it gives up; nil: never.
    package var maximumAttempts: Int?

    package init(name: String) {
        self.name = name
    }
}

/// How a robot is found, and how it is handed an offer.
package struct RobotExchange: Sendable {
    package typealias Witness = RobotSignaling.Witness

    /// False where the address is known beforehand.
    package let isDiscovering: Bool
    let find: @Sendable (@escaping Witness) async throws(PhaseFailure) -> RobotAddress
    let exchange: @Sendable (String, RobotAddress, @escaping Witness) async throws(PhaseFailure) -> SignalingAnswer

    /// - Parameters:
    ///   - find: asked once an attempt, since a robot may get another address.
    ///   - exchange: takes an offer and returns the robot's answer.
    package init(
        isDiscovering: Bool, find: @escaping @Sendable (@escaping Witness) async throws(PhaseFailure) -> RobotAddress,
        exchange:
            @escaping @Sendable (String, RobotAddress, @escaping Witness) async throws(PhaseFailure) ->
            SignalingAnswer
    ) {
        self.isDiscovering = isDiscovering
        self.find = find
        self.exchange = exchange
    }

    /// A robot whose address is configured.
    package init(signaling: RobotSignaling, address: RobotAddress) {
        self.init(isDiscovering: false) { _ throws(PhaseFailure) in
            address
        } exchange: { offer, robot, witness throws(PhaseFailure) in
            try await signaling.exchange(offer: offer, with: robot, witness: witness)
        }
    }
}
