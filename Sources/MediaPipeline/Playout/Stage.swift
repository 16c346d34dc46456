package import Core
internal import Synchronization

/// One avatar session's picture and voice: a playout on a thread of its own, for any number of viewers.
///
/// All methods may be called from any thread; frames go to the sink on the stage's thread.
package final class Stage: Sendable {
    private enum Message: Sendable {
        case input(Playout.Input)
        case loopMade(Result<IdleLoop, CodecError>)
        case voiceFailed(UtteranceID, reason: String)
        case stop
    }
    private struct Pending {
        let cancellation: SpeechSynthesizer.Cancellation
        let characters: Int
    }
    private enum Phase {
        case made, running, stopped
    }
    private struct State {
        var phase = Phase.made
        var pending: [UtteranceID: Pending] = [:]
    }

    /// Characters that may wait to be said, over all utterances: some ten minutes, 60 MB of sound.
    package static let maximumPendingCharacters = 8_000
    package static let maximumPendingUtterances = 32

    package let id: StageID
    package let configuration: StageConfiguration
    /// For one reader. Events that nobody reads are dropped, the oldest first.
    package let events: AsyncStream<StageEvent>
    private let eventContinuation: AsyncStream<StageEvent>.Continuation
    private let sink: any MediaFrameSink
    private let metrics: StageMetrics
    private let mailbox = Mailbox<Message>()
    private let state = Mutex(State())
    private static let logger = Logger("stage")

    /// Checks the settings and that the source can be opened.
    package init(
        id: StageID, configuration: StageConfiguration, sink: any MediaFrameSink, metrics: MetricsRegistry
    ) throws(StageError) {
        try configuration.validate()
        _ = try configuration.makeSource()
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
        let driver = StageDriver(
            mailbox: mailbox, stage: id, configuration: configuration, sink: sink, metrics: metrics,
            events: eventContinuation, utteranceEnded: { [weak self] in self?.forget($0) })
        PipelineThread.start(name: "stage-\(id)") { driver.run() }
        if configuration.source == .builtInAvatar {
            IdleLoopCache.shared.loop(for: configuration.loopKey) { [mailbox] in mailbox.post(.loopMade($0)) }
            SpeechSynthesizer.shared.warmUp()
        }
    }

    /// Ends the thread for good; frames that are on their way may still reach the sink.
    package func stop() {
        let pending = state.withLock { state in
            state.phase = .stopped
            defer { state.pending.removeAll() }
            return state.pending.values.map(\.cancellation)
        }
        for cancellation in pending { cancellation.cancel() }
        mailbox.post(.stop)
        eventContinuation.finish()
    }

    /// With no viewer the stage pauses and costs nothing.
    package func setViewerCount(_ count: Int) {
        mailbox.post(.input(.viewerCountChanged(count)))
    }

    /// Asks for a key frame; many requests within a second bring one.
    package func requestKeyFrame() {
        mailbox.post(.input(.keyFrameRequested))
    }

    /// Says the text after what is being said. Returns at once; ``events`` tells how it goes.
    package func speak(_ text: String) throws(StageError) -> UtteranceID {
        if case .file = configuration.source {
            throw StageError(
                code: .voiceUnavailable, reason: "stage \(id) plays a file, which has its own sound",
                remedy: "use a stage with the built-in avatar")
        }
        let characters = text.count
        guard text.contains(where: { $0.isLetter || $0.isNumber }) else {
            throw StageError(code: .textEmpty, reason: "the text has nothing to say", remedy: "send words")
        }
        let utterance = UtteranceID(RandomSource.system.token(bits: 96))
        let cancellation = SpeechSynthesizer.Cancellation()
        let refusal: StageError? = state.withLock { state in
            guard state.phase == .running else {
                return StageError(code: .notRunning, reason: "stage \(id) does not run", remedy: "start it")
            }
            let waiting = state.pending.values.reduce(0) { $0 + $1.characters }
            guard characters <= Self.maximumPendingCharacters else {
                return StageError(
                    code: .textTooLong, reason: "a text of \(characters) characters",
                    remedy: "send at most \(Self.maximumPendingCharacters) characters")
            }
            guard state.pending.count < Self.maximumPendingUtterances,
                waiting + characters <= Self.maximumPendingCharacters
            else {
                return StageError(
                    code: .tooManyUtterances,
                    reason: "\(state.pending.count) utterances with \(waiting) characters wait to be said",
                    remedy: "wait for them, or interrupt")
            }
            state.pending[utterance] = Pending(cancellation: cancellation, characters: characters)
            return nil
        }
        if let refusal { throw refusal }
        mailbox.post(.input(.utteranceAccepted(utterance)))
        SpeechSynthesizer.shared.speak(text, cancellation: cancellation) { [mailbox] event in
            switch event {
            case .part(let part): mailbox.post(.input(.partSynthesised(utterance, part)))
            case .ended: mailbox.post(.input(.synthesisEnded(utterance)))
            case .failed(let reason): mailbox.post(.voiceFailed(utterance, reason: reason))
            }
        }
        return utterance
    }

    /// Stops speaking at the next packet and drops what waits to be said.
    package func interrupt() {
        let pending = state.withLock { $0.pending.values.map(\.cancellation) }
        for cancellation in pending { cancellation.cancel() }
        mailbox.post(.input(.interrupted))
    }

    private func forget(_ utterance: UtteranceID) {
        state.withLock { $0.pending[utterance] = nil }
    }

    /// The stage's thread: feeds the playout with messages and time, and carries out its orders.
    private struct StageDriver: Sendable {
        let mailbox: Mailbox<Message>
        let stage: StageID
        let configuration: StageConfiguration
        let sink: any MediaFrameSink
        let metrics: StageMetrics
        let events: AsyncStream<StageEvent>.Continuation
        let utteranceEnded: @Sendable (UtteranceID) -> Void

        func run() {
            let source: any PictureSource
            do {
                source = try configuration.makeSource()
            } catch {
                report(.degraded(reason: "\(error.reason): \(error.remedy)"))
                return
            }
            var playout = Playout(
                configuration: Playout.Configuration(
                    framesPerSecond: configuration.framesPerSecond, hasSourceSound: source.hasSound,
                    isAvatar: source.isAvatar),
                origin: SystemClock.now())
            var performer = StagePerformer(
                stage: stage, configuration: configuration, sink: sink, metrics: metrics, source: source)
            while true {
                let messages = mailbox.takeAll(until: playout.deadline)
                let now = SystemClock.now()
                for message in messages {
                    guard handle(message, &playout, &performer, now) else { return }
                }
                if let deadline = playout.deadline, deadline <= now { playout.handle(.timeout, now: now) }
                while let output = playout.pollOutput() { performer.perform(output, now: now) }
                for event in performer.takeReports() { report(event) }
            }
        }

        /// False ends the thread.
        private func handle(
            _ message: Message, _ playout: inout Playout, _ performer: inout StagePerformer, _ now: Instant
        ) -> Bool {
            switch message {
            case .stop:
                return false
            case .input(let input):
                playout.handle(input, now: now)
            case .loopMade(.success(let loop)):
                performer.loop = loop
                playout.handle(
                    .loopBecameReady(frames: loop.frameCount, keyFrameInterval: loop.key.keyFrameInterval), now: now)
            case .loopMade(.failure(let error)):
                performer.report(failure: "the idle loop cannot be encoded: \(error.reason)", of: .loop)
            case .voiceFailed(let utterance, let reason):
                performer.report(failure: reason, of: .voice)
                playout.handle(.synthesisEnded(utterance), now: now)
            }
            return true
        }

        private func report(_ event: StageEvent) {
            switch event {
            case .speechStarted(let utterance):
                Stage.logger.debug(
                    "speech started", ["stage": .string(stage.value), "utterance": .string(utterance.value)])
            case .speechFinished(let utterance, let position, let interrupted):
                utteranceEnded(utterance)
                Stage.logger.debug(
                    "speech finished",
                    [
                        "stage": .string(stage.value), "utterance": .string(utterance.value),
                        "position.ms": .number(position.milliseconds), "interrupted": .boolean(interrupted),
                    ])
            case .degraded(let reason):
                Stage.logger.warning("stage is degraded", ["stage": .string(stage.value), "reason": .string(reason)])
            }
            events.yield(event)
        }
    }
}
