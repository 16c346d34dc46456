internal import CCrypto

/// One-shot digests and MACs of libcrypto. All inputs are borrowed, all outputs are fresh arrays.
package enum MessageDigest {
    case md5, sha1, sha256

    private var algorithm: OpaquePointer? {
        switch self {
        case .md5: unsafe EVP_md5()
        case .sha1: unsafe EVP_sha1()
        case .sha256: unsafe EVP_sha256()
        }
    }

    package func hash(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let status = unsafe EVP_Digest(bytes, bytes.count, &digest, &length, algorithm, nil)
        precondition(status == 1, "libcrypto refused a digest that every build of it has")
        return Array(digest.prefix(Int(length)))
    }

    /// HMAC ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)); 16, 20 or 32 bytes.
    package func authenticate(_ message: Span<UInt8>, key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        unsafe message.withUnsafeBufferPointer { buffer in
            unsafe _ = HMAC(algorithm, key, Int32(key.count), buffer.baseAddress, buffer.count, &code, &length)
        }
        precondition(length > 0, "libcrypto refused an HMAC that every build of it has")
        return Array(code.prefix(Int(length)))
    }

    package func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        authenticate(message.span, key: key)
    }
}

/// Compares without telling by its duration where the difference is. False at once where the lengths differ.
package func constantTimeEquals(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for (a, b) in zip(left, right) { difference |= a ^ b }
    return difference == 0
}
