internal import Core

/// What is counted of projects and their workers.
struct RunnerMetrics: Sendable {
    let callDuration: Histogram
    let workerStarts: Counter
    let workerRestarts: Counter
    let loadDuration: Histogram
    let pushes: Counter
    let pushesDropped: Counter
    let linesLeftOut: Counter
    let rubbish: Counter
    let strayAnswers: Counter
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        callDuration = registry.histogram(
            "avatar_streamer_robot_control_call_duration_seconds",
            help: "From a call's arrival to its outcome, waiting included.",
            bounds: [0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30, 120, 300])
        workerStarts = registry.counter(
            "avatar_streamer_robot_control_worker_starts_total", help: "Workers that were started.")
        workerRestarts = registry.counter(
            "avatar_streamer_robot_control_worker_restarts_total", help: "Restarts after a worker ended by itself.")
        loadDuration = registry.histogram(
            "avatar_streamer_robot_control_load_duration_seconds", help: "From a worker's start to its readiness.",
            bounds: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60])
        pushes = registry.counter("avatar_streamer_robot_control_pushes_total", help: "Pushes of projects.")
        pushesDropped = registry.counter(
            "avatar_streamer_robot_control_pushes_dropped_total", help: "Pushes over the limit, read by nobody.")
        linesLeftOut = registry.counter(
            "avatar_streamer_robot_control_lines_left_out_total", help: "Lines of output over the limit.")
        rubbish = registry.counter(
            "avatar_streamer_robot_control_rubbish_total", help: "Messages of workers that could not be taken.")
        strayAnswers = registry.counter(
            "avatar_streamer_robot_control_stray_answers_total", help: "Answers to calls that were not running.")
    }

    func countCall(_ outcome: CallOutcome, took duration: Duration) {
        let name =
            switch outcome {
            case .value: "ok"
            case .error(let code, _, _): code
            }
        registry.counter(
            "avatar_streamer_robot_control_calls_total", help: "Calls by their outcome.", labels: ["outcome": name]
        ).increment()
        callDuration.observe(duration.seconds)
    }

    /// `reason` is one of few: `exit`, `signal`, `memory`, `processes`, `disk`.
    func countEnd(_ reason: String) {
        registry.counter(
            "avatar_streamer_robot_control_worker_ends_total", help: "Workers that ended, by how.",
            labels: ["reason": reason]
        ).increment()
    }
}
