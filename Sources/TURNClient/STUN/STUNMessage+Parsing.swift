internal import Core

/// Why bytes are no STUN message.
package enum STUNParseError: Error, Equatable, Sendable {
    /// Shorter than the header, or not as long as the header says.
    case lengthMismatch
    /// The first byte is not 0...3 or the magic cookie is missing.
    case notSTUN
    /// An attribute reaches past the end of the message.
    case truncatedAttribute(type: UInt16)
    /// The value of an attribute that must be understood has the wrong length or content.
    case malformedAttribute(type: UInt16)
    case tooManyAttributes
}

extension STUNMessage {
    /// Whether a datagram is STUN by its first byte (0...3), its cookie and its length.
    /// - SeeAlso: [RFC 7983 §7](https://www.rfc-editor.org/rfc/rfc7983#section-7)
    package static func isSTUN(_ bytes: Span<UInt8>) -> Bool {
        bytes.count >= headerByteCount && bytes[0] <= 3 && bytes.uint32(at: 4) == magicCookie
            && Int(bytes.uint16(at: 2)) == bytes.count - headerByteCount && bytes.count % 4 == 0
    }

    /// Parses exactly one message. Attributes that this codec does not know are kept as `.unknown`.
    package init(_ bytes: Span<UInt8>) throws(STUNParseError) {
        guard bytes.count >= Self.headerByteCount else { throw .lengthMismatch }
        let type = bytes.uint16(at: 0)
        // RFC 7983 leaves STUN the first bytes 0...3, which hold every method that is assigned (RFC 8489 §18.2: up to 0x0FF).
        guard bytes[0] <= 3, bytes.uint32(at: 4) == Self.magicCookie else { throw .notSTUN }
        guard Int(bytes.uint16(at: 2)) == bytes.count - Self.headerByteCount, bytes.count % 4 == 0 else {
            throw .lengthMismatch
        }
        guard let messageClass = Class(rawValue: type & 0x0110) else {
            preconditionFailure("two bits have four values, and all four are classes")
        }
        self.init(
            messageClass, Self.method(ofType: type), transactionID: STUNTransactionID(bytes, at: 8), attributes: [])

        var walk = STUNAttributeWalk(bytes)
        while let field = try walk.next() {
            guard walk.count <= Self.maximumAttributeCount else { throw .tooManyAttributes }
            switch field.type {
            case STUNAttribute.fingerprintType:
                guard field.value.count == 4 else { throw .malformedAttribute(type: field.type) }
                carriesFingerprint = true
                // FINGERPRINT is the last attribute; what follows it was never covered by it.
                guard walk.isAtEnd else { throw .malformedAttribute(type: field.type) }
            case _ where carriesIntegrity:
                continue  // RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not authenticated, so it is ignored.
            case STUNAttribute.messageIntegrityType:
                guard field.value.count == 20 else { throw .malformedAttribute(type: field.type) }
                carriesIntegrity = true
            default:
                attributes.append(
                    try STUNAttribute(
                        type: field.type, value: bytes.extracting(field.value), transactionID: transactionID))
            }
        }
    }

    /// The method of a message type: bits 0-3, 5-7 and 9-13.
    private static func method(ofType type: UInt16) -> Method {
        Method(rawValue: (type & 0x000F) | (type & 0x00E0) >> 1 | (type & 0x3E00) >> 2)
    }

    /// The message type on the wire.
    var type: UInt16 {
        let method = method.rawValue
        return (method & 0x000F) | (method & 0x0070) << 1 | (method & 0x0F80) << 2 | messageClass.rawValue
    }

    /// Where the value of the first attribute of `type` lies in a whole message, without parsing (or copying) the rest.
    ///
    /// For DATA in Send and Data indications, which carry media.
    package static func valueRange(ofType type: UInt16, in bytes: Span<UInt8>) -> Range<Int>? {
        guard isSTUN(bytes) else { return nil }
        var walk = STUNAttributeWalk(bytes)
        while walk.count < maximumAttributeCount, let field = try? walk.next() {
            if field.type == type { return field.value }
        }
        return nil
    }
}

/// Steps over the type-length-value attributes of a message; knows nothing of their meaning.
struct STUNAttributeWalk: ~Escapable {
    private let bytes: Span<UInt8>
    private var offset = STUNMessage.headerByteCount
    /// How many attributes were stepped over.
    private(set) var count = 0

    struct Field {
        let type: UInt16
        /// Where the attribute's header begins.
        let start: Int
        /// The value without its padding.
        let value: Range<Int>
    }

    @_lifetime(copy bytes)
    init(_ bytes: Span<UInt8>) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { offset >= bytes.count }

    mutating func next() throws(STUNParseError) -> Field? {
        guard offset < bytes.count else { return nil }
        guard bytes.count - offset >= 4 else { throw .truncatedAttribute(type: 0) }
        let type = bytes.uint16(at: offset)
        let length = Int(bytes.uint16(at: offset + 2))
        let start = offset + 4
        let padded = (length + 3) & ~3
        guard bytes.count - start >= padded else { throw .truncatedAttribute(type: type) }
        defer { offset = start + padded }
        count += 1
        return Field(type: type, start: offset, value: start..<(start + length))
    }
}
