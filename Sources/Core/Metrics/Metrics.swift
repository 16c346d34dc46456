internal import Synchronization

/// A number that only grows.
package final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)

    package func increment(by amount: UInt64 = 1) {
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    package var current: UInt64 { value.load(ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    package var current: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// Counts observations in cumulative buckets, as Prometheus reads them.
package final class Histogram: Sendable {
    package struct State: Sendable {
        package var counts: [UInt64]
        package var sum: Double = 0
        package var total: UInt64 = 0
    }

    /// Upper bounds, ascending; `+Inf` is implied.
    package let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        self.state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    package func observe(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
            state.total += 1
        }
    }

    package var current: State { state.withLock { $0 } }
}

/// Every metric of the process, by name and labels; renders the Prometheus text format.
package final class MetricsRegistry: Sendable {
    private enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }
    private struct Family {
        var help: String
        var instruments: [String: Instrument] = [:]
    }
    private let families = Mutex<[String: Family]>([:])

    package init() {}

    /// The counter of that name and those labels; made on first use.
    package func counter(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Counter {
        let made = instrument(name, help, labels) { .counter(Counter()) }
        guard case .counter(let counter) = made else { preconditionFailure("\(name) is registered as another kind") }
        return counter
    }

    package func gauge(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        let made = instrument(name, help, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = made else { preconditionFailure("\(name) is registered as another kind") }
        return gauge
    }

    package func histogram(
        _ name: String, help: String, bounds: [Double], labels: KeyValuePairs<String, String> = [:]
    ) -> Histogram {
        let made = instrument(name, help, labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = made else {
            preconditionFailure("\(name) is registered as another kind")
        }
        return histogram
    }

    private func instrument(
        _ name: String, _ help: String, _ labels: KeyValuePairs<String, String>, make: () -> sending Instrument
    ) -> Instrument {
        let key = labels.map { "\($0.key)=\(LogOutput.quoted($0.value))" }.joined(separator: ",")
        return families.withLock { families in
            if let known = families[name]?.instruments[key] { return known }
            let made = make()
            families[name, default: Family(help: help)].instruments[key] = made
            return made
        }
    }

    /// The Prometheus text exposition format, version 0.0.4.
    package func prometheusText() -> String {
        let snapshot = families.withLock { $0 }
        var text = ""
        for (name, family) in snapshot.sorted(by: { $0.key < $1.key }) {
            guard let first = family.instruments.values.first else { continue }
            let kind =
                switch first {
                case .counter: "counter"
                case .gauge: "gauge"
                case .histogram: "histogram"
                }
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(kind)\n"
            for (labels, instrument) in family.instruments.sorted(by: { $0.key < $1.key }) {
                let braces = labels.isEmpty ? "" : "{\(labels)}"
                switch instrument {
                case .counter(let counter): text += "\(name)\(braces) \(counter.current)\n"
                case .gauge(let gauge): text += "\(name)\(braces) \(gauge.current)\n"
                case .histogram(let histogram): text += Self.lines(name, labels, histogram)
                }
            }
        }
        return text
    }

    private static func lines(_ name: String, _ labels: String, _ histogram: Histogram) -> String {
        let state = histogram.current
        var text = ""
        var cumulative: UInt64 = 0
        let separator = labels.isEmpty ? "" : ","
        for (index, count) in state.counts.enumerated() {
            cumulative += count
            let bound = index < histogram.bounds.count ? String(histogram.bounds[index]) : "+Inf"
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(cumulative)\n"
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        return text + "\(name)_sum\(braces) \(state.sum)\n\(name)_count\(braces) \(state.total)\n"
    }
}
