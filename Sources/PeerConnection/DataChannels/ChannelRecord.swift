/// A channel as its peer connection keeps it.
struct ChannelRecord: Sendable {
    enum State: Equatable, Sendable {
        case open
        /// By our wish: what waits is sent, then our direction is reset, then the peer's reset is awaited.
        case closing
        /// By the peer's wish, and told of; a message that has begun is sent to its end, then our direction is reset.
        case ended
    }

    /// A message, or an opening or its acknowledgement, that waits to be sent.
    struct Outgoing: Sendable {
        var bytes: [UInt8]
        var payloadProtocol: SCTPPayloadProtocol
        /// Bytes that the association has taken.
        var taken = 0
        /// Bytes that count for limits and statistics; an empty message is sent as one byte.
        var countedBytes: Int
    }

    let settings: DataChannelSettings
    let isIncoming: Bool
    var state = State.open
    /// Nil until the DTLS roles are known.
    var stream: UInt16?
    /// The peer knows the channel: it opened it, acknowledged it, or sent on it. Until then everything is sent in order, behind
    /// the opening (RFC 8832 §6).
    var isAnswered: Bool
    var outgoing = PendingQueue<Outgoing>()
    /// The message that the association has taken a part of, or will take next.
    var current: Outgoing?
    /// Bytes of messages in both.
    var bufferedBytes = 0
    /// Our direction's reset is asked for.
    var isReset = false
    var owesBufferLow = false

    var hasOutgoing: Bool { current != nil || !outgoing.isEmpty }

    init(settings: DataChannelSettings, isIncoming: Bool, stream: UInt16?) {
        self.settings = settings
        self.isIncoming = isIncoming
        self.stream = stream
        isAnswered = isIncoming
    }

    mutating func append(_ message: Outgoing) {
        outgoing.append(message)
        if message.payloadProtocol != .establishment { bufferedBytes += message.countedBytes }
    }

    /// Drops what waits, but for a message that has begun. The bytes that wait no longer.
    mutating func dropOutgoing() -> Int {
        outgoing = PendingQueue()
        let before = bufferedBytes
        if let message = current, message.taken > 0 {
            bufferedBytes = message.payloadProtocol == .establishment ? 0 : message.countedBytes
        } else {
            current = nil
            bufferedBytes = 0
        }
        return before - bufferedBytes
    }
}
