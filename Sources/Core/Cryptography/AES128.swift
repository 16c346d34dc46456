internal import CCrypto

/// AES-128 under one key, in place: Galois/Counter Mode for sealing, or counter mode.
///
/// One libcrypto context per key: only the IV is set per packet, so no call allocates. The caller keeps IVs unique.
/// Not shared between threads: the context is written to by every call.
/// - SeeAlso: [RFC 5116 §5.1](https://www.rfc-editor.org/rfc/rfc5116#section-5.1),
///   [RFC 3711 §4.1.1](https://www.rfc-editor.org/rfc/rfc3711#section-4.1.1)
@safe package struct AES128: ~Copyable {
    package enum Mode: Sendable {
        case galoisCounter
        case counter
    }

    /// The 12-byte nonce of Galois/Counter Mode as two big-endian words: eight bytes, then four.
    package struct Nonce: Sendable {
        package var high: UInt64
        package var low: UInt32

        package init(high: UInt64, low: UInt32) {
            self.high = high
            self.low = low
        }
    }

    /// The 16-byte counter block of counter mode as two big-endian words.
    package struct CounterBlock: Sendable {
        package var high: UInt64
        package var low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
    }

    package static let keyLength = 16
    /// The tag of Galois/Counter Mode, in bytes.
    package static let tagLength = 16

    package let mode: Mode
    private let context: OpaquePointer

    /// Nil for a key of another length than 16 bytes or where libcrypto is out of memory.
    package init?(key: [UInt8], mode: Mode) {
        guard key.count == Self.keyLength, let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        let cipher = unsafe mode == .galoisCounter ? EVP_aes_128_gcm() : EVP_aes_128_ctr()
        guard unsafe EVP_EncryptInit_ex(context, cipher, nil, key, nil) == 1 else {
            unsafe EVP_CIPHER_CTX_free(context)
            return nil
        }
        self.mode = mode
        unsafe self.context = context
    }

    deinit {
        unsafe EVP_CIPHER_CTX_free(context)
    }

    /// Encrypts `text` in place and writes 16 bytes to `tag`. `associated` and then `associatedTail` are authenticated.
    /// False where libcrypto refused; the buffer is then not fit to be sent.
    package borrowing func seal(
        _ text: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawPointer, nonce: Nonce,
        associated: UnsafeRawBufferPointer, associatedTail: UInt32? = nil
    ) -> Bool {
        precondition(mode == .galoisCounter, "counter mode has no tag")
        let iv = (nonce.high.bigEndian, nonce.low.bigEndian)
        let isKeyed = unsafe withUnsafeBytes(of: iv) {
            unsafe EVP_EncryptInit_ex(context, nil, nil, nil, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        guard isKeyed == 1 else { return false }
        var written: Int32 = 0
        let associatedBytes = unsafe associated.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard unsafe EVP_EncryptUpdate(context, nil, &written, associatedBytes, Int32(associated.count)) == 1 else {
            return false
        }
        if let associatedTail {
            let isAccepted = unsafe withUnsafeBytes(of: associatedTail.bigEndian) {
                unsafe EVP_EncryptUpdate(
                    context, nil, &written, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), 4)
            }
            guard isAccepted == 1 else { return false }
        }
        if let bytes = unsafe text.baseAddress?.assumingMemoryBound(to: UInt8.self), text.count > 0 {
            guard unsafe EVP_EncryptUpdate(context, bytes, &written, bytes, Int32(text.count)) == 1 else {
                return false
            }
        }
        let end = unsafe tag.assumingMemoryBound(to: UInt8.self)
        guard unsafe EVP_EncryptFinal_ex(context, end, &written) == 1 else { return false }
        return unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), tag) == 1
    }

    /// XORs the key stream that starts at `counter` over `text`: encryption and decryption alike.
    package borrowing func apply(_ text: UnsafeMutableRawBufferPointer, counter: CounterBlock) -> Bool {
        precondition(mode == .counter, "Galois/Counter Mode has another key stream")
        let iv = (counter.high.bigEndian, counter.low.bigEndian)
        let isKeyed = unsafe withUnsafeBytes(of: iv) {
            unsafe EVP_EncryptInit_ex(context, nil, nil, nil, $0.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        guard isKeyed == 1 else { return false }
        guard let bytes = unsafe text.baseAddress?.assumingMemoryBound(to: UInt8.self), text.count > 0 else {
            return true
        }
        var written: Int32 = 0
        return unsafe EVP_EncryptUpdate(context, bytes, &written, bytes, Int32(text.count)) == 1
    }

    /// The first `count` bytes of the key stream that starts at `counter`.
    package borrowing func keystream(_ count: Int, counter: CounterBlock) -> [UInt8] {
        var stream = [UInt8](repeating: 0, count: count)
        let isApplied = unsafe stream.withUnsafeMutableBytes { unsafe apply($0, counter: counter) }
        precondition(isApplied, "libcrypto refused AES in counter mode, which every build of it has")
        return stream
    }
}
