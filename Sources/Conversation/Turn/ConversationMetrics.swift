package import Core
internal import MediaPipeline

/// How long the parts of a turn take, and what goes wrong. One for the process.
package struct ConversationMetrics: Sendable {
    package let recognition: Histogram
    package let firstToken: Histogram
    package let firstSound: Histogram
    package let serverShare: Histogram
    let apologies: Counter
    let emptyTranscripts: Counter
    let cutAnswers: Counter
    let droppedEvents: Counter
    let microphone: MicrophoneMetrics
    /// Which back ends failed when they were last asked.
    package let conditions = BackendConditions()
    let registry: MetricsRegistry

    /// Seconds.
    private static let bounds = [
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30,
    ]

    package init(_ registry: MetricsRegistry) {
        self.registry = registry
        microphone = MicrophoneMetrics(registry)
        recognition = registry.histogram(
            "avatar_turn_recognition_seconds", help: "End of speech to transcript", bounds: Self.bounds)
        firstToken = registry.histogram(
            "avatar_turn_first_token_seconds", help: "Transcript or text to the first piece of the answer",
            bounds: Self.bounds)
        firstSound = registry.histogram(
            "avatar_turn_first_sound_seconds", help: "End of speech or text to the first sound on the wire",
            bounds: Self.bounds)
        serverShare = registry.histogram(
            "avatar_turn_server_share_seconds",
            help: "Time to the first sound without the pause, recogniser, model and voice", bounds: Self.bounds)
        apologies = registry.counter("avatar_conversation_apologies_total", help: "Spoken apologies")
        emptyTranscripts = registry.counter(
            "avatar_conversation_empty_transcripts_total", help: "Turns in which nothing was understood")
        cutAnswers = registry.counter(
            "avatar_conversation_cut_answers_total", help: "Answers that reached the limit of their length")
        droppedEvents = registry.counter(
            "avatar_conversation_dropped_events_total", help: "Events that a slow subscriber did not read")
    }

    func count(turn kind: TurnTimeline.Kind) {
        registry.counter(
            "avatar_turns_total", help: "Questions, by how they came", labels: ["kind": kind.rawValue]
        ).increment()
    }

    func count(failure error: BackendError) {
        registry.counter(
            "avatar_conversation_failures_total", help: "Parts that gave no result",
            labels: ["part": error.part, "code": error.code.rawValue]
        ).increment()
    }

    func count(interruptionBy cause: Interrupter) {
        registry.counter(
            "avatar_conversation_interruptions_total", help: "Turns and speech that were cut off",
            labels: ["by": cause.rawValue]
        ).increment()
    }

    func observe(_ timeline: TurnTimeline) {
        if timeline.kind != .typed, let transcript = timeline.timeToTranscript {
            recognition.observe(transcript.seconds)
        }
        if let token = timeline.firstToken, let start = timeline.transcript {
            firstToken.observe((token - start).seconds)
        }
        if let sound = timeline.timeToFirstSound { firstSound.observe(sound.seconds) }
        if let share = timeline.serverShare { serverShare.observe(share.seconds) }
    }
}

/// Who cut something off.
package enum Interrupter: String, Sendable {
    /// Somebody asked for silence.
    case request
    /// A new question.
    case question
    /// Somebody spoke over the avatar.
    case bargeIn = "barge_in"
    /// The stage itself.
    case stage
}
