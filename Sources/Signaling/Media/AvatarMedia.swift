package import Conversation
package import Core
package import MediaLoop
package import MediaPipeline
package import PeerConnection

/// What a stage shows.
package enum StagePicture: Equatable, Sendable {
    /// The drawn avatar of this program.
    case builtIn
    /// A registered video file, looped.
    case video(path: String)
    /// An avatar of one of the configured engines.
    case engine(name: String, avatar: String)
}

/// Why a stage cannot be opened, cannot speak or cannot answer, and what mends it.
package struct StageFailure: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// What was sent cannot be worked on.
        case unusableInput
        /// It waits for what it has already been given.
        case busy
        case unavailable
    }
    package var kind: Kind
    package var reason: String
    package var remedy: String

    package init(_ kind: Kind = .unavailable, reason: String, remedy: String) {
        self.kind = kind
        self.reason = reason
        self.remedy = remedy
    }
}

/// How far an avatar is on its way to be shown.
package enum AvatarStatus: Equatable, Sendable {
    /// `progress` from 0 to 1; `reason` says what is waited for, where that is not the work itself.
    case preparing(progress: Double, reason: String?)
    case ready
    case failed(reason: String)
}

/// Who speaks, hears and answers where an avatar has no profile of its own, as `/health` names them.
package struct ConversationNames: Equatable, Sendable {
    package var voice: String
    /// `off` where nobody listens.
    package var hearing: String
    package var answering: String

    package init(voice: String, hearing: String, answering: String) {
        self.voice = voice
        self.hearing = hearing
        self.answering = answering
    }
}

/// What a viewer may send beside candidates.
package struct ViewerExtras: Sendable {
    /// Takes its sound, where the stage has no ear of its own.
    package var microphone: (any MicrophoneSink)?
    /// Takes what it says over data channels; without it they are refused.
    package var channels: (any ViewerChannels)?

    package init(microphone: (any MicrophoneSink)? = nil, channels: (any ViewerChannels)? = nil) {
        self.microphone = microphone
        self.channels = channels
    }
}

/// What signaling needs of the media side: stages that talk, and viewers on them.
///
/// ``LiveAvatarMedia`` is the one the program runs on. The protocol exists so that the rules of signaling can be tested
/// without sockets and encoders; it adds nothing to what the modules below offer.
package protocol AvatarMedia: Sendable {
    /// The browser's ICE servers, with credentials made for `name`.
    func browserConfiguration(name: String) -> BrowserICEConfiguration

    // MARK: Stages

    /// Opens a stage and its conversation, which follows the avatar's profile; may read files, so it is called outside
    /// of any actor.
    func openStage(_ id: StageID, picture: StagePicture, avatarID: String?) throws(StageFailure)
    /// Ends a stage with its conversation and closes its viewers.
    func closeStage(_ id: StageID)

    // MARK: Conversation

    /// A question; it cuts off the answer to the one before. Where it is not asked aloud, the answer is text alone.
    func ask(_ text: String, isAloud: Bool, on stage: StageID) async throws(StageFailure)
    /// A recorded question, a whole audio file.
    func ask(recording: [UInt8], isAloud: Bool, on stage: StageID) async throws(StageFailure)
    /// Says a text as it is, after what is being said.
    func say(_ text: String, on stage: StageID) async throws(StageFailure) -> UtteranceID
    /// Plays an audio file as the avatar's voice.
    func say(recording: [UInt8], on stage: StageID) async throws(StageFailure) -> UtteranceID
    /// Stops what is said and drops what waits; how far each of it was heard.
    func interrupt(_ stage: StageID) async -> [Interruption]
    /// One subscription; ends with the stage.
    func conversationEvents(of stage: StageID) -> AsyncStream<ConversationEvent>
    var conversationNames: ConversationNames { get }

    // MARK: Viewers

    /// - Parameter extras: what the viewer may send beside candidates. Told of its end whether or not the offer is answered.
    func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool, extras: ViewerExtras
    ) async throws(ViewerError) -> ViewerAnswer
    /// - Parameter microphone: takes the viewer's sound from now on; nil: all stays as it is.
    func renegotiate(
        viewer: ViewerID, offer: String, microphone: (any MicrophoneSink)?
    ) async throws(ViewerError) -> ViewerAnswer
    func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool
    func endOfCandidates(viewer: ViewerID)
    func removeViewer(_ id: ViewerID, reason: String)

    /// Says something over a viewer's data channel; dropped and counted where too much waits.
    func send(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID)
    /// The same for a message that stands alone and is soon outdated: dropped while an earlier one still waits.
    func sendNewest(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID)
    func closeChannel(_ channel: DataChannelID, of viewer: ViewerID)

    // MARK: Avatars

    /// The configured engines' names.
    var engines: [String] { get }
    /// The names of engines that have come, or have a new avatar, from now on.
    func engineArrivals() -> AsyncStream<String>
    /// Whether an engine has that avatar.
    func status(ofEngine engine: String, avatar: String) -> AvatarStatus
    /// Has an engine make an avatar of a video; ends with `ready` or `failed`.
    func prepare(
        engine: String, avatar: String, videoPath: String, appliesBlur: Bool
    ) -> AsyncStream<AvatarStatus>
    /// Why the file is no video; nil where it is one. Reads the file.
    func problem(withVideo path: String) -> String?

    func summary() async -> MediaLoopSummary
    var degraded: [DegradedPart] { get }
}
