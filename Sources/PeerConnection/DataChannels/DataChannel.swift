/// Names a data channel of one peer connection, for as long as that lives.
///
/// Counted from 1 and never used again, unlike the channel's SCTP stream, which is known only once the DTLS roles are
/// (RFC 8832 §6) and carries other channels after this one: what comes too late for a channel cannot reach its successor.
package struct DataChannelID: Hashable, Sendable {
    package let number: UInt32

    package init(number: UInt32) {
        self.number = number
    }
}

/// How hard a channel tries (RFC 3758, RFC 8831 §6.1).
package enum DataChannelReliability: Hashable, Sendable {
    case reliable
    /// A message is given up after that many retransmissions.
    case retransmissions(UInt16)
    /// A message is given up after that time. Milliseconds are carried; at most 65,535.
    case lifetime(Duration)
}

/// What a channel is opened with (RFC 8832 §5.1).
package struct DataChannelSettings: Hashable, Sendable {
    package var label: String
    /// The subprotocol; empty for none.
    package var subprotocol: String
    package var isOrdered: Bool
    package var reliability: DataChannelReliability

    package init(
        label: String, subprotocol: String = "", isOrdered: Bool = true, reliability: DataChannelReliability = .reliable
    ) {
        self.label = label
        self.subprotocol = subprotocol
        self.isOrdered = isOrdered
        self.reliability = reliability
    }
}

/// One message, whole. Text is UTF-8 (RFC 8831 §6.6).
package struct DataChannelMessage: Hashable, Sendable {
    package var isText: Bool
    package var bytes: [UInt8]

    package init(isText: Bool, bytes: [UInt8]) {
        self.isText = isText
        self.bytes = bytes
    }

    package init(text: String) {
        self.init(isText: true, bytes: Array(text.utf8))
    }
}

/// What a peer may do with data channels.
package struct DataChannelLimits: Hashable, Sendable {
    /// Bytes of a message that we take, `a=max-message-size`.
    package var maximumMessageBytes = 262_144
    package var maximumChannels = 16
    /// Bytes that may wait to be sent, all channels together; past them sending fails.
    package var maximumBufferedBytes = 4 << 20
    /// Bytes of messages that are not whole yet, all channels together.
    package var maximumIncompleteBytes = 1 << 20

    package init() {}
}

/// Why a channel refuses.
package enum DataChannelError: Error, Hashable, Sendable {
    case unknownChannel
    /// The association is not up, or the channel is closing.
    case notOpen
    case tooLarge(maximumBytes: Int)
    /// Too much waits to be sent; ``PeerConnection/Event/dataChannelBufferLow`` says when to go on.
    case bufferFull
    case tooManyChannels
    case invalidSettings
}
