internal import Core

/// A stage's thread: feeds the playout with messages and time, and carries out its orders.
struct StageDriver: ~Copyable {
    enum Message: Sendable {
        case input(Playout.Input)
        case sound(UtteranceID, SpeechIntake.Prepared)
        /// With the last of what the source hears.
        case utteranceEnded(UtteranceID, heard: [Int16])
        /// `number` names who waits for the answer.
        case interrupt(number: UInt64, calledAt: Instant)
        case loopMade(Result<IdleLoop, CodecError>)
        case source(SourceEvent)
        case stop
    }

    /// Where the thread tells what happened.
    struct Listener: Sendable {
        let event: @Sendable (StageEvent) -> Void
        let interrupted: @Sendable (UInt64, [Interruption]) -> Void
        /// So many samples that were appended wait no longer.
        let samplesReleased: @Sendable (Int) -> Void
    }

    private let mailbox: Mailbox<Message>
    private let listener: Listener
    private let metrics: StageMetrics
    private let configuration: StageConfiguration
    private let source: any PictureSource
    private var playout: Playout
    private var performer: StagePerformer
    private var hearing: SourceHearing
    /// Utterances whose sound comes back from the source. Chosen when one begins: the source may be exchanged meanwhile.
    private var spokenBySource: Set<UtteranceID> = []
    /// Who waits to hear what an interruption cut off, in order.
    private var interruptions: [(number: UInt64, calledAt: Instant)] = []
    /// When the interruption was called whose last packet is still to go out.
    private var cutOffCalledAt: Instant?
    private var receivedSamples = 0
    private var releasedSamples = 0

    init(
        stage: StageID, configuration: StageConfiguration, source: any PictureSource, sink: any MediaFrameSink,
        metrics: StageMetrics, voiceLevel: VoiceLevel, mailbox: Mailbox<Message>, listener: Listener
    ) {
        self.mailbox = mailbox
        self.listener = listener
        self.metrics = metrics
        self.configuration = configuration
        self.source = source
        hearing = SourceHearing(source)
        playout = Playout(
            configuration: Playout.Configuration(
                framesPerSecond: configuration.framesPerSecond, hasSourceSound: source.hasSound,
                pictureWait: source.pictureWait, voiceDelaySamples: StagePerformer.voiceDelaySamples),
            origin: MediaClock.sharedOrigin(before: SystemClock.now()))
        performer = StagePerformer(
            stage: stage, configuration: configuration, sink: sink, metrics: metrics, source: source,
            voiceLevel: voiceLevel)
        source.connect { [mailbox] in mailbox.post(.source($0)) }
    }

    /// Returns when the stage is stopped.
    mutating func run() {
        while true {
            let messages = mailbox.takeAll(until: playout.deadline)
            let now = SystemClock.now()
            for message in messages {
                if case .stop = message { return }
                handle(message, now)
                drain(now)
            }
            if let deadline = playout.deadline, deadline <= now { playout.handle(.timeout, now: now) }
            drain(now)
            releaseSamples()
        }
    }

    private mutating func handle(_ message: Message, _ now: Instant) {
        switch message {
        case .stop:
            break
        case .input(let input):
            playout.handle(input, now: now)
        case .sound(let utterance, let prepared):
            append(prepared, to: utterance, now)
        case .utteranceEnded(let utterance, let heard):
            end(utterance, heard, now)
        case .interrupt(let number, let calledAt):
            interruptions.append((number, calledAt))
            playout.handle(.interrupted, now: now)
            hearing.clear()
            spokenBySource.removeAll()
        case .loopMade(.success(let loop)):
            take(loop, now)
        case .loopMade(.failure(let error)):
            performer.report(failure: "the idle loop cannot be encoded: \(error.reason)", of: .loop, now)
        case .source(let event):
            handle(event, now)
        }
    }

    private mutating func handle(_ event: SourceEvent, _ now: Instant) {
        switch event {
        case .picturesReady(let utterance):
            playout.handle(.picturesBecameReady(utterance), now: now)
        case .loopReady(let loop):
            take(loop, now)
        case .sound(let utterance, let part):
            guard spokenBySource.contains(utterance) else { return }
            guard playout.waitingSamples + part.samples.count <= configuration.maximumWaitingSamples else {
                performer.report(failure: "the source speaks far ahead of its stage", of: .source, now)
                return
            }
            playout.handle(.soundArrived(utterance, part), now: now)
        case .soundEnded(let utterance):
            guard spokenBySource.contains(utterance) else { return }
            playout.handle(.utteranceEnded(utterance), now: now)
        case .degraded(let reason?):
            performer.report(failure: reason, of: .source, now)
        case .degraded(reason: nil):
            performer.clearFailure(of: .source)
        }
    }

    private mutating func append(_ prepared: SpeechIntake.Prepared, to utterance: UtteranceID, _ now: Instant) {
        receivedSamples += prepared.part.samples.count
        // What was interrupted meanwhile is of no use to anybody.
        guard playout.isPending(utterance) else { return }
        let ahead = Double(playout.waitingSamples) / Double(OpusFormat.sampleRateHz)
        let motionTime = playout.motionTime(at: now) + ahead
        if !hearing.knows(utterance), source.speaksItself, !prepared.heard.isEmpty { spokenBySource.insert(utterance) }
        if !spokenBySource.contains(utterance) {
            playout.handle(.soundArrived(utterance, prepared.part), now: now)
        }
        hearing.append(prepared.heard, to: utterance, motionTime: motionTime)
    }

    private mutating func end(_ utterance: UtteranceID, _ heard: [Int16], _ now: Instant) {
        let wasTold = hearing.end(utterance, last: heard)
        // A source that speaks itself tells the end of what it was given, unless it has been lost meanwhile.
        let isAwaited = wasTold && source.speaksItself && spokenBySource.contains(utterance)
        if !isAwaited { playout.handle(.utteranceEnded(utterance), now: now) }
    }

    private mutating func take(_ loop: IdleLoop, _ now: Instant) {
        guard loop.key.width == configuration.width, loop.key.height == configuration.height,
            loop.key.framesPerSecond == configuration.framesPerSecond
        else {
            performer.report(failure: "the idle loop has another size or rate than the stage", of: .loop, now)
            return
        }
        performer.clearFailure(of: .loop)
        performer.loop = loop
        playout.handle(
            .loopBecameReady(frames: loop.frameCount, keyFrameInterval: max(1, loop.key.keyFrameInterval)), now: now)
    }

    private mutating func drain(_ now: Instant) {
        while let output = playout.pollOutput() {
            switch output {
            case .interrupted(let cutOff):
                guard !interruptions.isEmpty else { continue }
                let (number, calledAt) = interruptions.removeFirst()
                if !cutOff.isEmpty { cutOffCalledAt = calledAt }
                // Whoever waits for the answer finds room for what comes next.
                releaseSamples()
                listener.interrupted(number, cutOff)
            case .speechCutOff:
                guard let calledAt = cutOffCalledAt else { continue }
                metrics.interruptionSeconds.observe((SystemClock.now() - calledAt).seconds)
                cutOffCalledAt = nil
            default:
                if case .report(.speechFinished(let utterance, _, _)) = output {
                    hearing.finished(utterance)
                    spokenBySource.remove(utterance)
                }
                performer.perform(output, now: now)
            }
        }
        for event in performer.takeReports() { listener.event(event) }
    }

    /// Tells how much of what was appended does not wait any more: it went out, or was dropped.
    private mutating func releaseSamples() {
        // What the source says itself was not appended; it only makes the release a little later.
        let waiting = playout.waitingSamples
        let released = receivedSamples - waiting - releasedSamples
        guard released > 0 else { return }
        releasedSamples += released
        listener.samplesReleased(released)
    }
}
