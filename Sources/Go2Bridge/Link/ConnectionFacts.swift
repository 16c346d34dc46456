package import Core

/// What a connection shows of itself at one moment; what a diagnosis is drawn from.
package struct ConnectionFacts: Sendable, Equatable {
    /// The browser's words: `new`, `checking`, `connected`, `completed`, `disconnected`, `failed`, `closed`.
    package var iceState = "new"
    /// `new`, `connecting`, `connected`, `disconnected`, `failed`, `closed`.
    package var connectionState = "new"
    /// Of the channel `data`: `closed` until SCTP is up, then `open`.
    package var channelState = "closed"
    /// `new`, and `complete` once our candidates are known.
    package var gatheringState = "new"
    /// Addresses of ours that the offer names.
    package var localCandidates: [SocketAddress] = []
    /// Addresses that the robot's answer names.
    package var remoteCandidates: [SocketAddress] = []
    /// Those of them that no check is sent to, with the reason.
    package var refusedCandidates: [String] = []
    /// Ours and the robot's address that datagrams go between; empty before one was found.
    package var path = ""
    package var datagramsReceived: UInt64 = 0
    package var checksAuthenticated: UInt64 = 0
    /// Checks that came with other credentials than our offer's.
    package var checksRefused: UInt64 = 0
    /// Datagrams of DTLS.
    package var recordsReceived: UInt64 = 0
    /// The robot's answer refuses the data channel.
    package var isChannelRefused = false
    /// SCTP's INIT and its retransmissions.
    package var initsSent: UInt64 = 0
    /// Messages on the data channel.
    package var messagesReceived: UInt64 = 0
    /// Answers given to the robot's challenge.
    package var validationAnswers: UInt64 = 0
    /// Times that the robot said that it wants to be answered still.
    package var validationRefusals: UInt64 = 0
    /// RTP packets of the camera since it was switched on.
    package var picturePackets: UInt64 = 0

    package init() {}

    /// `channel closed, connection connected, ICE completed, gathering complete`
    package var states: String {
        "channel \(channelState), connection \(connectionState), ICE \(iceState), gathering \(gatheringState)"
    }
}
