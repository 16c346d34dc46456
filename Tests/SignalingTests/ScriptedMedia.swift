import Core
import Synchronization

@testable import MediaLoop
@testable import Signaling

/// The media side as a test writes it: answers offers by rule, and notes what it was asked.
final class ScriptedMedia: AvatarMedia {
    struct Viewer {
        var stage: StageID
        var offer: String
        var events: AsyncStream<ViewerEvent>.Continuation
    }
    struct State {
        var calls: [String] = []
        var stages: [StageID: StagePicture] = [:]
        var viewers: [ViewerID: Viewer] = [:]
        var speech: [StageID: [AsyncStream<SpeechEvent>.Continuation]] = [:]
        var lastViewer: UInt64 = 0
        var utterances = 0
        var degraded: [DegradedPart] = []
        var stageFailure: StageFailure?
        var viewerError: ViewerError?
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

    func emit(_ event: SpeechEvent, on stage: StageID) {
        state.withLock { state in
            for continuation in state.speech[stage] ?? [] { continuation.yield(event) }
        }
    }

    // MARK: AvatarMedia

    func browserConfiguration(name: String) -> BrowserICEConfiguration {
        connectivity.browserConfiguration(now: WallTime(secondsSince1970: 1_800_000_000), name: name)
    }

    func openStage(_ id: StageID, picture: StagePicture) throws(StageFailure) {
        let failure = state.withLock { state -> StageFailure? in
            state.calls.append("open \(id)")
            if state.stageFailure == nil { state.stages[id] = picture }
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
            for continuation in state.speech.removeValue(forKey: id) ?? [] { continuation.finish() }
        }
    }

    func speak(_ text: String, on stage: StageID) throws(StageFailure) -> UtteranceID {
        state.withLock { state in
            state.calls.append("speak \(stage): \(text)")
            state.utterances += 1
            return UtteranceID("u\(state.utterances)")
        }
    }

    func interrupt(_ stage: StageID) {
        state.withLock { $0.calls.append("interrupt \(stage)") }
    }

    func speechEvents(of stage: StageID) -> AsyncStream<SpeechEvent> {
        let (stream, continuation) = AsyncStream<SpeechEvent>.makeStream()
        state.withLock { $0.speech[stage, default: []].append(continuation) }
        return stream
    }

    func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool
    ) async throws(ViewerError) -> ViewerAnswer {
        let result = state.withLock { state -> Result<ViewerAnswer, ViewerError> in
            if let error = state.viewerError { return .failure(error) }
            guard state.stages[stage] != nil else { return .failure(ViewerError(.stageUnknown, "no stage")) }
            guard offer.hasPrefix("v=0") else { return .failure(ViewerError(.invalidOffer, "The offer is no SDP")) }
            state.lastViewer += 1
            let id = ViewerID(state.lastViewer)
            let (stream, continuation) = AsyncStream<ViewerEvent>.makeStream()
            state.viewers[id] = Viewer(stage: stage, offer: offer, events: continuation)
            state.calls.append("add \(id) to \(stage)")
            return .success(answer(id, stream, includeCandidates: includeCandidates))
        }
        return try result.get()
    }

    func renegotiate(viewer: ViewerID, offer: String) async throws(ViewerError) -> ViewerAnswer {
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
            state.viewers.removeValue(forKey: id)?.events.finish()
        }
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
