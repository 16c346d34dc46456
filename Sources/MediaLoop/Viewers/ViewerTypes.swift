package import Core
internal import PeerConnection

/// One candidate as signaling carries it.
package struct CandidateLine: Hashable, Sendable {
    /// `candidate:… typ relay …`.
    package var candidate: String
    package var sdpMid: String
    package var sdpMLineIndex: Int

    package init(candidate: String, sdpMid: String, sdpMLineIndex: Int) {
        self.candidate = candidate
        self.sdpMid = sdpMid
        self.sdpMLineIndex = sdpMLineIndex
    }
}

/// The server's answer to a viewer's offer.
package struct ViewerAnswer: Sendable {
    package var id: ViewerID
    package var sdp: String
    /// Candidates that are known already; later ones come as ``ViewerEvent/candidate(_:)``.
    package var candidates: [CandidateLine]
    /// Ends when the viewer is gone. One consumer.
    package var events: AsyncStream<ViewerEvent>
}

/// The states that the signaling protocol names (`webrtc_state`).
package enum ViewerState: String, Sendable {
    case new, connecting, connected, disconnected, failed, closed
}

/// A phase of getting a viewer connected, for diagnosis.
package enum ConnectionPhase: String, Sendable {
    case offer, relay, ice, dtls, media

    init(_ phase: PeerPhase) {
        self =
            switch phase {
            case .signaling: .offer
            case .ice: .ice
            case .dtls: .dtls
            case .connected, .failed, .closed: .media
            }
    }
}

package enum ViewerEvent: Sendable {
    case stateChanged(ViewerState)
    case candidate(CandidateLine)
    /// Which phase failed and why, in words for a person.
    case phaseFailed(phase: ConnectionPhase, reason: String)
}

/// Why a viewer could not be served.
package struct ViewerError: Error, Hashable, Sendable {
    package enum Code: Sendable {
        case stageUnknown, viewerUnknown, invalidOffer, limitReached, draining, relayUnavailable
    }
    package var code: Code
    package var reason: String

    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// What the media loop is doing, for `/health` and the log.
package struct MediaLoopSummary: Sendable {
    package var viewers = 0
    package var stages = 0
    /// Allocations on the embedded relay, or 1 where the external relay's allocation stands.
    package var allocations = 0
    /// `listening`, `allocated`, `allocating`, `failed`, `off`.
    package var relayState = "off"
    package init() {}
}
