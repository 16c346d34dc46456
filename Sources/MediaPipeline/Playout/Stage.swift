package import Core
internal import Synchronization

/// One avatar session's picture and voice: a playout on a thread of its own, for any number of viewers.
///
/// All methods may be called from any thread; frames go to the sink on the stage's thread.
package final class Stage: Sendable {
    enum Phase {
        case made, running, stopped
    }
    struct State {
        var phase = Phase.made
        /// Utterances that wait or are being said.
        var pending: [UtteranceID: SpeechIntake] = [:]
        /// Samples that were appended and did not go out yet.
        var waitingSamples = 0
        var interruptions: [UInt64: CheckedContinuation<[Interruption], Never>] = [:]
        var lastInterruption: UInt64 = 0
    }

    package let id: StageID
    package let configuration: StageConfiguration
    /// For one reader. Events that nobody reads are dropped, the oldest first.
    package let events: AsyncStream<StageEvent>
    /// How loud the stage was of late, for whoever listens to a microphone beside a loudspeaker.
    package let voiceLevel = VoiceLevel()
    let mailbox = Mailbox<StageDriver.Message>()
    /// Messages whose order matters to the state are posted while it is locked.
    let state = Mutex(State())
    /// The source is to be told what will be heard.
    let isHeardBySource: Bool
    private let eventContinuation: AsyncStream<StageEvent>.Continuation
    private let sink: any MediaFrameSink
    private let metrics: StageMetrics
    private let makeSource: @Sendable () throws(StageError) -> any PictureSource
    private static let logger = Logger("stage")

    /// Checks the settings and that the source can be opened.
    package convenience init(
        id: StageID, configuration: StageConfiguration, sink: any MediaFrameSink, metrics: MetricsRegistry
    ) throws(StageError) {
        try self.init(id: id, configuration: configuration, sink: sink, metrics: metrics) { () throws(StageError) in
            try configuration.makeSource()
        }
    }

    /// `makeSource` is called once here to see that it can be done, and once on the stage's thread.
    init(
        id: StageID, configuration: StageConfiguration, sink: any MediaFrameSink, metrics: MetricsRegistry,
        makeSource: @escaping @Sendable () throws(StageError) -> any PictureSource
    ) throws(StageError) {
        try configuration.validate()
        isHeardBySource = try makeSource().wantsSound
        self.makeSource = makeSource
        self.id = id
        self.configuration = configuration
        self.sink = sink
        self.metrics = StageMetrics(metrics)
        (events, eventContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
    }

    deinit {
        stop()
    }

    /// Starts the stage's thread; it sleeps until the first viewer comes.
    package func start() {
        let isFirst = state.withLock { state in
            guard state.phase == .made else { return false }
            state.phase = .running
            return true
        }
        guard isFirst else { return }
        let hasStarted = PipelineThread.start(name: "stage-\(id)") {
            [weak self, id, configuration, sink, metrics, makeSource, voiceLevel, mailbox, listener] in
            do throws(StageError) {
                let source = try makeSource()
                var driver = StageDriver(
                    stage: id, configuration: configuration, source: source, sink: sink, metrics: metrics,
                    voiceLevel: voiceLevel, mailbox: mailbox, listener: listener)
                driver.run()
            } catch {
                listener.event(.degraded(reason: "\(error.reason): \(error.remedy)"))
                self?.endSpeech()
            }
        }
        guard hasStarted else {
            report(.degraded(reason: "the system refuses a thread for the stage"))
            endSpeech()
            return
        }
        if configuration.source == .builtInAvatar {
            IdleLoopCache.shared.loop(for: configuration.loopKey) { [mailbox] in mailbox.post(.loopMade($0)) }
        }
    }

    /// Ends the thread for good; frames that are on their way may still reach the sink.
    package func stop() {
        endSpeech()
        mailbox.post(.stop)
        eventContinuation.finish()
    }

    /// Nothing will be said any more: answers whoever waits.
    private func endSpeech() {
        let waiting = state.withLock { state in
            state.phase = .stopped
            state.pending.removeAll()
            defer { state.interruptions.removeAll() }
            return Array(state.interruptions.values)
        }
        for continuation in waiting { continuation.resume(returning: []) }
    }

    /// With no viewer the stage pauses and costs nothing.
    package func setViewerCount(_ count: Int) {
        mailbox.post(.input(.viewerCountChanged(count)))
    }

    /// Asks for a key frame; many requests within a second bring one.
    package func requestKeyFrame() {
        mailbox.post(.input(.keyFrameRequested))
    }

    /// What the avatar does while it does not speak: idle, listening or thinking. Speech ends thinking by itself.
    package func setActivity(_ activity: StageActivity) {
        mailbox.post(.input(.activityChanged(activity)))
    }

    // MARK: What the stage's thread tells

    private var listener: StageDriver.Listener {
        StageDriver.Listener(
            event: { [weak self] in self?.report($0) },
            interrupted: { [weak self] number, interruptions in
                self?.state.withLock { $0.interruptions.removeValue(forKey: number) }?.resume(returning: interruptions)
            },
            samplesReleased: { [weak self] count in self?.state.withLock { $0.waitingSamples -= count } })
    }

    private func report(_ event: StageEvent) {
        let stage = LogValue.string(id.value)
        switch event {
        case .speechStarted(let utterance):
            Self.logger.debug("speech started", ["stage": stage, "utterance": .string(utterance.value)])
        case .speechFinished(let utterance, let position, let interrupted):
            state.withLock { _ = $0.pending.removeValue(forKey: utterance) }
            Self.logger.debug(
                "speech finished",
                [
                    "stage": stage, "utterance": .string(utterance.value),
                    "position.ms": .number(position.milliseconds), "interrupted": .boolean(interrupted),
                ])
        case .activityChanged(let activity):
            Self.logger.debug("activity changed", ["stage": stage, "activity": .string(activity.rawValue)])
        case .degraded(let reason?):
            Self.logger.warning("stage is degraded", ["stage": stage, "reason": .string(reason)])
        case .degraded(reason: nil):
            Self.logger.info("stage is well again", ["stage": stage])
        }
        eventContinuation.yield(event)
    }
}
