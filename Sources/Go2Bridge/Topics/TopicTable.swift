package import Core

/// A topic's new value.
package struct TopicUpdate: Sendable, Equatable {
    package var topic: String
    package var value: JSONValue
    package var receivedAt: Instant
}

/// How a topic comes.
package struct TopicSummary: Sendable, Equatable {
    package var topic: String
    /// Messages since the server began.
    package var count: UInt64
    /// Since the last message; nil before the first.
    package var age: Duration?
    /// Messages a second, of the last 128 gaps at most.
    package var rate: Double?
    /// 99 of 100 gaps are no longer.
    package var gap99: Duration?
    package var isSubscribed: Bool
    /// It should have come by now.
    package var isStale: Bool
}

/// A topic's latest value.
package struct TopicValue: Sendable, Equatable {
    package var summary: TopicSummary
    package var value: JSONValue

    package var topic: String { summary.topic }
    package var age: Duration { summary.age ?? .zero }
}

/// The latest value of every topic that came, and how regularly they come.
struct TopicTable: Sendable {
    private struct Record: Sendable {
        var value: JSONValue?
        var count: UInt64 = 0
        var last: Instant?
        /// Nanoseconds, in no order; the oldest at `next` once full.
        var gaps: [Int64] = []
        var next = 0
        /// Subscribed since, of this connection.
        var since: Instant?
    }

    static let maximumGaps = 128
    /// A robot sends what it was asked for; a hostile one could name topics without end.
    static let maximumTopics = 256
    /// A topic that is due once a second may be late by that much at least.
    static let minimumStaleTime: Duration = .seconds(3)

    private var records: [String: Record] = [:]

    /// False for one topic too many.
    mutating func receive(_ topic: String, _ value: JSONValue, now: Instant) -> Bool {
        guard records[topic] != nil || records.count < Self.maximumTopics || evict() else { return false }
        var record = records[topic] ?? Record()
        if let last = record.last {
            let gap = (now - last).nanoseconds
            if record.gaps.count < Self.maximumGaps {
                record.gaps.append(gap)
            } else {
                record.gaps[record.next] = gap
                record.next = (record.next + 1) % Self.maximumGaps
            }
        }
        record.value = value
        record.count += 1
        record.last = now
        records[topic] = record
        return true
    }

    mutating func subscribed(_ topic: String, now: Instant) {
        records[topic, default: Record()].since = now
    }

    mutating func unsubscribed(_ topic: String) {
        records[topic]?.since = nil
        if records[topic]?.last == nil { records[topic] = nil }
        forgetPace(of: topic)
    }

    /// Gaps over a lost connection say nothing of a topic's pace.
    mutating func connectionLost() {
        for topic in records.keys {
            records[topic]?.since = nil
            forgetPace(of: topic)
        }
    }

    /// Forgets the topic that nobody wants and that came the longest ago; false where all are wanted.
    private mutating func evict() -> Bool {
        let unwanted = records.filter { $0.value.since == nil }
        guard let oldest = unwanted.min(by: { ($0.value.last ?? .zero) < ($1.value.last ?? .zero) }) else {
            return false
        }
        records[oldest.key] = nil
        return true
    }

    private mutating func forgetPace(of topic: String) {
        records[topic]?.gaps.removeAll()
        records[topic]?.next = 0
    }

    func summary(of topic: String, now: Instant) -> TopicSummary? {
        records[topic].map { summary(of: topic, $0, now: now) }
    }

    func value(of topic: String, now: Instant) -> TopicValue? {
        guard let record = records[topic], let value = record.value else { return nil }
        return TopicValue(summary: summary(of: topic, record, now: now), value: value)
    }

    func summaries(now: Instant) -> [TopicSummary] {
        records.map { summary(of: $0.key, $0.value, now: now) }.sorted { $0.topic < $1.topic }
    }

    func latest(_ topic: String) -> JSONValue? { records[topic]?.value }

    func staleTopics(now: Instant) -> [String] {
        records.filter { isStale($0.key, $0.value, now: now) }.keys.sorted()
    }

    private func summary(of topic: String, _ record: Record, now: Instant) -> TopicSummary {
        let total = record.gaps.reduce(0, &+)
        let sorted = record.gaps.sorted()
        let rank = max(0, (sorted.count * 99 + 99) / 100 - 1)
        return TopicSummary(
            topic: topic, count: record.count, age: record.last.map { now - $0 },
            rate: total > 0 ? Double(record.gaps.count) * 1e9 / Double(total) : nil,
            gap99: sorted.isEmpty ? nil : .nanoseconds(sorted[rank]), isSubscribed: record.since != nil,
            isStale: isStale(topic, record, now: now))
    }

    private func isStale(_ topic: String, _ record: Record, now: Instant) -> Bool {
        guard let since = record.since, let rate = RobotTopic.expectedRate(of: topic), rate > 0 else { return false }
        let last = record.last.map { max($0, since) } ?? since
        return now - last > max(Self.minimumStaleTime, .seconds(5 / rate))
    }
}
