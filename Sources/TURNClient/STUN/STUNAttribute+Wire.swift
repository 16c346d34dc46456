internal import Core

extension STUNAttribute {
    /// 763 bytes: the longest text an attribute may have (RFC 8489 §14.3, §14.8-§14.14: 128 characters; USERNAME 508 bytes).
    private static let maximumTextByteCount = 763

    init(type: UInt16, value: Span<UInt8>, transactionID: STUNTransactionID) throws(STUNParseError) {
        switch Self.known(type, value, transactionID) {
        case .some(let attribute): self = attribute
        // An optional attribute that cannot be read counts as one that is not known.
        case .none where type >= 0x8000: self = .unknown(type: type, value: value.array())
        case .none: throw .malformedAttribute(type: type)
        }
    }

    /// Nil where the value does not fit the type.
    private static func known(_ type: UInt16, _ value: Span<UInt8>, _ transactionID: STUNTransactionID) -> Self? {
        switch type {
        case 0x0001: address(value).map { .mappedAddress($0) }
        case 0x0006: text(value).map { .username($0) }
        case 0x0009: error(value)
        case 0x000A: list(value).map { .unknownAttributes($0) }
        case 0x000C: value.count == 4 ? .channelNumber(value.uint16(at: 0)) : nil
        case 0x000D: value.count == 4 ? .lifetime(.seconds(Int64(value.uint32(at: 0)))) : nil
        case xorPeerAddressType: address(value, xor: transactionID).map { .xorPeerAddress($0) }
        case dataType: .data(value.array())
        case 0x0014: text(value).map { .realm($0) }
        case 0x0015: text(value).map { .nonce($0) }
        case 0x0016: address(value, xor: transactionID).map { .xorRelayedAddress($0) }
        case 0x0017: value.count == 4 ? AddressFamily(rawValue: value[0]).map { .requestedAddressFamily($0) } : nil
        case 0x0018: value.count == 1 ? .evenPort(reservesNext: value[0] & 0x80 != 0) : nil
        case 0x0019: value.count == 4 ? .requestedTransport(value[0]) : nil
        case 0x001A: value.isEmpty ? .dontFragment : nil
        case 0x0020: address(value, xor: transactionID).map { .xorMappedAddress($0) }
        case 0x0022: value.count == 8 ? .reservationToken(value.array()) : nil
        case 0x0024: value.count == 4 ? .priority(value.uint32(at: 0)) : nil
        case 0x0025: value.isEmpty ? .useCandidate : nil
        case 0x8022: text(value).map { .software($0) }
        case 0x8023: address(value).map { .alternateServer($0) }
        case 0x8029: value.count == 8 ? .iceControlled(uint64(value)) : nil
        case 0x802A: value.count == 8 ? .iceControlling(uint64(value)) : nil
        default: .unknown(type: type, value: value.array())
        }
    }

    private static func uint64(_ value: Span<UInt8>) -> UInt64 {
        UInt64(value.uint32(at: 0)) << 32 | UInt64(value.uint32(at: 4))
    }

    private static func text(_ value: Span<UInt8>) -> String? {
        guard value.count <= maximumTextByteCount else { return nil }
        return String(validating: value.array(), as: UTF8.self)
    }

    /// `0 0 class number reason…`: the class is the hundreds digit.
    private static func error(_ value: Span<UInt8>) -> Self? {
        guard value.count >= 4, value.count <= 4 + maximumTextByteCount else { return nil }
        let hundreds = Int(value[2] & 0x07)
        let number = Int(value[3])
        guard (3...6).contains(hundreds), number <= 99 else { return nil }
        // coturn counts its padding into the length.
        let reason = value.array(4..<value.count).prefix { $0 != 0 }
        return .errorCode(code: hundreds * 100 + number, reason: String(decoding: reason, as: UTF8.self))
    }

    private static func list(_ value: Span<UInt8>) -> [UInt16]? {
        guard value.count % 2 == 0, value.count <= 2 * STUNMessage.maximumAttributeCount else { return nil }
        return stride(from: 0, to: value.count, by: 2).map { value.uint16(at: $0) }
    }

    /// `0 family port address`; the XOR form hides port and address from rewriting middleboxes.
    private static func address(_ value: Span<UInt8>, xor transactionID: STUNTransactionID? = nil) -> SocketAddress? {
        guard value.count >= 4, let family = AddressFamily(rawValue: value[1]) else { return nil }
        guard value.count == (family == .v4 ? 8 : 20) else { return nil }
        var port = value.uint16(at: 2)
        var bytes = value.array(4..<value.count)
        if let transactionID {
            port ^= UInt16(STUNMessage.magicCookie >> 16)
            bytes = masked(bytes, transactionID)
        }
        return IPAddress(bytes: bytes).map { SocketAddress($0, port) }
    }

    private static func masked(_ bytes: [UInt8], _ transactionID: STUNTransactionID) -> [UInt8] {
        var mask = ByteWriter(reservingCapacity: 16)
        mask.write(STUNMessage.magicCookie)
        transactionID.write(to: &mask)
        return zip(bytes, mask.bytes).map { $0 ^ $1 }
    }

    func write(to writer: inout ByteWriter, transactionID: STUNTransactionID) {
        writer.write(type)
        let lengthOffset = writer.count
        writer.write(UInt16(0))
        writeValue(to: &writer, transactionID)
        writer.overwrite(UInt16(clamping: writer.count - lengthOffset - 2), at: lengthOffset)
        writer.pad(to: 4)
    }

    private func writeValue(to writer: inout ByteWriter, _ transactionID: STUNTransactionID) {
        switch self {
        case .mappedAddress(let address), .alternateServer(let address):
            Self.write(address, to: &writer)
        case .xorPeerAddress(let address), .xorRelayedAddress(let address), .xorMappedAddress(let address):
            Self.write(address, xor: transactionID, to: &writer)
        case .username(let text), .realm(let text), .nonce(let text), .software(let text):
            writer.write(text.utf8.prefix(Self.maximumTextByteCount))
        case .errorCode(let code, let reason):
            writer.write(UInt16(0))
            writer.write(UInt8(clamping: code / 100))
            writer.write(UInt8(clamping: code % 100))
            writer.write(reason.utf8.prefix(Self.maximumTextByteCount))
        case .unknownAttributes(let types):
            for type in types.prefix(STUNMessage.maximumAttributeCount) { writer.write(type) }
        case .channelNumber(let number):
            writer.write(number)
            writer.write(UInt16(0))
        case .lifetime(let duration):
            writer.write(UInt32(clamping: duration.components.seconds))
        case .data(let bytes), .reservationToken(let bytes):
            writer.write(bytes)
        case .requestedAddressFamily(let family):
            writer.write(UInt32(family.rawValue) << 24)
        case .evenPort(let reservesNext):
            writer.write(UInt8(reservesNext ? 0x80 : 0))
        case .requestedTransport(let number):
            writer.write(UInt32(number) << 24)
        case .priority(let value):
            writer.write(value)
        case .iceControlled(let tieBreaker), .iceControlling(let tieBreaker):
            writer.write(tieBreaker)
        case .dontFragment, .useCandidate:
            break
        case .unknown(_, let value):
            writer.write(value)
        }
    }

    private static func write(
        _ address: SocketAddress, xor transactionID: STUNTransactionID? = nil, to writer: inout ByteWriter
    ) {
        writer.write(UInt8(0))
        writer.write((address.ip.isIPv4 ? AddressFamily.v4 : .v6).rawValue)
        if let transactionID {
            writer.write(address.port ^ UInt16(STUNMessage.magicCookie >> 16))
            writer.write(masked(address.ip.bytes, transactionID))
        } else {
            writer.write(address.port)
            writer.write(address.ip.bytes)
        }
    }
}
