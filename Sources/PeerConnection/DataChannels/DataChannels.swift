internal import Core

/// The SCTP association with a peer and the data channels on it.
///
/// Does no I/O. After every call that takes `now` drain ``pollTransmit()`` and ``pollEvent()``, then arm ``deadline``.
/// - SeeAlso: [RFC 8831](https://www.rfc-editor.org/rfc/rfc8831), [RFC 8832](https://www.rfc-editor.org/rfc/rfc8832)
struct DataChannels: ~Copyable {
    enum Event: Sendable {
        case connected
        case ended(reason: String)
        case opened(DataChannelID, DataChannelSettings, isIncoming: Bool)
        case message(DataChannelID, DataChannelMessage)
        case bufferLow(DataChannelID)
        case closed(DataChannelID)
    }

    /// The peer may take its time to reset its direction of a stream; after this the channel is closed without, and its stream
    /// is not used again.
    static let closingLimit: Duration = .seconds(5)

    let limits: DataChannelLimits
    var state = SCTPStatistics.State.closed
    var association: SCTPAssociation?
    /// An association has ended: there is no second one.
    private var isOver = false
    /// In the order of their numbers.
    var channels: [DataChannelID: ChannelRecord] = [:]
    var ids: [UInt16: DataChannelID] = [:]
    /// Streams whose direction of ours is being reset: nothing can be sent on them meanwhile.
    var resetting: Set<UInt16> = []
    /// Streams that must not be used again: the peer did not reset its direction.
    var retired: Set<UInt16> = []
    /// Channels of our closing that wait for the peer's reset, in the order of their deadlines.
    var closing: [(id: DataChannelID, limit: Instant)] = []
    var incomplete: IncompleteMessages
    /// Turns among channels that have something to send.
    var turns: [DataChannelID] = []
    /// The channel whose message has begun: no other's may before its end.
    var sending: DataChannelID?
    var remoteMaximumMessageBytes = 0
    /// We draw even streams as DTLS client, odd ones as server.
    var isClient = false
    var streams = 0
    var counts = SCTPStatistics()
    private var lastNumber: UInt32 = 0
    private var nextStream: UInt16 = 0
    var transmits = PendingQueue<[UInt8]>()
    var events = PendingQueue<Event>()

    init(limits: DataChannelLimits) {
        self.limits = limits
        incomplete = IncompleteMessages(
            maximumMessageBytes: limits.maximumMessageBytes, maximumBytes: limits.maximumIncompleteBytes)
    }

    /// When ``handleTimeout(now:)`` is due.
    var deadline: Instant? {
        let due =
            switch association {
            case .some(let association): association.deadline
            case .none: Instant?.none
            }
        guard let limit = closing.first?.limit else { return due }
        return due.map { min($0, limit) } ?? limit
    }

    var statistics: SCTPStatistics {
        var statistics = counts
        statistics.state = state
        statistics.channels = channels.count
        switch association {
        case .some(let association): statistics.messagesAbandoned &+= association.abandoned
        case .none: break
        }
        return statistics
    }

    /// Begins the association: DTLS is up and both descriptions have a section for it.
    mutating func start(_ application: NegotiatedApplication, isClient: Bool, now: Instant) {
        guard state == .closed, !isOver else { return }
        self.isClient = isClient
        remoteMaximumMessageBytes = application.remoteMaximumMessageBytes
        nextStream = isClient ? 0 : 1
        association = SCTPAssociation(
            localPort: NegotiatedApplication.port, remotePort: application.remotePort,
            receiveBuffer: incomplete.maximumBytes, now: now)
        state = .connecting
        if association == nil { end(.failed, "the SCTP library refused an association", now: now) }
        drain(now: now)
    }

    mutating func open(_ settings: DataChannelSettings, now: Instant) throws(DataChannelError) -> DataChannelID {
        guard settings.isValid else { throw .invalidSettings }
        guard channels.count < limits.maximumChannels else { throw .tooManyChannels }
        guard !isOver else { throw .notOpen }
        var channel = ChannelRecord(settings: settings, isIncoming: false, stream: nil)
        let opening = EstablishmentMessage.open(settings).encoded
        channel.append(
            ChannelRecord.Outgoing(bytes: opening, payloadProtocol: .establishment, countedBytes: opening.count))
        if state == .established {
            guard let stream = drawStream() else { throw .tooManyChannels }
            channel.stream = stream
        }
        let id = add(channel)
        pump(now: now)
        return id
    }

    mutating func send(_ message: DataChannelMessage, on id: DataChannelID, now: Instant) throws(DataChannelError) {
        guard let channel = channels[id] else { throw .unknownChannel }
        guard state == .established, channel.state == .open else { throw .notOpen }
        let count = message.bytes.count
        guard count <= maximumOutgoingBytes else { throw .tooLarge(maximumBytes: maximumOutgoingBytes) }
        guard counts.bufferedBytes + count <= limits.maximumBufferedBytes else {
            channels[id]?.owesBufferLow = true
            throw .bufferFull
        }
        let kind: SCTPPayloadProtocol =
            message.isText ? (count == 0 ? .emptyText : .text) : (count == 0 ? .emptyBinary : .binary)
        channels[id]?.append(
            ChannelRecord.Outgoing(
                bytes: count == 0 ? [0] : message.bytes, payloadProtocol: kind, countedBytes: count))
        counts.bufferedBytes += count
        if counts.bufferedBytes > lowMark { channels[id]?.owesBufferLow = true }
        queueTurn(id)
        pump(now: now)
    }

    func bufferedBytes(on id: DataChannelID) -> Int {
        channels[id]?.bufferedBytes ?? 0
    }

    mutating func close(_ id: DataChannelID, now: Instant) {
        guard let channel = channels[id], channel.state == .open else { return }
        guard state == .established, channel.stream != nil else {
            remove(id)
            events.append(.closed(id))
            return
        }
        channels[id]?.state = .closing
        pump(now: now)
    }

    /// Ends everything without an event: an ABORT is then in ``pollTransmit()``.
    mutating func abort(now: Instant) {
        guard state == .connecting || state == .established else { return }
        association?.abort(now: now)
        collectTransmits()
        end(.closed, "this side closed it", now: now)
        events = PendingQueue()
    }

    /// The peer takes no data channels: those that wait for an association are over.
    mutating func refuse(now: Instant) {
        guard association == nil, !isOver, !channels.isEmpty else { return }
        end(.closed, "the peer's description has no section for data channels", now: now)
        // A later description may have one.
        isOver = false
    }

    /// Takes a packet. False where it was malformed or came without an association.
    mutating func handle(_ packet: [UInt8], now: Instant) -> Bool {
        do throws(SCTPPacketError) {
            try association?.handle(packet, now: now)
        } catch {
            counts.refused &+= 1
            return false
        }
        guard association != nil else {
            counts.refused &+= 1
            return false
        }
        drain(now: now)
        return true
    }

    mutating func handleTimeout(now: Instant) {
        association?.handleTimeout(now: now)
        while let first = closing.first, first.limit <= now {
            closing.removeFirst()
            guard let channel = channels[first.id] else { continue }
            if let stream = channel.stream { retired.insert(stream) }
            remove(first.id)
            events.append(.closed(first.id))
        }
        drain(now: now)
    }

    mutating func pollTransmit() -> [UInt8]? { transmits.popFirst() }

    mutating func pollEvent() -> Event? { events.popFirst() }

    // MARK: - Channels

    /// The largest message that the peer takes and that can wait here.
    private var maximumOutgoingBytes: Int {
        min(remoteMaximumMessageBytes, limits.maximumBufferedBytes)
    }

    /// Waiting bytes at which those whose sending failed are told to go on.
    var lowMark: Int { limits.maximumBufferedBytes / 4 }

    mutating func add(_ channel: ChannelRecord) -> DataChannelID {
        lastNumber += 1
        let id = DataChannelID(number: lastNumber)
        channels[id] = channel
        if let stream = channel.stream { ids[stream] = id }
        if channel.hasOutgoing { queueTurn(id) }
        return id
    }

    mutating func remove(_ id: DataChannelID) {
        guard let channel = channels.removeValue(forKey: id) else { return }
        counts.bufferedBytes -= channel.bufferedBytes
        if let stream = channel.stream {
            incomplete.forget(stream: stream)
            if ids[stream] == id { ids[stream] = nil }
        }
        if sending == id { sending = nil }
    }

    mutating func queueTurn(_ id: DataChannelID) {
        if !turns.contains(id) { turns.append(id) }
    }

    /// A free stream of our parity; streams are taken in turn, so that one is used again as late as possible.
    mutating func drawStream() -> UInt16? {
        let step: UInt16 = 2
        let first: UInt16 = isClient ? 0 : 1
        for _ in 0..<(streams + 1) / 2 {
            if Int(nextStream) >= streams { nextStream = first }
            let stream = nextStream
            nextStream &+= step
            if Int(stream) < streams, ids[stream] == nil, !resetting.contains(stream), !retired.contains(stream) {
                return stream
            }
        }
        return nil
    }

    /// The association is over, and every channel with it.
    mutating func end(_ last: SCTPStatistics.State, _ reason: String, now: Instant) {
        counts.failureReason = reason
        isOver = true
        closeAll()
        switch association {
        case .some(let association): counts.messagesAbandoned &+= association.abandoned
        case .none: break
        }
        association = nil
        state = last
        events.append(.ended(reason: reason))
    }

    mutating func closeAll() {
        for (id, channel) in channels.sorted(by: { $0.key.number < $1.key.number }) where channel.state != .ended {
            events.append(.closed(id))
        }
        channels.removeAll()
        ids.removeAll()
        resetting.removeAll()
        retired.removeAll()
        closing.removeAll()
        incomplete.forgetAll()
        turns.removeAll()
        sending = nil
        counts.bufferedBytes = 0
    }
}
