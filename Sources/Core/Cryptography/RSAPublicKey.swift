internal import CCrypto

/// Somebody's RSA key to encrypt to, with the padding of PKCS#1 v1.5.
/// - SeeAlso: [RFC 8017 §7.2](https://www.rfc-editor.org/rfc/rfc8017#section-7.2)
@safe package struct RSAPublicKey: ~Copyable {
    /// Bits of a modulus. Larger ones cost seconds of a processor, smaller ones protect nothing.
    package static let bits = 1024...8192
    /// Bytes that the padding takes of every block.
    package static let paddingLength = 11

    private let key: OpaquePointer
    /// Bytes of the modulus, and so of what ``encrypt(_:)`` makes.
    package let blockLength: Int

    /// Reads a SubjectPublicKeyInfo ([RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)); nil for anything
    /// else, and for a modulus outside of ``bits``.
    package init?(der bytes: [UInt8]) {
        // 8192 bits of modulus, an exponent and their wrapping.
        guard !bytes.isEmpty, bytes.count <= 2048, let key = unsafe crypto_rsa_public_key(bytes, bytes.count) else {
            return nil
        }
        guard Self.bits ~= Int(unsafe EVP_PKEY_get_bits(key)) else {
            unsafe EVP_PKEY_free(key)
            return nil
        }
        blockLength = Int(unsafe EVP_PKEY_get_size(key))
        unsafe self.key = key
    }

    deinit {
        unsafe EVP_PKEY_free(key)
    }

    package var bitCount: Int { Int(unsafe EVP_PKEY_get_bits(key)) }

    /// One block; nil where `text` is longer than the block less its padding.
    package borrowing func encrypt(_ text: [UInt8]) -> [UInt8]? {
        guard text.count <= blockLength - Self.paddingLength, let context = unsafe EVP_PKEY_CTX_new(key, nil) else {
            return nil
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var output = [UInt8](repeating: 0, count: blockLength)
        var count = output.count
        guard unsafe EVP_PKEY_encrypt_init(context) == 1,
            unsafe EVP_PKEY_CTX_ctrl_str(context, "rsa_padding_mode", "pkcs1") == 1,
            unsafe EVP_PKEY_encrypt(context, &output, &count, text, text.count) == 1
        else {
            ERR_clear_error()
            return nil
        }
        return Array(output.prefix(count))
    }
}
