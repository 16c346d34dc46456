internal import CCrypto

/// HMAC-SHA1 with its two padded key blocks hashed beforehand, for one MAC a packet without an allocation.
/// - SeeAlso: [RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)
package struct HMACSHA1: Sendable {
    package static let codeLength = 20
    private static let blockLength = 64

    private let inner: SHA_CTX
    private let outer: SHA_CTX

    package init(key: [UInt8]) {
        let short = key.count > Self.blockLength ? MessageDigest.sha1.hash(key) : key
        let block = short + [UInt8](repeating: 0, count: Self.blockLength - short.count)
        inner = Self.state(after: block.map { $0 ^ 0x36 })
        outer = Self.state(after: block.map { $0 ^ 0x5C })
    }

    private static func state(after block: [UInt8]) -> SHA_CTX {
        var state = SHA_CTX()
        unsafe _ = crypto_sha1_init(&state)
        unsafe _ = crypto_sha1_update(&state, block, block.count)
        return state
    }

    /// The code over `message` followed by the big-endian `tail`; written to `code`, which holds 20 bytes.
    @inline(__always)
    package func authenticate(_ message: UnsafeRawBufferPointer, tail: UInt32, code: inout InlineArray<20, UInt8>) {
        var state = inner
        unsafe _ = crypto_sha1_update(&state, message.baseAddress, message.count)
        unsafe withUnsafeBytes(of: tail.bigEndian) { bytes in
            unsafe _ = crypto_sha1_update(&state, bytes.baseAddress, bytes.count)
        }
        unsafe withUnsafeMutableBytes(of: &code) { bytes in
            let digest = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe _ = crypto_sha1_final(digest, &state)
            state = outer
            unsafe _ = crypto_sha1_update(&state, digest, Self.codeLength)
            unsafe _ = crypto_sha1_final(digest, &state)
        }
    }
}
