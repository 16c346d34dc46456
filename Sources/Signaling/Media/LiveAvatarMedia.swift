package import Conversation
package import Core
package import MediaLoop
package import MediaPipeline
package import PeerConnection
internal import Synchronization

/// The media side as it runs: stages of the pipeline with a conversation each, viewers on the media loop.
package final class LiveAvatarMedia: AvatarMedia {
    private struct OpenStage {
        var stage: Stage
        var conversation: Conversation
        /// Why the stage goes on, but not as it should.
        var degraded: String?
    }

    private let mediaLoop: MediaLoop
    private let appearance: StageConfiguration
    private let profiles: ConversationProfiles
    /// By name.
    let engineHosts: [String: EngineHost]
    let arrivals = EngineArrivals()
    private let conversationMetrics: ConversationMetrics
    private let metrics: MetricsRegistry
    /// What was found wanting before the media side started, such as an untested library or a missing model.
    private let startupDegraded: [DegradedPart]
    private let stages = Mutex<[StageID: OpenStage]>([:])

    /// `appearance` is the size and the rates of every stage; its source is chosen per stage.
    package init(
        mediaLoop: MediaLoop, appearance: StageConfiguration, profiles: ConversationProfiles, engines: [EngineHost],
        metrics: MetricsRegistry, degraded: [DegradedPart]
    ) {
        self.mediaLoop = mediaLoop
        self.appearance = appearance
        self.profiles = profiles
        engineHosts = Dictionary(engines.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.metrics = metrics
        conversationMetrics = ConversationMetrics(metrics)
        startupDegraded = degraded
        for host in engineHosts.values {
            host.onAvatarsChanged { [arrivals, name = host.name] _ in arrivals.announce(name) }
        }
    }

    package func browserConfiguration(name: String) -> BrowserICEConfiguration {
        mediaLoop.configuration.connectivity.browserConfiguration(now: SystemClock.wallTime(), name: name)
    }

    // MARK: Stages

    package func openStage(_ id: StageID, picture: StagePicture, avatarID: String?) throws(StageFailure) {
        var configuration = appearance
        switch picture {
        case .builtIn: configuration.source = .builtInAvatar
        case .video(let path): configuration.source = .file(path: path)
        case .engine(let name, let avatar): configuration.source = .engine(try engineAvatar(name, avatar))
        }
        let stage: Stage
        do throws(StageError) {
            stage = try Stage(id: id, configuration: configuration, sink: mediaLoop, metrics: metrics)
        } catch {
            throw StageFailure(reason: error.reason, remedy: error.remedy)
        }
        let conversation = Conversation(
            id: id.value, profile: profiles.profile(of: avatarID), stage: stage, metrics: conversationMetrics)
        stages.withLock { $0[id] = OpenStage(stage: stage, conversation: conversation) }
        mediaLoop.addStage(
            id, keyFrameRequested: { [weak stage] _ in stage?.requestKeyFrame() },
            viewersChanged: { [weak stage] in stage?.setViewerCount($0.total) })
        stage.start()
        Task { [weak self, events = stage.events] in
            for await event in events {
                if case .degraded(let reason) = event { self?.note(degraded: reason, of: id, conversation) }
                await conversation.note(event)
            }
            await conversation.close()
        }
    }

    package func closeStage(_ id: StageID) {
        guard let open = stages.withLock({ $0.removeValue(forKey: id) }) else { return }
        mediaLoop.removeStage(id)
        // Ends the stage's events, and with them the conversation.
        open.stage.stop()
    }

    /// Ends every stage with its conversation, then the engines; returns when the last engine is gone.
    package func close() async {
        let open = stages.withLock { stages in
            defer { stages.removeAll() }
            return Array(stages)
        }
        for (id, one) in open {
            mediaLoop.removeStage(id)
            // Silence first, so that no engine is asked for more.
            await one.conversation.close()
            one.stage.stop()
        }
        await withTaskGroup { group in
            for engine in engineHosts.values { group.addTask { await engine.stop() } }
        }
    }

    private func note(degraded reason: String?, of id: StageID, _ conversation: Conversation) {
        let isChange = stages.withLock { stages in
            guard let open = stages[id], open.conversation === conversation, open.degraded != reason else {
                return false
            }
            stages[id]?.degraded = reason
            return true
        }
        guard isChange else { return }
        let log = Logger("stage")
        if let reason {
            log.warning("stage is degraded", ["stage.id": LogValue(id), "reason": LogValue(reason)])
        } else {
            log.info("stage is well again", ["stage.id": LogValue(id)])
        }
    }

    // MARK: Conversation

    package var conversationNames: ConversationNames { profiles.names }

    package func ask(_ text: String, isAloud: Bool, on stage: StageID) async throws(StageFailure) {
        let conversation = try conversation(on: stage)
        do throws(ConversationError) {
            try await conversation.ask(text, aloud: isAloud)
        } catch {
            throw StageFailure(error)
        }
    }

    package func ask(recording: [UInt8], isAloud: Bool, on stage: StageID) async throws(StageFailure) {
        let conversation = try conversation(on: stage)
        do throws(ConversationError) {
            try await conversation.ask(recording: recording, aloud: isAloud)
        } catch {
            throw StageFailure(error)
        }
    }

    package func say(_ text: String, on stage: StageID) async throws(StageFailure) -> UtteranceID {
        let conversation = try conversation(on: stage)
        do throws(ConversationError) {
            return try await conversation.say(text)
        } catch {
            throw StageFailure(error)
        }
    }

    package func say(recording: [UInt8], on stage: StageID) async throws(StageFailure) -> UtteranceID {
        let conversation = try conversation(on: stage)
        let sound = try await Self.decode(recording)
        do throws(ConversationError) {
            return try await conversation.say(sound: sound.samples)
        } catch {
            throw StageFailure(error)
        }
    }

    package func interrupt(_ stage: StageID) async -> [Interruption] {
        guard let conversation = try? conversation(on: stage) else { return [] }
        return await conversation.interrupt()
    }

    package func conversationEvents(of stage: StageID) -> AsyncStream<ConversationEvent> {
        guard let conversation = try? conversation(on: stage) else { return AsyncStream { $0.finish() } }
        return conversation.subscribe()
    }

    /// Away from whoever asks: a long recording takes a good part of a second.
    @concurrent private static func decode(_ recording: [UInt8]) async throws(StageFailure) -> RecordedSound {
        do throws(RecordedSoundError) {
            return try RecordedSound(recording, sampleRateHz: OpusFormat.sampleRateHz)
        } catch {
            throw StageFailure(
                .unusableInput, reason: error.reason,
                remedy: "send WAV, Ogg, WebM or MP3, at most \(RecordedSound.maximumSeconds) s")
        }
    }

    private func conversation(on stage: StageID) throws(StageFailure) -> Conversation {
        guard let open = stages.withLock({ $0[stage] }) else {
            throw StageFailure(reason: "the stage is closed", remedy: "send webrtc_offer")
        }
        return open.conversation
    }

    // MARK: Viewers

    package func addViewer(
        stage: StageID, offer: String, remoteAddress: IPAddress?, includeCandidates: Bool, extras: ViewerExtras
    ) async throws(ViewerError) -> ViewerAnswer {
        let conversation = stages.withLock { $0[stage] }?.conversation
        return try await mediaLoop.addViewer(
            stage: stage, offer: offer, remoteAddress: remoteAddress, includeCandidates: includeCandidates,
            microphone: extras.microphone ?? (offer.contains("m=audio") ? conversation?.microphone() : nil),
            channels: extras.channels)
    }

    package func renegotiate(
        viewer: ViewerID, offer: String, microphone: (any MicrophoneSink)?
    ) async throws(ViewerError) -> ViewerAnswer {
        try await mediaLoop.renegotiate(viewer: viewer, offer: offer, microphone: microphone)
    }

    package func addRemoteCandidate(viewer: ViewerID, line: String) async -> Bool {
        await mediaLoop.addRemoteCandidate(viewer: viewer, line: line)
    }

    package func endOfCandidates(viewer: ViewerID) { mediaLoop.endOfCandidates(viewer: viewer) }

    package func removeViewer(_ id: ViewerID, reason: String) { mediaLoop.removeViewer(id, reason: reason) }

    package func send(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID) {
        mediaLoop.send(message, on: channel, to: viewer)
    }

    package func sendNewest(_ message: DataChannelMessage, on channel: DataChannelID, to viewer: ViewerID) {
        mediaLoop.sendNewest(message, on: channel, to: viewer)
    }

    package func closeChannel(_ channel: DataChannelID, of viewer: ViewerID) {
        mediaLoop.closeChannel(channel, of: viewer)
    }

    package func summary() async -> MediaLoopSummary { await mediaLoop.summary() }

    // MARK: State

    package var degraded: [DegradedPart] {
        let stages = stages.withLock { stages in
            stages.compactMap { id, open in
                open.degraded.map { reason in
                    DegradedPart(
                        part: "stage:\(id)", reason: reason,
                        remedy: "see the log; the stage goes on with what it has")
                }
            }
        }
        let engines = engineHosts.sorted { $0.key < $1.key }.flatMap(\.value.degraded)
        let services = conversationMetrics.conditions.degraded
        return startupDegraded + mediaLoop.degraded + services + engines + stages.sorted { $0.part < $1.part }
    }
}

extension StageFailure {
    init(_ error: ConversationError) {
        let kind: Kind =
            switch error.code {
            case .textEmpty, .textTooLong, .soundUnusable: .unusableInput
            case .tooMuchWaiting: .busy
            case .hearingUnavailable, .stageRefused, .closed: .unavailable
            }
        self.init(kind, reason: error.reason, remedy: error.remedy)
    }
}
