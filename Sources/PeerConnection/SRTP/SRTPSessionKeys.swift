internal import Core

/// What the master key yields: the keys that packets are protected with. The key derivation rate is zero.
/// - SeeAlso: [RFC 3711 §4.3](https://www.rfc-editor.org/rfc/rfc3711#section-4.3)
package struct SRTPSessionKeys: Sendable, Equatable {
    /// The key of one kind of packet. The MAC key is empty in an AEAD profile.
    package struct Set: Sendable, Equatable {
        package var cipherKey: [UInt8]
        package var salt: [UInt8]
        package var authenticationKey: [UInt8]

        package init(cipherKey: [UInt8], salt: [UInt8], authenticationKey: [UInt8]) {
            self.cipherKey = cipherKey
            self.salt = salt
            self.authenticationKey = authenticationKey
        }
    }

    package var rtp: Set
    package var rtcp: Set

    package init(rtp: Set, rtcp: Set) {
        self.rtp = rtp
        self.rtcp = rtcp
    }

    package init(_ master: SRTPMasterKey, profile: SRTPProfile) throws(SRTPError) {
        guard master.key.count == profile.keyLength, master.salt.count == profile.saltLength,
            let cipher = AES128(key: master.key, mode: .counter)
        else { throw .invalidKey }
        let salt = SaltWords(master.salt)
        let authenticationLength = profile == .aeadAES128GCM ? 0 : 20
        func derive(_ label: UInt8, _ count: Int) -> [UInt8] {
            // The label stands in byte 7 of the 14-byte salt; two zero bytes of block counter follow the salt.
            cipher.keystream(count, counter: .init(high: salt.high ^ UInt64(label), low: salt.low))
        }
        rtp = Set(
            cipherKey: derive(0, profile.keyLength), salt: derive(2, profile.saltLength),
            authenticationKey: derive(1, authenticationLength))
        rtcp = Set(
            cipherKey: derive(3, profile.keyLength), salt: derive(5, profile.saltLength),
            authenticationKey: derive(4, authenticationLength))
    }
}

/// A salt of up to 16 bytes as two big-endian words, zero-padded on the right: what every IV is XORed with.
struct SaltWords: Sendable {
    let high: UInt64
    let low: UInt64

    init(_ salt: [UInt8]) {
        var words: (UInt64, UInt64) = (0, 0)
        for index in 0..<8 {
            words.0 = words.0 << 8 | UInt64(index < salt.count ? salt[index] : 0)
            words.1 = words.1 << 8 | UInt64(index + 8 < salt.count ? salt[index + 8] : 0)
        }
        (high, low) = words
    }
}
