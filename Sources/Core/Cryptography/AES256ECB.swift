internal import CCrypto

/// AES-256, every block by itself, with PKCS#7 padding.
///
/// Equal blocks stay equal and nothing is authenticated: only for protocols of others that demand it.
/// - SeeAlso: [RFC 5652 §6.3](https://www.rfc-editor.org/rfc/rfc5652#section-6.3) for the padding
package enum AES256ECB {
    package static let keyLength = 32
    package static let blockLength = 16

    /// A whole number of blocks, at least one; nil for a key of another length.
    package static func encrypt(_ text: [UInt8], key: [UInt8]) -> [UInt8]? {
        apply(text, key, isEncrypting: true)
    }

    /// The text; nil where the padding is wrong, which another key nearly always makes it.
    package static func decrypt(_ ciphertext: [UInt8], key: [UInt8]) -> [UInt8]? {
        guard !ciphertext.isEmpty, ciphertext.count % blockLength == 0 else { return nil }
        return apply(ciphertext, key, isEncrypting: false)
    }

    private static func apply(_ input: [UInt8], _ key: [UInt8], isEncrypting: Bool) -> [UInt8]? {
        guard key.count == keyLength, let count = Int32(exactly: input.count), let context = unsafe EVP_CIPHER_CTX_new()
        else { return nil }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        guard unsafe EVP_CipherInit_ex(context, EVP_aes_256_ecb(), nil, key, nil, isEncrypting ? 1 : 0) == 1 else {
            return nil
        }
        var output = [UInt8](repeating: 0, count: input.count + blockLength)
        var written: Int32 = 0
        var last: Int32 = 0
        let isDone = unsafe output.withUnsafeMutableBufferPointer { output -> Bool in
            guard let start = output.baseAddress,
                unsafe EVP_CipherUpdate(context, start, &written, input, count) == 1
            else { return false }
            return unsafe EVP_CipherFinal_ex(context, start + Int(written), &last) == 1
        }
        guard isDone else {
            ERR_clear_error()
            return nil
        }
        return Array(output.prefix(Int(written) + Int(last)))
    }
}
