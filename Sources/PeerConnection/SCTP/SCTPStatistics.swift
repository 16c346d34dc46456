/// What is known of a peer's SCTP association at one moment.
package struct SCTPStatistics: Equatable, Sendable {
    package enum State: String, Hashable, Sendable {
        /// Not begun: no section for it, or no DTLS yet. Or over, by either side's wish.
        case closed
        /// INIT is on its way.
        case connecting
        case established
        /// INIT was not answered, the peer aborted, or it stopped answering.
        case failed
    }

    package var state = State.closed
    /// INIT chunks, the repeated ones too: how often the peer was asked to begin.
    package var initsSent: UInt64 = 0
    package var channels = 0
    package var messagesSent: UInt64 = 0
    package var messagesReceived: UInt64 = 0
    /// Bytes of those messages, without any header.
    package var bytesSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    /// Messages that were given up, as their channel's reliability demands.
    package var messagesAbandoned: UInt64 = 0
    /// Bytes that wait to be sent, all channels together.
    package var bufferedBytes = 0
    /// What came in and was not taken: malformed packets and messages, messages of no channel, too large or too many.
    package var refused: UInt64 = 0
    /// Why the association did not come up or is over.
    package var failureReason: String?
}
