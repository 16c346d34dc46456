/// Messages whose end has not come yet, by stream and order.
struct IncompleteMessages: Sendable {
    struct Key: Hashable, Sendable {
        var stream: UInt16
        var isUnordered: Bool
    }

    private struct Message: Sendable {
        var bytes: [UInt8] = []
        var payloadProtocol: UInt32
        /// Too large, or more than may wait: the rest is dropped.
        var isOverrun = false
    }

    enum Outcome: Equatable, Sendable {
        case more
        /// The message is whole; its protocol is that of its last part.
        case whole([UInt8], SCTPPayloadProtocol)
        /// It has ended, and was not kept: larger than allowed.
        case overrun
        /// It has ended, and is of no kind that we know.
        case unknownProtocol
    }

    let maximumMessageBytes: Int
    let maximumBytes: Int
    private var messages: [Key: Message] = [:]
    /// Bytes that are kept.
    private(set) var bytes = 0

    init(maximumMessageBytes: Int, maximumBytes: Int) {
        self.maximumMessageBytes = maximumMessageBytes
        // The largest message must have room.
        self.maximumBytes = max(maximumBytes, maximumMessageBytes)
    }

    /// Takes a part. `isWanted` is false for what is not to be kept: a stream without a channel.
    mutating func take(_ part: SCTPPart, isWanted: Bool) -> Outcome {
        let key = Key(stream: part.stream, isUnordered: part.isUnordered)
        let kind = SCTPPayloadProtocol(rawValue: part.payloadProtocol)
        if messages[key] == nil, part.isEnd, isWanted, let kind, !kind.isContinued, part.bytes.count <= limit(of: kind)
        {
            return .whole(part.bytes, kind)
        }
        var message = messages.removeValue(forKey: key) ?? Message(payloadProtocol: part.payloadProtocol)
        bytes -= message.bytes.count
        message.payloadProtocol = part.payloadProtocol
        let limit = kind.map(limit(of:)) ?? 0
        if !isWanted || message.bytes.count + part.bytes.count > limit
            || bytes + message.bytes.count + part.bytes.count > maximumBytes
        {
            message.isOverrun = true
            message.bytes = []
        }
        if !message.isOverrun { message.bytes.append(contentsOf: part.bytes) }
        if part.isEnd, kind?.isContinued != true {
            guard let kind else { return .unknownProtocol }
            return message.isOverrun ? .overrun : .whole(message.bytes, kind)
        }
        bytes += message.bytes.count
        messages[key] = message
        return .more
    }

    /// What has begun on a stream will not end.
    mutating func forget(stream: UInt16) {
        for isUnordered in [false, true] {
            guard let message = messages.removeValue(forKey: Key(stream: stream, isUnordered: isUnordered)) else {
                continue
            }
            bytes -= message.bytes.count
        }
    }

    mutating func forgetAll() {
        messages.removeAll()
        bytes = 0
    }

    private func limit(of kind: SCTPPayloadProtocol) -> Int {
        kind == .establishment ? EstablishmentMessage.maximumBytes : maximumMessageBytes
    }
}

extension SCTPPayloadProtocol {
    /// The next message goes on with it (RFC 8831 §8: deprecated, still to be understood).
    fileprivate var isContinued: Bool { self == .binaryPart || self == .textPart }
}
