internal import Core
package import MediaLoop

/// What a viewer says on the WebSocket, as far as it can be checked without knowing the connection.
///
/// The fields' names and the texts of ``ClientMessageError`` are the former service's and cannot change.
package enum ClientMessage: Equatable, Sendable {
    /// Chooses the avatar.
    case setUp(avatarID: String?)
    case offer(Offer)
    case candidate(userID: String, CandidateLine)
    /// Answer this aloud, or say it as it is.
    case speak(Utterance)
    /// A question that needs no peer connection: without a viewer the answer comes as text alone.
    case text(content: String, avatarID: String?, tutorID: Int?)
    /// A recorded question, a whole audio file.
    case audio(recording: [UInt8], avatarID: String?)
    case interrupt
    case restartICE(userID: String?)
    case endOfCandidates(userID: String?)
    case ping
    case goodbye
    case hello(version: Int)

    package struct Offer: Equatable, Sendable {
        package var sdp: String
        package var userID: String
        package var avatarID: String?
        package var tutorID: Int?
    }

    package struct Utterance: Equatable, Sendable {
        package var content: String
        package var avatarID: String
        package var userID: String
        package var tutorID: Int?
        /// The content is to be said, not answered.
        package var isVerbatim = false
    }
}

/// Why a message is answered by `{"type":"error"}`; the connection stays.
package struct ClientMessageError: Error, Equatable, Sendable {
    /// The `content` of the error message, word for word as the old clients know it.
    package var content: String

    package init(_ content: String) {
        self.content = content
    }

    package static let invalidFormat = ClientMessageError("Invalid message format")
    package static let offerRequired = ClientMessageError("SDP offer is required")
    package static let userRequired = ClientMessageError("user_id is required for WebRTC")
    package static let candidateRequired = ClientMessageError("ICE candidate is required")
    package static let avatarRequired = ClientMessageError("avatar_id is required for WebRTC streaming")
    package static let tutorRequired = ClientMessageError("tutor_id is required in sessionless mode")
    package static let contentRequired = ClientMessageError("content is required")
    package static let audioRequired = ClientMessageError("Audio data is required")

    package static func unsupported(_ type: String) -> ClientMessageError {
        ClientMessageError("Unsupported message type: \(type.prefix(64))")
    }
    package static func tooLong(_ field: String, _ limit: Int) -> ClientMessageError {
        ClientMessageError("\(field) is longer than \(limit) bytes")
    }
}

/// How much of a client's message is looked at, in bytes of UTF-8.
package enum ClientMessageLimits {
    package static let sdp = 65_536
    package static let identifier = 128
    package static let candidate = 1024
    package static let content = 8192
    /// Bytes of an audio file, before base64.
    package static let recording = 10 << 20
    /// Of a whole message: a recording in base64, and room for the fields around it.
    package static let message = recording / 3 * 4 + (64 << 10)
}

extension ClientMessage {
    /// It makes or changes a viewer's peer connection.
    var isOfSignaling: Bool {
        switch self {
        case .offer, .candidate, .restartICE, .endOfCandidates: true
        case .setUp, .speak, .text, .audio, .interrupt, .ping, .goodbye, .hello: false
        }
    }

    /// It asks an avatar for something.
    var isOfConversation: Bool {
        switch self {
        case .setUp, .speak, .text, .audio, .interrupt: true
        case .offer, .candidate, .restartICE, .endOfCandidates, .ping, .goodbye, .hello: false
        }
    }

    /// Reads one text frame. `isSessionless` connections must name a tutor with everything they want said.
    package static func parse(_ frame: [UInt8], isSessionless: Bool) throws(ClientMessageError) -> ClientMessage {
        guard let json = JSONValue(parsing: frame), case .object = json, let type = json["type"]?.stringValue else {
            throw .invalidFormat
        }
        switch type {
        case "init": return .setUp(avatarID: try identifier(json, "avatar_id"))
        case "webrtc_offer": return .offer(try offer(json))
        case "webrtc_ice_candidate":
            // The candidate is looked for before the user, as for an offer the SDP is.
            guard let line = try candidateLine(json["candidate"]) else { throw .candidateRequired }
            guard let userID = try identifier(json, "user_id") else { throw .userRequired }
            return .candidate(userID: userID, line)
        case "text_webrtc": return .speak(try utterance(json, isSessionless: isSessionless))
        case "text":
            let tutorID = try tutor(json, isSessionless: isSessionless)
            return .text(
                content: try content(json), avatarID: try identifier(json, "avatar_id"), tutorID: tutorID)
        case "audio":
            guard let data = json["data"]?.stringValue, !data.isEmpty else { throw .audioRequired }
            let avatarID = try identifier(json, "avatar_id")
            return .audio(recording: try Recording.decode(data, field: "data"), avatarID: avatarID)
        case "interrupt": return .interrupt
        case "restart_ice": return .restartICE(userID: try identifier(json, "user_id"))
        case "end_of_candidates": return .endOfCandidates(userID: try identifier(json, "user_id"))
        case "ping": return .ping
        case "bye": return .goodbye
        case "hello": return .hello(version: json["version"]?.integerValue ?? 1)
        default: throw .unsupported(type)
        }
    }

    private static func offer(_ json: JSONValue) throws(ClientMessageError) -> Offer {
        guard let sdp = json["sdp"]?.stringValue, !sdp.isEmpty else { throw .offerRequired }
        guard sdp.utf8.count <= ClientMessageLimits.sdp else { throw .tooLong("sdp", ClientMessageLimits.sdp) }
        guard let userID = try identifier(json, "user_id") else { throw .userRequired }
        return Offer(
            sdp: sdp, userID: userID, avatarID: try identifier(json, "avatar_id"),
            tutorID: json["tutor_id"]?.integerValue)
    }

    private static func utterance(
        _ json: JSONValue, isSessionless: Bool
    ) throws(ClientMessageError) -> Utterance {
        // Required even after `init` named one: the old server looked at the message alone.
        guard let avatarID = try identifier(json, "avatar_id") else { throw .avatarRequired }
        guard let userID = try identifier(json, "user_id") else { throw .userRequired }
        let tutorID = try tutor(json, isSessionless: isSessionless)
        return Utterance(
            content: try content(json), avatarID: avatarID, userID: userID, tutorID: tutorID,
            isVerbatim: json["verbatim"]?.booleanValue ?? false)
    }

    private static func tutor(_ json: JSONValue, isSessionless: Bool) throws(ClientMessageError) -> Int? {
        let tutorID = json["tutor_id"]?.integerValue
        guard tutorID != nil || !isSessionless else { throw .tutorRequired }
        return tutorID
    }

    private static func content(_ json: JSONValue) throws(ClientMessageError) -> String {
        guard let content = json["content"]?.stringValue, content.contains(where: { !$0.isWhitespace }) else {
            throw .contentRequired
        }
        guard content.utf8.count <= ClientMessageLimits.content else {
            throw .tooLong("content", ClientMessageLimits.content)
        }
        return content
    }

    private static func identifier(_ json: JSONValue, _ field: String) throws(ClientMessageError) -> String? {
        guard let text = json[field]?.identifierValue else { return nil }
        guard text.utf8.count <= ClientMessageLimits.identifier else {
            throw .tooLong(field, ClientMessageLimits.identifier)
        }
        return text
    }

    /// Nil where there is none. An empty `candidate` is a line, too: it says that no more will come (RFC 8838 §13).
    private static func candidateLine(_ json: JSONValue?) throws(ClientMessageError) -> CandidateLine? {
        guard let json, case .object = json, let line = json["candidate"]?.stringValue else { return nil }
        guard line.utf8.count <= ClientMessageLimits.candidate else {
            throw .tooLong("candidate", ClientMessageLimits.candidate)
        }
        let mid = json["sdpMid"]?.identifierValue ?? ""
        return CandidateLine(
            candidate: line, sdpMid: String(mid.prefix(ClientMessageLimits.identifier)),
            sdpMLineIndex: json["sdpMLineIndex"]?.integerValue ?? 0)
    }
}

/// An audio file inside JSON.
enum Recording {
    /// The file's bytes; `text` is base64, also as a `data:` URL as browsers' file readers give it.
    static func decode(_ text: String, field: String) throws(ClientMessageError) -> [UInt8] {
        var base64 = text[...]
        if base64.hasPrefix("data:"), let comma = base64.prefix(256).firstIndex(of: ",") {
            base64 = base64[base64.index(after: comma)...]
        }
        guard base64.utf8.count <= ClientMessageLimits.recording / 3 * 4 + 4 else {
            throw .tooLong(field, ClientMessageLimits.recording)
        }
        guard let bytes = Base64.decode(base64), !bytes.isEmpty else { throw .init("\(field) is not base64") }
        guard bytes.count <= ClientMessageLimits.recording else {
            throw .tooLong(field, ClientMessageLimits.recording)
        }
        return bytes
    }
}
