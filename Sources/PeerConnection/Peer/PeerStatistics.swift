package import TURNClient

/// What is known of one peer at one moment.
package struct PeerStatistics: Sendable {
    /// How long each phase took; nil while it is not over.
    package struct Durations: Sendable, Equatable {
        /// From the peer's making until both descriptions were there.
        package var signaling: Duration?
        /// From then until a path worked.
        package var ice: Duration?
        /// From then until keys were agreed on.
        package var dtls: Duration?
    }

    package var phase: PeerPhase
    package var iceState: ICEState
    package var durations: Durations
    package var selectedPair: SelectedPair?
    /// By RTCP where a report said so, else by ICE's checks.
    package var roundTripTime: Duration?
    package var profile: SRTPProfile?
    package var video: RTPSendStream.Statistics?
    package var audio: RTPSendStream.Statistics?
    package var receivedVideo: InboundStatistics?
    package var receivedAudio: InboundStatistics?
    /// Key frames that the peer asked for by PLI or FIR.
    package var keyFrameRequests: UInt64
    /// What the peer believes the path carries (REMB), in bits per second.
    package var estimatedBitRate: UInt64?
    /// Datagrams' bytes that media and RTCP took, protection included.
    package var bytesSent: UInt64
    package var packetsSent: UInt64
    package var datagramsRefused: UInt64
    /// Nil where data channels are not configured.
    package var sctp: SCTPStatistics?
}

/// What is known of one inbound stream.
package struct InboundStatistics: Sendable, Equatable {
    package var packetsReceived: UInt64
    package var payloadBytesReceived: UInt64
    package var jitter: Duration
    /// Sequence numbers that were asked for again.
    package var packetsRequested: UInt64
    /// Those that came, by retransmission or late.
    package var packetsRecovered: UInt64
    /// Those given up.
    package var packetsAbandoned: UInt64
}
