internal import Core

/// Splits a TCP byte stream into STUN messages and ChannelData.
///
/// Feed it with ``append(_:)``, then drain ``next()`` until nil. An error ends the stream: its boundaries are lost.
/// - SeeAlso: [RFC 8656 §12.5](https://www.rfc-editor.org/rfc/rfc8656#section-12.5)
package struct TURNStreamFramer: Sendable {
    package enum FramingError: Error, Equatable, Sendable {
        /// The first bytes belong neither to STUN nor to a channel.
        case unknownProtocol(firstByte: UInt8)
        /// A message announces more than `maximumMessageByteCount`.
        case messageTooLong(byteCount: Int)
    }

    /// A media datagram with its headers is far smaller; what a peer can make us hold is this and one read.
    package let maximumMessageByteCount: Int
    private var buffer: [UInt8] = []
    private var consumed = 0

    package init(maximumMessageByteCount: Int = 4096) {
        self.maximumMessageByteCount = maximumMessageByteCount
    }

    /// How many bytes wait for the rest of their message.
    package var bufferedByteCount: Int { buffer.count - consumed }

    package mutating func append(_ bytes: Span<UInt8>) {
        if consumed > 0 {
            buffer.removeFirst(consumed)
            consumed = 0
        }
        unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }

    /// The next whole message, without the padding that follows ChannelData on a stream; nil until more bytes come.
    package mutating func next() throws(FramingError) -> [UInt8]? {
        let available = bufferedByteCount
        guard available > 0 else { return nil }
        let first = buffer[consumed]
        let isChannelData = first >> 4 == 4
        guard isChannelData || first <= 3 else { throw .unknownProtocol(firstByte: first) }
        guard available >= 4 else { return nil }
        let length = Int(buffer[consumed + 2]) << 8 | Int(buffer[consumed + 3])
        let message = length + (isChannelData ? ChannelData.headerByteCount : STUNMessage.headerByteCount)
        guard message <= maximumMessageByteCount else { throw .messageTooLong(byteCount: message) }
        let padded = (message + 3) & ~3
        guard available >= padded else { return nil }
        defer { consumed += padded }
        return Array(buffer[consumed..<(consumed + message)])
    }
}
