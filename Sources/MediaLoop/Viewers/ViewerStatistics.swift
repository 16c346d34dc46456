internal import Core
internal import PeerConnection
internal import TURNClient

/// One viewer's figures, for the page, the operator and the tests.
package struct ViewerStatistics: Sendable {
    package var state: ViewerState = .new
    /// `relay`, `host`; empty until a pair is selected.
    package var localCandidateType = ""
    package var remoteCandidateType = ""
    package var roundTripTimeMilliseconds: Double?
    package var packetsSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var packetsRetransmitted: UInt64 = 0
    /// 0...1, as the viewer's last receiver report says.
    package var fractionLost: Double = 0
    package var keyFrameRequests: UInt64 = 0
    /// The picture's, as agreed: `VP8`, `H264`; empty where it takes no picture.
    package var videoCodec = ""
    package var openChannels = 0
    /// Of its microphone.
    package var soundPacketsReceived: UInt64 = 0

    package init() {}

    init(_ peer: PeerStatistics, state: ViewerState) {
        self.state = state
        localCandidateType = peer.selectedPair?.localType.rawValue ?? ""
        remoteCandidateType = peer.selectedPair?.remoteType.rawValue ?? ""
        roundTripTimeMilliseconds = peer.roundTripTime?.milliseconds
        packetsSent = peer.packetsSent
        bytesSent = peer.bytesSent
        packetsRetransmitted = peer.video?.packetsRetransmitted ?? 0
        fractionLost = peer.video?.fractionLost ?? 0
        keyFrameRequests = peer.keyFrameRequests
        soundPacketsReceived = peer.receivedAudio?.packetsReceived ?? 0
    }
}
