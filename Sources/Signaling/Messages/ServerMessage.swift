package import Core
package import MediaLoop

/// What the server says on the WebSocket. Each case is one `type` of the protocol.
package enum ServerMessage: Equatable, Sendable {
    case candidate(CandidateLine)
    case answer(sdp: String)
    case state(ViewerState)
    /// What a `text_webrtc` or `text` is worked on with, before anything is heard.
    case processingStatus(status: String, message: String)
    case textComplete(content: String, role: String)
    case error(content: String)
    case speechStarted(UtteranceID)
    case speechFinished(UtteranceID, playbackPosition: Duration, isInterrupted: Bool)
    case pong
    case hello(sessionID: String?)

    /// The protocol version that `hello` tells.
    package static let version: Int64 = 1

    /// The text frame. Messages of the former service carry an ISO 8601 `timestamp`.
    package func text(at time: WallTime) -> String {
        json(timestamp: .string(time.iso8601)).text
    }

    private func json(timestamp: JSONValue) -> JSONValue {
        switch self {
        case .candidate(let line):
            ["type": "webrtc_ice_candidate", "candidate": line.json]
        case .answer(let sdp):
            ["type": "webrtc_answer", "sdp": .string(sdp), "timestamp": timestamp]
        case .state(let state):
            ["type": "webrtc_state", "state": .string(state.rawValue), "timestamp": timestamp]
        case .processingStatus(let status, let message):
            [
                "type": "processing_status", "status": .string(status), "message": .string(message),
                "timestamp": timestamp,
            ]
        case .textComplete(let content, let role):
            [
                "type": "text_complete", "content": .string(content), "role": .string(role), "timestamp": timestamp,
            ]
        case .error(let content):
            ["type": "error", "content": .string(content), "timestamp": timestamp]
        case .speechStarted(let utterance):
            Self.speech("speech_started", utterance, position: .zero, isInterrupted: false, timestamp)
        case .speechFinished(let utterance, let position, let isInterrupted):
            Self.speech("speech_finished", utterance, position: position, isInterrupted: isInterrupted, timestamp)
        case .pong:
            ["type": "pong", "timestamp": timestamp]
        case .hello(let sessionID):
            ["type": "hello", "version": .integer(Self.version), "session_id": JSONValue(sessionID)]
        }
    }

    private static func speech(
        _ type: String, _ utterance: UtteranceID, position: Duration, isInterrupted: Bool, _ timestamp: JSONValue
    ) -> JSONValue {
        [
            "type": .string(type), "utterance_id": .string(utterance.value),
            "playback_position_ms": .integer(position.nanoseconds / 1_000_000),
            "interrupted": .boolean(isInterrupted), "timestamp": timestamp,
        ]
    }
}

extension CandidateLine {
    var json: JSONValue {
        [
            "candidate": .string(candidate), "sdpMid": .string(sdpMid),
            "sdpMLineIndex": .integer(Int64(sdpMLineIndex)),
        ]
    }
}
