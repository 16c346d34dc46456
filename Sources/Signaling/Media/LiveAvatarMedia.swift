package import Core
package import MediaLoop
package import MediaPipeline
internal import Synchronization

/// The media side as it runs: stages of the pipeline, viewers on the media loop.
package final class LiveAvatarMedia: AvatarMedia {
    private struct OpenStage {
        var stage: Stage
        var listeners: [Int: AsyncStream<SpeechEvent>.Continuation] = [:]
        /// Why the stage goes on, but not as it should.
        var degraded: String?
    }
    private struct State {
        var stages: [StageID: OpenStage] = [:]
        var lastListener = 0
    }

    private let mediaLoop: MediaLoop
    private let appearance: StageConfiguration
    private let metrics: MetricsRegistry
    /// What was found wanting before the media side started, such as an untested library.
    private let startupDegraded: [DegradedPart]
    private let state = Mutex(State())

    /// `appearance` is the size and the rates of every stage; its source is chosen per stage.
    package init(
        mediaLoop: MediaLoop, appearance: StageConfiguration, metrics: MetricsRegistry, degraded: [DegradedPart]
    ) {
        self.mediaLoop = mediaLoop
        self.appearance = appearance
        self.metrics = metrics
        startupDegraded = degraded
    }

    package func browserConfiguration(name: String) -> BrowserICEConfiguration {
        mediaLoop.configuration.connectivity.browserConfiguration(now: SystemClock.wallTime(), name: name)
    }

    // MARK: Stages

    package func openStage(_ id: StageID, picture: StagePicture) throws(StageFailure) {
        var configuration = appearance
        switch picture {
        case .builtIn: configuration.source = .builtInAvatar
        case .video(let path): configuration.source = .file(path: path)
        }
        let stage: Stage
        do throws(StageError) {
            stage = try Stage(id: id, configuration: configuration, sink: mediaLoop, metrics: metrics)
        } catch {
            throw StageFailure(reason: error.reason, remedy: error.remedy)
        }
        state.withLock { $0.stages[id] = OpenStage(stage: stage) }
        mediaLoop.addStage(
            id, keyFrameRequested: { [weak stage] in stage?.requestKeyFrame() },
            viewerCountChanged: { [weak stage] in stage?.setViewerCount($0) })
        stage.start()
        Task { [weak self] in
            for await event in stage.events { self?.pass(event, of: id) }
            self?.endListeners(of: id, stage)
        }
    }

    package func closeStage(_ id: StageID) {
        guard let open = state.withLock({ $0.stages.removeValue(forKey: id) }) else { return }
        mediaLoop.removeStage(id)
        open.stage.stop()
        for listener in open.listeners.values { listener.finish() }
    }

    package func speak(_ text: String, on stage: StageID) throws(StageFailure) -> UtteranceID {
        guard let open = state.withLock({ $0.stages[stage]?.stage }) else {
            throw StageFailure(reason: "the stage is closed", remedy: "send webrtc_offer")
        }
        do throws(StageError) {
            return try open.speak(text)
        } catch {
            throw StageFailure(reason: error.reason, remedy: error.remedy)
        }
    }

    package func interrupt(_ stage: StageID) {
        guard let open = state.withLock({ $0.stages[stage]?.stage }) else { return }
        Task { await open.interrupt() }
    }

    package func speechEvents(of stage: StageID) -> AsyncStream<SpeechEvent> {
        let (stream, continuation) = AsyncStream<SpeechEvent>.makeStream(bufferingPolicy: .bufferingNewest(64))
        let listener = state.withLock { state -> Int? in
            guard state.stages[stage] != nil else { return nil }
            state.lastListener += 1
            state.stages[stage]?.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        guard let listener else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            // The lock may be held by whoever ends the stream.
            Task { self?.state.withLock { _ = $0.stages[stage]?.listeners.removeValue(forKey: listener) } }
        }
        return stream
    }

    private func pass(_ event: StageEvent, of id: StageID) {
        let speech: SpeechEvent
        switch event {
        case .speechStarted(let utterance): speech = .started(utterance)
        case .speechFinished(let utterance, let position, let isInterrupted):
            speech = .finished(utterance, position: position, isInterrupted: isInterrupted)
        case .degraded(let reason):
            state.withLock { $0.stages[id]?.degraded = reason }
            return
        case .activityChanged:
            return
        }
        for listener in state.withLock({ Array(($0.stages[id]?.listeners ?? [:]).values) }) { listener.yield(speech) }
    }

    private func endListeners(of id: StageID, _ stage: Stage) {
        let listeners = state.withLock { state -> [AsyncStream<SpeechEvent>.Continuation] in
            guard let open = state.stages[id], open.stage === stage else { return [] }
            state.stages[id]?.listeners = [:]
            return Array(open.listeners.values)
        }
        for listener in listeners { listener.finish() }
    }

    // MARK: Viewers

    package func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool
    ) async throws(ViewerError) -> ViewerAnswer {
        try await mediaLoop.addViewer(
            stage: stage, offer: offer, remoteAddress: remoteAddress, includeCandidates: includeCandidates)
    }

    package func renegotiate(viewer: ViewerID, offer: String) async throws(ViewerError) -> ViewerAnswer {
        try await mediaLoop.renegotiate(viewer: viewer, offer: offer)
    }

    package func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool {
        await mediaLoop.addRemoteCandidate(viewer: viewer, line: line)
    }

    package func endOfCandidates(viewer: ViewerID) { mediaLoop.endOfCandidates(viewer: viewer) }

    package func removeViewer(_ id: ViewerID, reason: String) { mediaLoop.removeViewer(id, reason: reason) }

    package func summary() async -> MediaLoopSummary { await mediaLoop.summary() }

    package var degraded: [DegradedPart] {
        let stages = state.withLock { state in
            state.stages.compactMap { id, open in
                open.degraded.map { reason in
                    DegradedPart(
                        part: "stage:\(id)", reason: reason,
                        remedy: "see the log; the stage goes on with what it has")
                }
            }
        }
        return startupDegraded + mediaLoop.degraded + stages
    }
}
