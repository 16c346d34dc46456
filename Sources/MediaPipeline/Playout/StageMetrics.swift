internal import Core

/// What all stages of the process count together.
struct StageMetrics: Sendable {
    let loopFrames: Counter
    let liveFrames: Counter
    let skippedFrames: Counter
    let missingVoice: Counter
    let latePictures: Counter
    let failures: Counter
    let encodeSeconds: Histogram
    let interruptionSeconds: Histogram

    init(_ registry: MetricsRegistry) {
        loopFrames = registry.counter(
            "avatar_stage_frames_total", help: "Pictures that stages delivered.", labels: ["kind": "loop"])
        liveFrames = registry.counter(
            "avatar_stage_frames_total", help: "Pictures that stages delivered.", labels: ["kind": "live"])
        skippedFrames = registry.counter(
            "avatar_stage_skipped_frames_total", help: "Pictures left out since the stage's thread came late.")
        missingVoice = registry.counter(
            "avatar_stage_missing_voice_packets_total",
            help: "Packets with silence in an utterance whose voice came late.")
        latePictures = registry.counter(
            "avatar_stage_late_pictures_total", help: "Utterances begun without their first picture.")
        failures = registry.counter(
            "avatar_stage_failures_total", help: "Failures of sources, encoders and voices.")
        encodeSeconds = registry.histogram(
            "avatar_stage_encode_seconds", help: "Time to encode one live picture.",
            bounds: [0.001, 0.002, 0.004, 0.008, 0.016, 0.033])
        interruptionSeconds = registry.histogram(
            "avatar_stage_interruption_seconds",
            help: "From an interruption to the last packet with any of the interrupted voice.",
            bounds: [0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5])
    }

    /// How far the picture that was shown lies from the sound that was heard; observed by sources that know it.
    static func skewSeconds(_ registry: MetricsRegistry) -> Histogram {
        registry.histogram(
            "avatar_stage_skew_seconds",
            help: "Distance of the picture shown from the sound heard, in either direction.",
            bounds: [0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.4])
    }
}
