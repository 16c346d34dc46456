package import Core

/// Asking the robot for its network until it knows it.
struct NetworkPoll: Sendable, Equatable {
    /// After validation.
    static let firstDelay: Duration = .seconds(1)
    /// After an answer that says nothing yet, as the public clients do.
    static let unknownDelay: Duration = .milliseconds(500)
    /// Later ones, so that a robot without a network is not asked for ever at that rate.
    static let patientDelay: Duration = .seconds(10)
    /// An unanswered question is asked again.
    static let answerTime: Duration = .seconds(5)
    /// Questions at the quick pace.
    static let quickQuestions = 20

    var next: Instant?
    var uuid = ""
    var asked = 0

    func answered(_ status: String, now: Instant) -> NetworkPoll {
        var poll = self
        poll.uuid = ""
        let isUnknown = status == "NetworkStatus.DISCONNECTED" || status == "Undefined"
        poll.next = isUnknown ? now + (asked < Self.quickQuestions ? Self.unknownDelay : Self.patientDelay) : nil
        return poll
    }
}

extension RobotSession {
    /// When ``handleTimeout(now:wallTime:)`` is due; nil while nothing waits.
    package var deadline: Instant? {
        var earliest = nextHeartbeat
        func consider(_ instant: Instant?) {
            if let instant { earliest = earliest.map { min($0, instant) } ?? instant }
        }
        consider(networkPoll?.next)
        consider(unvalidatedSince.map { $0 + limits.revalidationTime })
        for waiting in pending.values { consider(waiting.deadline) }
        return earliest
    }

    package mutating func handleTimeout(now: Instant, wallTime: WallTime) {
        if let due = nextHeartbeat, now >= due {
            send(RobotMessage.heartbeat(at: wallTime))
            statistics.heartbeatsSent += 1
            // Beats that were missed are not made up for.
            nextHeartbeat = now + limits.heartbeatInterval
        }
        if var poll = networkPoll, let due = poll.next, now >= due {
            poll.uuid = Self.uuid(random.bytes(16))
            poll.asked += 1
            poll.next =
                now + (poll.asked < NetworkPoll.quickQuestions ? NetworkPoll.answerTime : NetworkPoll.patientDelay)
            networkPoll = poll
            send(RobotMessage.networkStatus(uuid: poll.uuid))
        }
        if let since = unvalidatedSince, now >= since + limits.revalidationTime {
            unvalidatedSince = nil
            emit(.validationLost(after: now - since))
        }
        let overdue = pending.filter { $0.value.deadline <= now }
        for (id, waiting) in overdue.sorted(by: { ($0.value.sent, $0.key) < ($1.value.sent, $1.key) }) {
            pending[id] = nil
            outbox.withdraw(requestID: id)
            fail(waiting.request, .timedOut(seconds: (now - waiting.sent).seconds))
        }
    }

    /// A random UUID ([RFC 9562 §5.4](https://www.rfc-editor.org/rfc/rfc9562#section-5.4)) of 16 random bytes.
    static func uuid(_ random: [UInt8]) -> String {
        var bytes = random
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = bytes.hexadecimal
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text += "-" }
            text.append(digit)
        }
        return text
    }
}
