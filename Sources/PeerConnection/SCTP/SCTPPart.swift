/// What a message is, as its chunks tell.
/// - SeeAlso: [RFC 8831 §8](https://www.rfc-editor.org/rfc/rfc8831#section-8)
enum SCTPPayloadProtocol: UInt32 {
    /// DCEP.
    case establishment = 50
    case text = 51
    /// Deprecated, as ``textPart``: another message goes on with this one.
    case binaryPart = 52
    case binary = 53
    case textPart = 54
    /// One byte that stands for none: SCTP has no empty messages.
    case emptyText = 56
    case emptyBinary = 57
}

/// A part of a message that came in; parts of different messages may alternate, but not those of one stream and order.
struct SCTPPart: Equatable, Sendable {
    var stream: UInt16
    /// A ``SCTPPayloadProtocol``, or anything else.
    var payloadProtocol: UInt32
    var isUnordered: Bool
    /// The message ends with it.
    var isEnd: Bool
    var bytes: [UInt8]
}

/// How a part of a message is to be sent; the same for all parts of a message but for its end.
struct SCTPOutgoingPart: Equatable, Sendable {
    var stream: UInt16
    var payloadProtocol: SCTPPayloadProtocol
    var isOrdered: Bool
    var reliability: DataChannelReliability
    var isEnd: Bool
}
