internal import Core

/// The cipher of one direction and one kind of packet, RTP or RTCP, keyed once.
///
/// Galois/Counter Mode is [RFC 7714](https://www.rfc-editor.org/rfc/rfc7714): its tag covers the header, so nothing else
/// is hashed. Counter mode is [RFC 3711](https://www.rfc-editor.org/rfc/rfc3711), then HMAC-SHA1 cut to 80 bits.
struct SRTPTransform: ~Copyable {
    private let cipher: AES128
    private let mac: HMACSHA1
    private let salt: SaltWords

    init(_ keys: SRTPSessionKeys.Set, profile: SRTPProfile) throws(SRTPError) {
        guard keys.salt.count == profile.saltLength,
            let cipher = AES128(
                key: keys.cipherKey, mode: profile == .aeadAES128GCM ? .galoisCounter : .counter)
        else { throw .invalidKey }
        self.cipher = cipher
        mac = HMACSHA1(key: keys.authenticationKey)
        salt = SaltWords(keys.salt)
    }

    /// Protects one RTP packet in place; the tag is written behind it, where the caller has left room.
    ///
    /// The AEAD's IV is `00 00 | SSRC | ROC | SEQ` XOR salt (RFC 7714 §8.1); the counter's is
    /// `salt * 2^16 XOR SSRC * 2^64 XOR index * 2^16` (RFC 3711 §4.1.1).
    borrowing func protectRTP(
        _ packet: UnsafeMutableRawPointer, headerLength: Int, length: Int, ssrc: UInt32, index: UInt64
    ) -> Bool {
        let text = unsafe UnsafeMutableRawBufferPointer(start: packet + headerLength, count: length - headerLength)
        switch cipher.mode {
        case .galoisCounter:
            let high = UInt64(ssrc) << 16 | index >> 32
            let nonce = AES128.Nonce(
                high: salt.high ^ high, low: UInt32(truncatingIfNeeded: salt.low >> 32 ^ index))
            return unsafe cipher.seal(
                text, tag: packet + length, nonce: nonce,
                associated: UnsafeRawBufferPointer(start: packet, count: headerLength))
        case .counter:
            let block = AES128.CounterBlock(high: salt.high ^ UInt64(ssrc), low: salt.low ^ index << 16)
            guard unsafe cipher.apply(text, counter: block) else { return false }
            unsafe writeTag(
                over: packet, length, tail: UInt32(truncatingIfNeeded: index >> 16), to: packet + length)
            return true
        }
    }

    /// Protects one RTCP compound packet in place and writes what follows it: tag and index, or index and tag.
    ///
    /// The first eight bytes stay readable. `index` has 31 bits; the E bit is always set.
    borrowing func protectRTCP(_ packet: UnsafeMutableRawPointer, length: Int, ssrc: UInt32, index: UInt32) -> Bool {
        let text = unsafe UnsafeMutableRawBufferPointer(start: packet + 8, count: length - 8)
        let word = 0x8000_0000 | index
        switch cipher.mode {
        case .galoisCounter:
            // RFC 7714 §9.1: 00 00 | SSRC | 00 00 | index; §9.2: the E bit and the index are authenticated as well.
            let nonce = AES128.Nonce(
                high: salt.high ^ UInt64(ssrc) << 16, low: UInt32(truncatingIfNeeded: salt.low >> 32) ^ index)
            unsafe (packet + length + AES128.tagLength).storeBytes(of: word.bigEndian, as: UInt32.self)
            return unsafe cipher.seal(
                text, tag: packet + length, nonce: nonce,
                associated: UnsafeRawBufferPointer(start: packet, count: 8), associatedTail: word)
        case .counter:
            let block = AES128.CounterBlock(
                high: salt.high ^ UInt64(ssrc), low: salt.low ^ UInt64(index) << 16)
            guard unsafe cipher.apply(text, counter: block) else { return false }
            unsafe (packet + length).storeBytes(of: word.bigEndian, as: UInt32.self)
            unsafe writeTag(over: packet, length, tail: word, to: packet + length + 4)
            return true
        }
    }

    private borrowing func writeTag(
        over packet: UnsafeMutableRawPointer, _ length: Int, tail: UInt32, to tag: UnsafeMutableRawPointer
    ) {
        var code = InlineArray<20, UInt8>(repeating: 0)
        unsafe mac.authenticate(UnsafeRawBufferPointer(start: packet, count: length), tail: tail, code: &code)
        unsafe withUnsafeBytes(of: &code) { bytes in
            unsafe tag.copyMemory(from: bytes.baseAddress.unsafelyUnwrapped, byteCount: 10)
        }
    }
}
