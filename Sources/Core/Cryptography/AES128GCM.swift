internal import CCrypto

/// AES-128 in Galois/Counter Mode for single messages, without associated data.
///
/// Whole messages in fresh arrays; for packets in place see ``AES128``.
/// - SeeAlso: [RFC 5116 §5.1](https://www.rfc-editor.org/rfc/rfc5116#section-5.1)
package enum AES128GCM {
    package static let keyLength = 16
    package static let nonceLength = 12
    package static let tagLength = 16

    /// What sealing makes: as many bytes as the text has, and the tag over them.
    package struct Sealed: Sendable, Equatable {
        package var ciphertext: [UInt8]
        package var tag: [UInt8]
    }

    /// Nil for a key or a nonce of another length. A nonce must never be used twice under one key.
    package static func seal(_ text: [UInt8], key: [UInt8], nonce: [UInt8]) -> Sealed? {
        guard let context = Context(key, nonce, isSealing: true) else { return nil }
        guard let ciphertext = context.update(text), let tag = context.finishSealing() else { return nil }
        return Sealed(ciphertext: ciphertext, tag: tag)
    }

    /// The text; nil where the tag does not fit, so that another key sealed it or a byte was changed.
    package static func open(_ ciphertext: [UInt8], tag: [UInt8], key: [UInt8], nonce: [UInt8]) -> [UInt8]? {
        guard tag.count == tagLength, let context = Context(key, nonce, isSealing: false),
            let text = context.update(ciphertext), context.finishOpening(tag)
        else { return nil }
        return text
    }

    /// One message under way.
    @safe private struct Context: ~Copyable {
        private let context: OpaquePointer

        init?(_ key: [UInt8], _ nonce: [UInt8], isSealing: Bool) {
            guard key.count == keyLength, nonce.count == nonceLength, let context = unsafe EVP_CIPHER_CTX_new() else {
                return nil
            }
            guard unsafe EVP_CipherInit_ex(context, EVP_aes_128_gcm(), nil, key, nonce, isSealing ? 1 : 0) == 1 else {
                unsafe EVP_CIPHER_CTX_free(context)
                return nil
            }
            unsafe self.context = context
        }

        deinit {
            unsafe EVP_CIPHER_CTX_free(context)
        }

        func update(_ input: [UInt8]) -> [UInt8]? {
            guard let count = Int32(exactly: input.count) else { return nil }
            // Galois/Counter Mode keeps the length.
            var output = [UInt8](repeating: 0, count: input.count)
            var written: Int32 = 0
            guard count > 0 else { return [] }
            guard unsafe EVP_CipherUpdate(context, &output, &written, input, count) == 1 else { return nil }
            return Array(output.prefix(Int(written)))
        }

        func finishSealing() -> [UInt8]? {
            var tag = [UInt8](repeating: 0, count: tagLength)
            var rest = [UInt8](repeating: 0, count: 16)
            var written: Int32 = 0
            guard unsafe EVP_CipherFinal_ex(context, &rest, &written) == 1,
                unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagLength), &tag) == 1
            else { return nil }
            return tag
        }

        func finishOpening(_ tag: [UInt8]) -> Bool {
            var tag = tag
            var rest = [UInt8](repeating: 0, count: 16)
            var written: Int32 = 0
            guard unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagLength), &tag) == 1 else {
                return false
            }
            return unsafe EVP_CipherFinal_ex(context, &rest, &written) == 1
        }
    }
}
