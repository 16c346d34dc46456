package import Core
package import MediaLoop

/// What a stage shows.
package enum StagePicture: Equatable, Sendable {
    /// The drawn avatar of this program.
    case builtIn
    /// A registered video file, looped.
    case video(path: String)
}

/// Why a stage cannot be opened or cannot speak, and what mends it.
package struct StageFailure: Error, Equatable, Sendable {
    package var reason: String
    package var remedy: String

    package init(reason: String, remedy: String) {
        self.reason = reason
        self.remedy = remedy
    }
}

/// What a stage tells of its speech.
package enum SpeechEvent: Equatable, Sendable {
    case started(UtteranceID)
    /// `position` is how much of the utterance was heard.
    case finished(UtteranceID, position: Duration, isInterrupted: Bool)
}

/// What signaling needs of the media side: stages that speak, and viewers on them.
///
/// ``LiveAvatarMedia`` is the one the program runs on. The protocol exists so that the rules of signaling can be tested
/// without sockets and encoders; it adds nothing to what ``MediaLoop`` offers.
package protocol AvatarMedia: Sendable {
    /// The browser's ICE servers, with credentials made for `name`.
    func browserConfiguration(name: String) -> BrowserICEConfiguration

    /// Opens a stage; may read files, so it is called outside of any actor.
    func openStage(_ id: StageID, picture: StagePicture) throws(StageFailure)
    /// Ends a stage and closes its viewers.
    func closeStage(_ id: StageID)
    func speak(_ text: String, on stage: StageID) throws(StageFailure) -> UtteranceID
    func interrupt(_ stage: StageID)
    /// One subscription; ends with the stage.
    func speechEvents(of stage: StageID) -> AsyncStream<SpeechEvent>

    func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool
    ) async throws(ViewerError) -> ViewerAnswer
    func renegotiate(viewer: ViewerID, offer: String) async throws(ViewerError) -> ViewerAnswer
    func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool
    func endOfCandidates(viewer: ViewerID)
    func removeViewer(_ id: ViewerID, reason: String)

    func summary() async -> MediaLoopSummary
    var degraded: [DegradedPart] { get }
}
