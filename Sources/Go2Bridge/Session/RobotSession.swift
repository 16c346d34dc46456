package import Core
package import PeerConnection

/// What a session tells its driver.
package enum RobotSessionEvent: Sendable {
    /// The robot asked who we are; the answer is under way.
    case challenged
    /// The robot complains of unvalidated messages; the last answer is sent again where there is one. After ``validated`` it means
    /// that no order is taken until the next one.
    case validationNeeded
    /// The robot asked for validation in mid-session, and has not accepted it for so long: end the connection.
    case validationLost(after: Duration)
    /// `Validation Ok.`: orders are taken from here on; the driver tells ``RobotLinkEvent/ready`` of it.
    case validated
    /// Topics, binary messages, answers, faults and the network's status; never `report`, `ready` or `lost`.
    case link(RobotLinkEvent)
}

/// What is said on a robot's data channel `data`, from our side.
///
/// Does no I/O. One session serves one robot for as long as its link lives: what is subscribed to and switched on is kept from
/// one connection to the next and told to the robot again. Call ``connected(now:)`` when the channel can carry messages
/// (the association is up; no DCEP ACK is waited for), ``disconnected()`` when the robot is lost; feed every
/// message to ``handle(_:now:wallTime:)``, and ``handleTimeout(now:wallTime:)`` once ``deadline`` has passed. After each
/// call drain ``pollTransmit()`` and ``pollEvent()`` to nil.
package struct RobotSession: Sendable {
    enum State: Sendable, Equatable {
        case closed
        /// Nothing but validation goes through.
        case open
        case validated
    }

    struct Pending: Sendable {
        var request: RobotRequest
        /// `res $ rt/api/SERVICE/response`.
        var answerName: String
        var sent: Instant
        var deadline: Instant
        var chunks: ChunkedAnswer?
    }

    let limits: RobotSessionLimits
    let random: RandomSource
    var state = State.closed

    /// The answer to the last challenge.
    var validation: DataChannelMessage?
    var topics: Set<String> = []
    var cameraIsOn = false
    var microphoneIsOn = false
    /// Nil until somebody cares: the robot saves traffic unless told otherwise.
    var trafficSavingIsOn: Bool?

    /// By the number on the wire.
    var pending: [Int32: Pending] = [:]
    var nextID: Int32
    var requestLimit: RateLimit
    var replyLimit: RateLimit
    var standingFaults: [RobotFault] = []

    /// Since when the robot has wanted to be answered again that had let us in.
    var unvalidatedSince: Instant?
    var nextHeartbeat: Instant?
    var networkPoll: NetworkPoll?

    var outbox: RobotOutbox
    private var events: [RobotSessionEvent] = []
    package internal(set) var statistics = RobotSessionStatistics()

    package init(limits: RobotSessionLimits = RobotSessionLimits(), random: RandomSource = .system) {
        self.limits = limits
        self.random = random
        outbox = RobotOutbox(limit: limits.maximumQueuedMessages)
        nextID = Int32(random.uint32() & 0x3FFF_FFFF) + 1
        requestLimit = RateLimit(rate: limits.requestsPerSecond, burst: limits.requestBurst)
        replyLimit = RateLimit(rate: limits.repliesPerSecond, burst: limits.repliesPerSecond)
    }

    package var isValidated: Bool { state == .validated }

    /// The channel can carry messages. The robot speaks first.
    package mutating func connected(now: Instant) {
        guard state == .closed else { return }
        state = .open
        outbox.removeAll()
        replyLimit = RateLimit(rate: limits.repliesPerSecond, burst: limits.repliesPerSecond)
    }

    /// The robot is gone: every open request fails, what is wanted of the robot stays.
    package mutating func disconnected() {
        state = .closed
        validation = nil
        unvalidatedSince = nil
        outbox.removeAll()
        nextHeartbeat = nil
        networkPoll = nil
        for waiting in pending.values.sorted(by: { $0.sent < $1.sent }) { fail(waiting.request, .lost) }
        pending.removeAll()
        if !standingFaults.isEmpty {
            standingFaults.removeAll()
            emit(.link(.faults([])))
        }
    }

    /// The next message for the channel. It waits until ``transmitted()``: a channel may be too full to take it, and a stop may
    /// overtake it meanwhile.
    package var nextTransmit: DataChannelMessage? { outbox.first }

    /// The channel has taken ``nextTransmit``, or never will.
    package mutating func transmitted() {
        statistics.messagesSent += 1
        outbox.removeFirst()
    }

    /// The next message for a channel that takes all of them.
    package mutating func pollTransmit() -> DataChannelMessage? {
        guard let message = nextTransmit else { return nil }
        transmitted()
        return message
    }

    package mutating func pollEvent() -> RobotSessionEvent? {
        events.isEmpty ? nil : events.removeFirst()
    }

    // MARK: - For the aspects

    mutating func emit(_ event: RobotSessionEvent) {
        events.append(event)
    }

    /// False where too much waits already.
    @discardableResult
    mutating func send(
        _ message: DataChannelMessage, _ kind: RobotOutbox.Kind = .ordinary, requestID: Int32? = nil
    ) -> Bool {
        guard outbox.add(message, kind, requestID: requestID) else {
            statistics.count(.orderRefused)
            return false
        }
        return true
    }

    mutating func fail(_ request: RobotRequest, _ error: RobotRequestError) {
        guard request.timeout > .zero else { return }
        emit(.link(.requestFailed(id: request.id, error)))
    }
}
