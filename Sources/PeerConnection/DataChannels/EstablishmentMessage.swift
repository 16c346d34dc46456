internal import Core

/// Why a DCEP message is not understood.
package enum EstablishmentParseError: Error, Hashable, Sendable {
    case truncated
    case unknownMessage(UInt8)
    case unknownChannelType(UInt8)
    /// Label or subprotocol is not UTF-8.
    case invalidText
}

/// A message of the data channel establishment protocol.
///
///      0                   1                   2                   3
///      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
///     +---------------+---------------+-------------------------------+
///     | Message Type  |  Channel Type |            Priority           |
///     +---------------+---------------+-------------------------------+
///     |                     Reliability Parameter                     |
///     +-------------------------------+-------------------------------+
///     |         Label Length          |       Protocol Length         |
///     +-------------------------------+-------------------------------+
///     |                      Label, then Protocol                     |
///
/// - SeeAlso: [RFC 8832 §5](https://www.rfc-editor.org/rfc/rfc8832#section-5)
package enum EstablishmentMessage: Equatable, Sendable {
    case open(DataChannelSettings)
    /// The message type alone.
    case acknowledgement

    private static let acknowledgementType: UInt8 = 2
    private static let openType: UInt8 = 3
    private static let unorderedBit: UInt8 = 0x80
    /// "Below normal" is 128, "normal" 256 (RFC 8831 §6.4); nothing here schedules by it.
    private static let priority: UInt16 = 256
    /// Bytes of the longest one.
    static let maximumBytes = 12 + 2 * 0xFFFF

    /// Bytes behind the protocol are not looked at, as in other implementations.
    package init(_ bytes: Span<UInt8>) throws(EstablishmentParseError) {
        var reader = ByteReader(bytes)
        guard let type = reader.readUInt8() else { throw .truncated }
        if type == Self.acknowledgementType {
            self = .acknowledgement
            return
        }
        guard type == Self.openType else { throw .unknownMessage(type) }
        guard let channelType = reader.readUInt8(), reader.readUInt16() != nil, let parameter = reader.readUInt32(),
            let labelLength = reader.readUInt16(), let protocolLength = reader.readUInt16(),
            let label = reader.readBytes(Int(labelLength)), let subprotocol = reader.readBytes(Int(protocolLength))
        else { throw .truncated }
        let reliability: DataChannelReliability
        switch channelType & ~Self.unorderedBit {
        case 0: reliability = .reliable
        case 1: reliability = .retransmissions(UInt16(clamping: parameter))
        case 2: reliability = .lifetime(.milliseconds(Int(UInt16(clamping: parameter))))
        default: throw .unknownChannelType(channelType)
        }
        guard let label = String(validating: label, as: UTF8.self),
            let subprotocol = String(validating: subprotocol, as: UTF8.self)
        else { throw .invalidText }
        self = .open(
            DataChannelSettings(
                label: label, subprotocol: subprotocol, isOrdered: channelType & Self.unorderedBit == 0,
                reliability: reliability))
    }

    /// Labels and subprotocols of more than 65,535 bytes are cut; ``DataChannelSettings/isValid`` says whether they are.
    package var encoded: [UInt8] {
        guard case .open(let settings) = self else { return [Self.acknowledgementType] }
        let channelType: UInt8
        let parameter: UInt32
        switch settings.reliability {
        case .reliable: (channelType, parameter) = (0, 0)
        case .retransmissions(let count): (channelType, parameter) = (1, UInt32(count))
        case .lifetime(let duration): (channelType, parameter) = (2, UInt32(clamping: duration.nanoseconds / 1_000_000))
        }
        let label = settings.label.utf8.prefix(0xFFFF)
        let subprotocol = settings.subprotocol.utf8.prefix(0xFFFF)
        var writer = ByteWriter()
        writer.write(Self.openType)
        writer.write(settings.isOrdered ? channelType : channelType | Self.unorderedBit)
        writer.write(Self.priority)
        writer.write(parameter)
        writer.write(UInt16(clamping: label.count))
        writer.write(UInt16(clamping: subprotocol.count))
        writer.write(label)
        writer.write(subprotocol)
        return writer.bytes
    }
}

extension DataChannelSettings {
    /// Whether an opening can carry them.
    package var isValid: Bool {
        guard label.utf8.count <= 0xFFFF, subprotocol.utf8.count <= 0xFFFF else { return false }
        guard case .lifetime(let duration) = reliability else { return true }
        return duration >= .zero && duration <= .milliseconds(0xFFFF)
    }
}
