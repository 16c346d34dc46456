package import Core
package import TURNClient

/// One remote peer: its descriptions, its path, its keys, and the media both ways.
///
/// Does no I/O. After every input drain ``pollTransmit()`` and ``pollEvent()`` to nil, then arm ``deadline``. Media frames take
/// a way of their own, ``write(_:into:reservingBefore:now:)``, which writes finished datagrams into the driver's batch.
/// - SeeAlso: [RFC 8829](https://www.rfc-editor.org/rfc/rfc8829), [RFC 8827](https://www.rfc-editor.org/rfc/rfc8827)
package struct PeerConnection: ~Copyable {
    package enum Role: Sendable {
        case offerer
        case answerer
    }

    package struct Configuration: Sendable {
        package var role: Role
        package var capabilities: MediaCapabilities
        /// Its role is set by ``role``: the offerer controls (RFC 8445 §6.1.1).
        package var ice: ICEAgent.Configuration
        /// What ``PeerConnection/deliversReceivedMedia`` begins with.
        package var deliversReceivedMedia: Bool
        /// Data channels, where both descriptions have a section for them; nil for none.
        package var dataChannels: DataChannelLimits? {
            get { capabilities.dataChannels }
            set { capabilities.dataChannels = newValue }
        }

        package init(
            role: Role, capabilities: MediaCapabilities = MediaCapabilities(),
            ice: ICEAgent.Configuration? = nil, deliversReceivedMedia: Bool = false,
            dataChannels: DataChannelLimits? = nil
        ) {
            self.role = role
            self.capabilities = capabilities
            self.ice = ice ?? ICEAgent.Configuration(role: role == .offerer ? .controlling : .controlled)
            self.deliversReceivedMedia = deliversReceivedMedia
            if let dataChannels { self.capabilities.dataChannels = dataChannels }
        }
    }

    package enum Event: Sendable {
        case iceStateChanged(ICEState)
        /// Media goes here from now on.
        case selectedPair(SelectedPair)
        case dtlsConnected(SRTPProfile)
        /// Path and keys are there: media may flow.
        case connected
        /// The peer cannot go on without a key frame.
        case keyFrameRequested
        case rtpReceived(ReceivedPacket)
        /// The SCTP association is up: channels may be used, answered or not.
        case sctpConnected
        /// The association did not come up, or is over; every channel's end came before. Media is not touched by it.
        case sctpEnded(reason: String)
        /// The peer opened a channel, or answered our opening of one, by an acknowledgement or by its first message.
        case dataChannelOpened(DataChannelID, DataChannelSettings, isIncoming: Bool)
        case dataChannelMessage(DataChannelID, DataChannelMessage)
        /// Less waits to be sent than before: a channel whose sending failed with ``DataChannelError/bufferFull``, or would have
        /// soon, can go on.
        case dataChannelBufferLow(DataChannelID)
        /// By either side, or with the association. Nothing more comes of this channel.
        case dataChannelClosed(DataChannelID)
        /// It will not come up, or will not come back: `phase` tells where it was.
        case failed(phase: PeerPhase, reason: String)
        /// The peer said goodbye.
        case closed
    }

    /// A datagram to be sent.
    package struct Transmit: Hashable, Sendable {
        package var bytes: [UInt8]
        package var destination: SocketAddress
        package var local: LocalCandidateID
    }

    /// DTLS datagrams that may wait for a path; a ClientHello with a post-quantum key share takes two.
    static let maximumEarlyDatagrams = 4
    /// Between two compound reports (RFC 3550 §6.2 gives small sessions 5 s; players synchronise by the first ones).
    static let reportInterval: Duration = .seconds(1)
    /// From the keys to the first report.
    static let firstReportDelay: Duration = .milliseconds(100)

    package let configuration: Configuration
    /// Inbound media becomes ``Event/rtpReceived(_:)``; else it is counted and dropped.
    package var deliversReceivedMedia: Bool
    let context: DTLSContext
    let random: RandomSource

    package internal(set) var phase: PeerPhase = .signaling
    var ice: ICEAgent
    var negotiation: OfferAnswer
    /// What both descriptions agreed on.
    package internal(set) var session: NegotiatedSession?
    /// Ours, in the order of their adding, for descriptions that embed them.
    var localCandidates: [Candidate] = []

    var dtls: DTLSConnection?
    var earlyDatagrams: [[UInt8]] = []
    /// When DTLS is due, as of the last input.
    var dtlsDeadline: Instant?
    /// Of the two contexts that follow; nil until the handshake is over.
    package internal(set) var profile: SRTPProfile?
    var outbound: SRTPSendContext?
    var inbound: SRTPReceiveContext?
    /// Where media goes; nil while no path is proven or the peer's consent is gone.
    package internal(set) var path: MediaPath?

    var video: RTPSendStream?
    var audio: RTPSendStream?
    var sendsVideo = false
    var sendsAudio = false
    /// Of the picture that we send; nil while we send none.
    package internal(set) var videoCodec: MediaCodec?
    /// A decoder can begin only with a key frame.
    var hasSentKeyFrame = false
    var transportSequenceNumber: UInt16 = 0
    /// The SCTP association and its channels; nil where none are configured.
    var channels: DataChannels?
    var receivedVideo: InboundStream?
    var receivedAudio: InboundStream?
    /// The SSRC of our reports where we send nothing.
    let reportSSRC: SSRC
    var nextReport: Instant?
    /// FIR numbers seen, by sender: a repeated number is the same demand (RFC 5104 §4.3.1.2).
    var lastFullIntraRequest: UInt8?
    var hasKeyFrameRequestPending = false

    let createdAt: Instant
    var negotiatedAt: Instant?
    var pathFoundAt: Instant?
    var connectedAt: Instant?
    var keyFrameRequests: UInt64 = 0
    var estimatedBitRate: UInt64?
    var bytesSent: UInt64 = 0
    var packetsSent: UInt64 = 0
    var datagramsRefused: UInt64 = 0

    var transmits = PendingQueue<Transmit>()
    var events = PendingQueue<Event>()

    package init(configuration: Configuration, context: DTLSContext, random: RandomSource, now: Instant) {
        var configuration = configuration
        configuration.ice.role = configuration.role == .offerer ? .controlling : .controlled
        self.configuration = configuration
        deliversReceivedMedia = configuration.deliversReceivedMedia
        self.context = context
        self.random = random
        ice = ICEAgent(configuration: configuration.ice, random: random)
        channels = configuration.dataChannels.map { DataChannels(limits: $0) }
        negotiation = OfferAnswer(capabilities: configuration.capabilities, random: random)
        reportSSRC = SSRC(random.uint32() | 1)
        createdAt = now
    }

    /// Names this peer in the demultiplexer; another after an ICE restart.
    package var localUsernameFragment: String { ice.localUsernameFragment }
    /// The fragment before a restart, which checks may name until the restart is through.
    package var previousLocalUsernameFragment: String? { ice.previousLocalUsernameFragment }
    package var selectedPair: SelectedPair? { ice.selectedPair }
    package var iceState: ICEState { ice.state }
    var isOver: Bool { phase == .closed || phase == .failed }

    /// What to send next; nil when there is nothing more.
    package mutating func pollTransmit() -> Transmit? {
        if let check = ice.pollTransmit() {
            return Transmit(bytes: check.bytes, destination: check.destination, local: check.local)
        }
        return transmits.popFirst()
    }

    /// What happened; nil when there is nothing more.
    package mutating func pollEvent() -> Event? {
        let event = events.popFirst()
        if case .keyFrameRequested = event { hasKeyFrameRequestPending = false }
        return event
    }

    /// When ``handleTimeout(now:wallTime:)`` is due; nil where nothing is awaited.
    package var deadline: Instant? {
        guard phase != .closed else { return nil }
        var earliest = ice.deadline ?? .distantFuture
        if let deadline = dtlsDeadline { earliest = min(earliest, deadline) }
        if path != nil, let deadline = channelsDeadline { earliest = min(earliest, deadline) }
        if path != nil, let nextReport { earliest = min(earliest, nextReport) }
        if path != nil, let deadline = receivedVideo?.missing.deadline { earliest = min(earliest, deadline) }
        return earliest == .distantFuture ? nil : earliest
    }

    package mutating func handleTimeout(now: Instant, wallTime: WallTime) {
        guard phase != .closed else { return }
        ice.handleTimeout(now: now)
        dtls?.handleTimeout(now: now)
        channels?.handleTimeout(now: now)
        takeOutputs(now: now)
        guard phase == .connected, path != nil else { return }
        if let due = nextReport, due <= now {
            nextReport = now + Self.reportInterval
            sendReports(now: now, wallTime: wallTime)
        }
        requestMissingPackets(now: now)
    }

    /// Says goodbye, RTCP BYE and close_notify, and ends everything.
    package mutating func close(now: Instant) {
        guard phase != .closed else { return }
        if phase == .connected {
            sendGoodbye()
            channels?.abort(now: now)
            sendChannelPackets()
        }
        dtls?.close()
        collectDTLSTransmits()
        end(as: .closed, now: now)
    }

    package var statistics: PeerStatistics {
        PeerStatistics(
            phase: phase, iceState: ice.state,
            durations: PeerStatistics.Durations(
                signaling: negotiatedAt.map { $0 - createdAt },
                ice: duration(from: negotiatedAt, to: pathFoundAt), dtls: duration(from: pathFoundAt, to: connectedAt)),
            selectedPair: ice.selectedPair,
            roundTripTime: video?.statistics.roundTripTime ?? audio?.statistics.roundTripTime
                ?? ice.selectedPair?.roundTripTime,
            profile: profile, video: video?.statistics, audio: audio?.statistics,
            receivedVideo: receivedVideo?.summary, receivedAudio: receivedAudio?.summary,
            keyFrameRequests: keyFrameRequests, estimatedBitRate: estimatedBitRate, bytesSent: bytesSent,
            packetsSent: packetsSent, datagramsRefused: datagramsRefused, sctp: sctpStatistics)
    }

    private func duration(from start: Instant?, to end: Instant?) -> Duration? {
        guard let start, let end else { return nil }
        return end - start
    }
}
