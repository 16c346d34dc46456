import Conversation
import Core
import MediaPipeline
import PeerConnection
import Synchronization

@testable import MediaLoop
@testable import Signaling

/// The media side as a test writes it: answers offers by rule, and notes what it was asked.
final class ScriptedMedia: AvatarMedia {
    struct Viewer {
        var stage: StageID
        var offer: String
        var events: AsyncStream<ViewerEvent>.Continuation
        var extras: ViewerExtras
    }
    struct State {
        var calls: [String] = []
        var stages: [StageID: StagePicture] = [:]
        var viewers: [ViewerID: Viewer] = [:]
        /// The avatar whose profile each stage follows.
        var avatars: [StageID: String] = [:]
        var listeners: [StageID: [AsyncStream<ConversationEvent>.Continuation]] = [:]
        var lastViewer: UInt64 = 0
        var utterances = 0
        var degraded: [DegradedPart] = []
        var stageFailure: StageFailure?
        /// What questions and texts are refused with.
        var speechFailure: StageFailure?
        /// What an interruption cuts off.
        var interruptions: [Interruption] = []
        var engines: [String: AvatarStatus] = [:]
        var arrivals: AsyncStream<String>.Continuation?
        var preparation: AsyncStream<AvatarStatus>.Continuation?
        var videoProblem: String?
        var viewerError: ViewerError?
        /// Where what is sent over channels goes.
        var channels: [DataChannelID: AsyncStream<DataChannelMessage>.Continuation] = [:]
    }
    let state = Mutex(State())
    let connectivity: ConnectivityConfiguration

    init() {
        var connectivity = ConnectivityConfiguration(
            relay: .embedded(.init(sharedSecret: Array("0123456789abcdef".utf8))), publicAddress: .v4(0xCB00_7109))
        connectivity.stunServer = "stun:203.0.113.9:10110"
        self.connectivity = connectivity
    }

    var calls: [String] { state.withLock { $0.calls } }
    var viewers: [ViewerID: Viewer] { state.withLock { $0.viewers } }
    var stages: [StageID: StagePicture] { state.withLock { $0.stages } }

    func emit(_ event: ViewerEvent, to viewer: ViewerID) {
        state.withLock { _ = $0.viewers[viewer]?.events.yield(event) }
    }

    func emit(_ event: ConversationEvent, on stage: StageID) {
        state.withLock { state in
            for continuation in state.listeners[stage] ?? [] { continuation.yield(event) }
        }
    }

    // MARK: AvatarMedia

    func browserConfiguration(name: String) -> BrowserICEConfiguration {
        connectivity.browserConfiguration(now: WallTime(secondsSince1970: 1_800_000_000), name: name)
    }

    func openStage(_ id: StageID, picture: StagePicture, avatarID: String?) throws(StageFailure) {
        let failure = state.withLock { state -> StageFailure? in
            state.calls.append("open \(id)")
            if state.stageFailure == nil {
                state.stages[id] = picture
                state.avatars[id] = avatarID
            }
            return state.stageFailure
        }
        if let failure { throw failure }
    }

    func closeStage(_ id: StageID) {
        state.withLock { state in
            state.calls.append("close \(id)")
            state.stages.removeValue(forKey: id)
            for (viewer, record) in state.viewers where record.stage == id {
                record.events.finish()
                state.viewers.removeValue(forKey: viewer)
            }
            for continuation in state.listeners.removeValue(forKey: id) ?? [] { continuation.finish() }
        }
    }

    private func note(_ call: String) throws(StageFailure) {
        let failure = state.withLock { state in
            state.calls.append(call)
            return state.speechFailure
        }
        if let failure { throw failure }
    }

    private func nextUtterance() -> UtteranceID {
        state.withLock { state in
            state.utterances += 1
            return UtteranceID("u\(state.utterances)")
        }
    }

    func ask(_ text: String, isAloud: Bool, on stage: StageID) async throws(StageFailure) {
        try note("ask \(stage)\(isAloud ? "" : " in silence"): \(text)")
    }

    func ask(recording: [UInt8], isAloud: Bool, on stage: StageID) async throws(StageFailure) {
        try note("ask \(stage)\(isAloud ? "" : " in silence") by a recording: \(recording.count)")
    }

    func say(_ text: String, on stage: StageID) async throws(StageFailure) -> UtteranceID {
        try note("say \(stage): \(text)")
        return nextUtterance()
    }

    func say(recording: [UInt8], on stage: StageID) async throws(StageFailure) -> UtteranceID {
        try note("play \(stage): \(recording.count)")
        return nextUtterance()
    }

    func interrupt(_ stage: StageID) async -> [Interruption] {
        state.withLock { state in
            state.calls.append("interrupt \(stage)")
            return state.interruptions
        }
    }

    func conversationEvents(of stage: StageID) -> AsyncStream<ConversationEvent> {
        let (stream, continuation) = AsyncStream<ConversationEvent>.makeStream()
        state.withLock { $0.listeners[stage, default: []].append(continuation) }
        return stream
    }

    var conversationNames: ConversationNames {
        ConversationNames(voice: "a voice", hearing: "off", answering: "a script")
    }

    var engines: [String] { state.withLock { Array($0.engines.keys) } }

    func engineArrivals() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        state.withLock { $0.arrivals = continuation }
        return stream
    }

    func status(ofEngine engine: String, avatar: String) -> AvatarStatus {
        state.withLock { $0.engines[engine] ?? .failed(reason: "no such engine") }
    }

    func prepare(
        engine: String, avatar: String, videoPath: String, appliesBlur: Bool
    ) -> AsyncStream<AvatarStatus> {
        let (stream, continuation) = AsyncStream<AvatarStatus>.makeStream()
        state.withLock { state in
            state.calls.append("prepare \(avatar) on \(engine)\(appliesBlur ? " blurred" : "")")
            state.preparation = continuation
        }
        return stream
    }

    func problem(withVideo path: String) -> String? { state.withLock { $0.videoProblem } }

    func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool, extras: ViewerExtras
    ) async throws(ViewerError) -> ViewerAnswer {
        let result = state.withLock { state -> Result<ViewerAnswer, ViewerError> in
            if let error = state.viewerError { return .failure(error) }
            guard state.stages[stage] != nil || stage.value.hasPrefix("robot:") else {
                return .failure(ViewerError(.stageUnknown, "no stage"))
            }
            guard offer.hasPrefix("v=0") else { return .failure(ViewerError(.invalidOffer, "The offer is no SDP")) }
            state.lastViewer += 1
            let id = ViewerID(state.lastViewer)
            let (stream, continuation) = AsyncStream<ViewerEvent>.makeStream()
            state.viewers[id] = Viewer(stage: stage, offer: offer, events: continuation, extras: extras)
            state.calls.append("add \(id) to \(stage)")
            return .success(answer(id, stream, includeCandidates: includeCandidates))
        }
        return try result.get()
    }

    func renegotiate(
        viewer: ViewerID, offer: String, microphone: (any MicrophoneSink)?
    ) async throws(ViewerError) -> ViewerAnswer {
        let result = state.withLock { state -> Result<ViewerAnswer, ViewerError> in
            guard state.viewers[viewer] != nil else { return .failure(ViewerError(.viewerUnknown, "gone")) }
            state.calls.append("renegotiate \(viewer)")
            state.viewers[viewer]?.offer = offer
            let (stream, continuation) = AsyncStream<ViewerEvent>.makeStream()
            continuation.finish()
            return .success(answer(viewer, stream, includeCandidates: true))
        }
        return try result.get()
    }

    private func answer(
        _ id: ViewerID, _ events: AsyncStream<ViewerEvent>, includeCandidates: Bool
    ) -> ViewerAnswer {
        let line = "candidate:1 1 udp 1 203.0.113.9 10111 typ relay raddr 0.0.0.0 rport 0"
        var sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"
        sdp += "a=ice-ufrag:srv\(id.value)\r\na=ice-pwd:serverserverserverserver\r\n"
        if includeCandidates { sdp += "a=\(line)\r\n" }
        return ViewerAnswer(
            id: id, sdp: sdp,
            candidates: includeCandidates ? [] : [CandidateLine(candidate: line, sdpMid: "0", sdpMLineIndex: 0)],
            events: events)
    }

    func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool {
        state.withLock { $0.calls.append("candidate \(viewer): \(line)") }
        return true
    }

    func endOfCandidates(viewer: ViewerID) {
        state.withLock { $0.calls.append("end of candidates \(viewer)") }
    }

    func removeViewer(_ id: ViewerID, reason: String) {
        state.withLock { state in
            state.calls.append("remove \(id): \(reason)")
            guard let gone = state.viewers.removeValue(forKey: id) else { return }
            gone.events.finish()
            gone.extras.channels?.ended(viewer: id)
        }
    }

    // MARK: Data channels

    func send(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID) {
        state.withLock { _ = $0.channels[channel]?.yield(message) }
    }

    func sendNewest(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID) {
        send(message, on: channel, to: viewer)
    }

    func closeChannel(_ channel: DataChannelID, of viewer: ViewerID) {
        let sink = state.withLock { state in
            state.calls.append("close channel \(channel.number)")
            state.channels.removeValue(forKey: channel)?.finish()
            return state.viewers[viewer]?.extras.channels
        }
        sink?.closed(channel, viewer: viewer)
    }

    func summary() async -> MediaLoopSummary {
        var summary = MediaLoopSummary()
        summary.viewers = viewers.count
        summary.stages = stages.count
        summary.relayState = "listening"
        return summary
    }

    var degraded: [DegradedPart] { state.withLock { $0.degraded } }
}
