internal import Core
internal import MediaPipeline
internal import PeerConnection
internal import TURNClient

/// One viewer as the loop holds it: its peer, where it watches, and when its timer is due.
final class Viewer {
    let id: ViewerID
    let stage: StageID
    /// The signaling connection's own address, for early permissions and the per-address limit.
    let signalingAddress: IPAddress?
    var peer: PeerConnection
    let events: AsyncStream<ViewerEvent>.Continuation
    var state = ViewerState.new
    /// The fragments that checks may name; a restart adds one, and the old one stays valid for late checks.
    var fragments: [String] = []
    /// When the queue will wake this viewer; later deadlines wait for that wake-up.
    var armedDeadline: Instant?
    /// True once media can be sent.
    var isReady = false
    /// True once a key frame went out, so that what follows can be decoded.
    var hasPicture = false
    /// When the frames since the last key frame were last sent to it as a repair.
    var lastCatchUp: Instant?
    let created: Instant
    /// Distinct addresses of its candidates that a relay was asked to permit.
    var permittedAddresses: Set<IPAddress> = []
    /// The address that an external relay was asked to bind a channel to.
    var boundAddress: SocketAddress?
    /// Candidates that wait for a permission.
    var heldCandidateCount = 0
    /// The picture's codec, as agreed; nil where it takes no picture.
    private(set) var videoCodec: MediaCodec?
    /// It takes sound.
    private(set) var takesSound = false
    /// Who takes what it says over its data channels; nil where it may not have any.
    let channels: (any ViewerChannels)?
    var openChannels: [DataChannelID: OpenChannel] = [:]
    var channelRate: MessageRate
    /// Where the viewer's own sound goes; nil where nobody listens.
    private(set) var microphone: (any MicrophoneSink)?

    init(
        id: ViewerID, stage: StageID, signalingAddress: IPAddress?, peer: consuming PeerConnection,
        channels: (any ViewerChannels)?, channelRate: MessageRate, events: AsyncStream<ViewerEvent>.Continuation,
        created: Instant
    ) {
        self.id = id
        self.stage = stage
        self.signalingAddress = signalingAddress
        self.peer = peer
        self.channels = channels
        self.channelRate = channelRate
        self.events = events
        self.created = created
        takeAgreement()
    }

    /// Reads what the last exchange of descriptions agreed on.
    func takeAgreement() {
        let agreed = peer.session?.sending(.video)?.sending?.codec
        // Another codec has pictures of its own: it begins with a key frame.
        if agreed != videoCodec {
            hasPicture = false
            lastCatchUp = nil
        }
        videoCodec = agreed
        takesSound = peer.session?.sending(.audio) != nil
    }

    /// Gives the viewer's sound to `new` from now on. Without a listener the peer keeps nothing of what it receives.
    func listen(with new: (any MicrophoneSink)?) {
        microphone?.ended()
        microphone = new
        peer.deliversReceivedMedia = new != nil
    }

    /// Tells signaling about a new state, once.
    func enter(_ new: ViewerState) {
        guard new != state, state != .closed else { return }
        state = new
        events.yield(.stateChanged(new))
    }
}
