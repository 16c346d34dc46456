internal import Core

extension STUNMessage {
    /// Serialises; with a key appends MESSAGE-INTEGRITY (HMAC-SHA1), then FINGERPRINT where asked for.
    /// - SeeAlso: [RFC 8489 §14.5](https://www.rfc-editor.org/rfc/rfc8489#section-14.5) and
    ///   [§14.7](https://www.rfc-editor.org/rfc/rfc8489#section-14.7)
    package func encoded(key: [UInt8]? = nil, fingerprint: Bool = false) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 160)
        writer.write(type)
        writer.write(UInt16(0))
        writer.write(Self.magicCookie)
        transactionID.write(to: &writer)
        for attribute in attributes { attribute.write(to: &writer, transactionID: transactionID) }
        if let key {
            Self.setLength(of: &writer, adding: 24)
            let code = MessageDigest.sha1.authenticate(writer.bytes, key: key)
            writer.write(STUNAttribute.messageIntegrityType)
            writer.write(UInt16(code.count))
            writer.write(code)
        }
        if fingerprint {
            Self.setLength(of: &writer, adding: 8)
            let checksum = CRC32.checksum(writer.bytes.span) ^ Self.fingerprintMask
            writer.write(STUNAttribute.fingerprintType)
            writer.write(UInt16(4))
            writer.write(checksum)
        }
        Self.setLength(of: &writer, adding: 0)
        return writer.bytes
    }

    /// "STUN" in ASCII, so that a CRC of another protocol in the same place does not match.
    private static let fingerprintMask: UInt32 = 0x5354_554E

    /// Both trailers are computed over a header whose length already counts them.
    private static func setLength(of writer: inout ByteWriter, adding more: Int) {
        writer.overwrite(UInt16(clamping: writer.count - headerByteCount + more), at: 2)
    }

    /// Checks MESSAGE-INTEGRITY over the raw bytes of a message, in constant time. False where there is none.
    package static func hasValidIntegrity(_ bytes: Span<UInt8>, key: [UInt8]) -> Bool {
        guard let field = field(ofType: STUNAttribute.messageIntegrityType, in: bytes), field.value.count == 20 else {
            return false
        }
        var covered = bytes.array(0..<field.start)
        let length = UInt16(clamping: field.value.upperBound - headerByteCount)
        covered[2] = UInt8(truncatingIfNeeded: length >> 8)
        covered[3] = UInt8(truncatingIfNeeded: length)
        let expected = MessageDigest.sha1.authenticate(covered, key: key)
        return constantTimeEquals(expected, bytes.array(field.value))
    }

    /// Checks FINGERPRINT, which must be the last attribute. False where there is none.
    package static func hasValidFingerprint(_ bytes: Span<UInt8>) -> Bool {
        guard let field = field(ofType: STUNAttribute.fingerprintType, in: bytes), field.value.count == 4,
            field.value.upperBound == bytes.count
        else { return false }
        return CRC32.checksum(bytes.extracting(0..<field.start)) ^ fingerprintMask
            == bytes.uint32(at: field.value.lowerBound)
    }

    private static func field(ofType type: UInt16, in bytes: Span<UInt8>) -> STUNAttributeWalk.Field? {
        guard isSTUN(bytes) else { return nil }
        var walk = STUNAttributeWalk(bytes)
        while walk.count < maximumAttributeCount, let field = try? walk.next() {
            if field.type == type { return field }
        }
        return nil
    }
}

/// The long-term credential mechanism's key.
/// - SeeAlso: [RFC 8489 §9.2.2](https://www.rfc-editor.org/rfc/rfc8489#section-9.2.2)
package enum LongTermCredential {
    /// MD5 of `username:realm:password`. The three are taken as they are (`docs/protocols/stun.md` on OpaqueString).
    package static func key(username: String, realm: String, password: String) -> [UInt8] {
        MessageDigest.md5.hash(Array("\(username):\(realm):\(password)".utf8))
    }
}
