package import Core
package import PeerConnection

/// What happens on a call of ours, in the order of its happening.
package enum CallEvent: Sendable {
    /// In the words of `RTCIceConnectionState`: `checking`, `connected`, `completed`, `disconnected`, `failed`.
    case iceStateChanged(String)
    /// Datagrams go this way from now on.
    case pathFound(local: SocketAddress, remote: SocketAddress)
    /// Keys are agreed on; sound and picture may flow.
    case connected(SRTPProfile)
    /// The association is up; what is sent on a channel goes out.
    case sctpConnected
    /// The association did not come up, or is over. Sound and picture go on.
    case sctpEnded(reason: String)
    /// The peer has answered the opening of a channel, or opened one itself. Some peers never answer.
    case channelOpened(DataChannelID, label: String)
    case message(DataChannelMessage, on: DataChannelID)
    /// What waited to be sent has gone; a channel that was full takes messages again.
    case channelReady(DataChannelID)
    case channelClosed(DataChannelID)
    case media(ReceivedPacket)
    /// It did not come up, or is lost. Nothing more comes but the end, which the owner brings by ``OutgoingCall/close(_:)``.
    case failed(phase: PeerPhase, CallFailure)
    /// The peer said goodbye.
    case closed
}

/// Why a call failed.
package struct CallFailure: Error, Hashable, Sendable {
    package enum Code: Hashable, Sendable {
        /// No pair of addresses works, or the one that did has fallen silent.
        case noPath
        /// The peer's certificate is another than its description promised.
        case fingerprint
        /// The peer speaks no SRTP profile of ours.
        case noCommonProfile
        /// The DTLS handshake was not answered to its end.
        case handshakeTimeout
        /// An alert, no common cipher, a damaged record.
        case dtls
    }
    package var code: Code
    package var reason: String

    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// What is known of a call at one moment; enough to tell where it hangs.
package struct CallStatistics: Sendable {
    package var peer: PeerStatistics
    /// Datagrams of any kind on this call's sockets.
    package var datagramsReceived: UInt64 = 0
    /// Checks of the peer with the credentials of our offer, and answers to checks of ours.
    package var checksAuthenticated: UInt64 = 0
    /// Checks that name or use other credentials than those of our offer.
    package var checksRefused: UInt64 = 0
    /// Datagrams of DTLS: handshake, data channel, goodbye.
    package var recordsReceived: UInt64 = 0
    /// Addresses that the peer's description names, usable or not.
    package var remoteCandidates: [SocketAddress] = []
    /// Those of them that no check is sent to, with the reason.
    package var refusedCandidates: [String] = []
}
