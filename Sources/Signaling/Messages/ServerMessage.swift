package import Conversation
package import Core
package import MediaLoop
package import MediaPipeline

/// What the server says on the WebSocket. Each case is one `type` of the protocol.
package enum ServerMessage: Equatable, Sendable {
    case candidate(CandidateLine)
    case answer(sdp: String)
    case state(ViewerState)
    /// What a `text_webrtc` or `text` is worked on with, before anything is heard.
    case processingStatus(status: String, message: String)
    /// The next piece of an answer as it is written.
    case textStream(token: String)
    case textComplete(content: String, role: String)
    /// What was understood of a spoken question.
    case transcription(content: String)
    case activity(StageActivity)
    case turn(TurnTimeline)
    case error(content: String)
    case speechStarted(UtteranceID)
    case speechFinished(UtteranceID, playbackPosition: Duration, isInterrupted: Bool)
    case pong
    case hello(sessionID: String?)
    /// What only a robot's clients are told.
    case robot(RobotServerMessage)

    /// The protocol version that `hello` tells.
    package static let version: Int64 = 1

    /// The text frame. Messages of the former service carry an ISO 8601 `timestamp`.
    package func text(at time: WallTime) -> String {
        json(timestamp: .string(time.iso8601)).text
    }

    /// The message's `type`.
    var type: String {
        switch self {
        case .candidate: "webrtc_ice_candidate"
        case .answer: "webrtc_answer"
        case .state: "webrtc_state"
        case .processingStatus: "processing_status"
        case .textStream: "text_stream"
        case .textComplete: "text_complete"
        case .transcription: "transcription"
        case .activity: "activity"
        case .turn: "turn"
        case .error: "error"
        case .speechStarted: "speech_started"
        case .speechFinished: "speech_finished"
        case .pong: "pong"
        case .hello: "hello"
        case .robot(let message): message.type
        }
    }

    private func json(timestamp: JSONValue) -> JSONValue {
        var members = members(timestamp: timestamp)
        members["type"] = .string(type)
        return .object(members)
    }

    /// Every member but the type.
    private func members(timestamp: JSONValue) -> [String: JSONValue] {
        switch self {
        case .candidate(let line):
            ["candidate": line.json]
        case .answer(let sdp):
            ["sdp": .string(sdp), "timestamp": timestamp]
        case .state(let state):
            ["state": .string(state.rawValue), "timestamp": timestamp]
        case .processingStatus(let status, let message):
            [
                "status": .string(status), "message": .string(message),
                "timestamp": timestamp,
            ]
        case .textComplete(let content, let role):
            [
                "content": .string(content), "role": .string(role), "timestamp": timestamp,
            ]
        case .textStream(let token):
            ["token": .string(token), "role": "assistant", "timestamp": timestamp]
        case .transcription(let content):
            ["content": .string(content), "role": "user", "timestamp": timestamp]
        case .activity(let activity):
            ["state": .string(activity.rawValue), "timestamp": timestamp]
        case .turn(let turn):
            [
                "turn_id": .string(turn.turn.description), "kind": .string(turn.kind.rawValue),
                "heard_ms": Self.milliseconds(turn.timeToHeard),
                "transcript_ms": Self.milliseconds(turn.timeToTranscript),
                "first_token_ms": Self.milliseconds(turn.timeToFirstToken),
                "first_sound_ms": Self.milliseconds(turn.timeToFirstSound),
                "server_share_ms": Self.milliseconds(turn.serverShare), "timestamp": timestamp,
            ]
        case .error(let content):
            ["content": .string(content), "timestamp": timestamp]
        case .speechStarted(let utterance):
            Self.speech(utterance, position: .zero, isInterrupted: false, timestamp)
        case .speechFinished(let utterance, let position, let isInterrupted):
            Self.speech(utterance, position: position, isInterrupted: isInterrupted, timestamp)
        case .pong:
            ["timestamp": timestamp]
        case .hello(let sessionID):
            ["version": .integer(Self.version), "session_id": JSONValue(sessionID)]
        case .robot(let message):
            message.members.merging(["timestamp": timestamp]) { own, _ in own }
        }
    }

    /// Tenths of a millisecond are enough; null where that did not happen.
    private static func milliseconds(_ duration: Duration?) -> JSONValue {
        duration.map { .number(Double($0.nanoseconds / 100_000) / 10) } ?? .null
    }

    private static func speech(
        _ utterance: UtteranceID, position: Duration, isInterrupted: Bool, _ timestamp: JSONValue
    ) -> [String: JSONValue] {
        [
            "utterance_id": .string(utterance.value),
            "playback_position_ms": .integer(position.nanoseconds / 1_000_000),
            "interrupted": .boolean(isInterrupted), "timestamp": timestamp,
        ]
    }
}

extension ServerMessage {
    /// What those who watch a conversation are told of it; nil for what is no message of its own.
    package init?(_ event: ConversationEvent) {
        switch event {
        case .activityChanged(let activity): self = .activity(activity)
        case .userSpeaking: return nil
        case .transcription(let text): self = .transcription(content: text)
        case .textStream(let token): self = .textStream(token: token)
        case .textComplete(let text): self = .textComplete(content: text, role: "assistant")
        case .processing(let status, let message): self = .processingStatus(status: status, message: message)
        case .speechStarted(let utterance): self = .speechStarted(utterance)
        case .speechFinished(let utterance, let position, let isInterrupted):
            self = .speechFinished(utterance, playbackPosition: position, isInterrupted: isInterrupted)
        case .failed(let error): self = .error(content: "\(error.part): \(error.reason) (\(error.remedy))")
        case .turn(let timeline): self = .turn(timeline)
        }
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
