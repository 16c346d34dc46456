package import Core

/// What is counted of all microphones.
package struct MicrophoneMetrics: Sendable {
    let lost: Counter
    let late: Counter
    let refused: Counter
    let undecodable: Counter
    let overrun: Counter

    package init(_ registry: MetricsRegistry) {
        func packets(_ outcome: String) -> Counter {
            registry.counter(
                "avatar_microphone_troubled_packets_total",
                help: "Packets of viewers' sound that were not heard as sent.",
                labels: ["outcome": outcome])
        }
        lost = packets("lost")
        late = packets("late")
        refused = packets("refused")
        undecodable = packets("undecodable")
        overrun = packets("overrun")
    }
}
