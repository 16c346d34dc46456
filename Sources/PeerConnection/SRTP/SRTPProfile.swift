/// A protection profile as DTLS-SRTP negotiates it.
/// - SeeAlso: [RFC 5764 §4.1.2](https://www.rfc-editor.org/rfc/rfc5764#section-4.1.2),
///   [RFC 7714 §14.2](https://www.rfc-editor.org/rfc/rfc7714#section-14.2)
package enum SRTPProfile: UInt16, Sendable, CaseIterable {
    case aes128CMSHA1With80BitTag = 0x0001
    case aeadAES128GCM = 0x0007

    /// The name of the profile in log lines and statistics: the RFC's.
    package var name: String {
        switch self {
        case .aes128CMSHA1With80BitTag: "SRTP_AES128_CM_HMAC_SHA1_80"
        case .aeadAES128GCM: "SRTP_AEAD_AES_128_GCM"
        }
    }

    package var keyLength: Int { 16 }

    package var saltLength: Int {
        switch self {
        case .aes128CMSHA1With80BitTag: 14
        case .aeadAES128GCM: 12
        }
    }

    /// Bytes that follow a protected packet's payload.
    package var tagLength: Int {
        switch self {
        case .aes128CMSHA1With80BitTag: 10
        case .aeadAES128GCM: 16
        }
    }

    /// Bytes that protection adds to an RTCP packet: the tag, and the E bit with the index.
    package var controlOverhead: Int { tagLength + 4 }
}

/// One direction's master key and salt.
package struct SRTPMasterKey: Sendable, Equatable {
    package let key: [UInt8]
    package let salt: [UInt8]

    package init(key: [UInt8], salt: [UInt8]) {
        self.key = key
        self.salt = salt
    }
}

/// Both directions' keys, as the DTLS handshake exports them.
/// - SeeAlso: [RFC 5764 §4.2](https://www.rfc-editor.org/rfc/rfc5764#section-4.2)
package struct SRTPKeyingMaterial: Sendable, Equatable {
    package let profile: SRTPProfile
    package let outbound: SRTPMasterKey
    package let inbound: SRTPMasterKey

    package init(profile: SRTPProfile, outbound: SRTPMasterKey, inbound: SRTPMasterKey) {
        self.profile = profile
        self.outbound = outbound
        self.inbound = inbound
    }

    /// How many bytes the exporter must yield: client key, server key, client salt, server salt.
    package static func exportLength(_ profile: SRTPProfile) -> Int {
        2 * (profile.keyLength + profile.saltLength)
    }

    /// Cuts the exporter's bytes apart. Nil for another length than ``exportLength(_:)``.
    package init?(exported bytes: [UInt8], profile: SRTPProfile, isClient: Bool) {
        guard bytes.count == Self.exportLength(profile) else { return nil }
        let (key, salt) = (profile.keyLength, profile.saltLength)
        let client = SRTPMasterKey(
            key: Array(bytes[0..<key]), salt: Array(bytes[(2 * key)..<(2 * key + salt)]))
        let server = SRTPMasterKey(
            key: Array(bytes[key..<(2 * key)]), salt: Array(bytes[(2 * key + salt)..<(2 * key + 2 * salt)]))
        self.init(
            profile: profile, outbound: isClient ? client : server, inbound: isClient ? server : client)
    }
}

/// Why a packet was not protected or unprotected.
package enum SRTPError: Error, Equatable, Sendable {
    /// The key or the salt has another length than the profile's.
    case invalidKey
    /// Shorter than its header says, of another version, or with no room for the tag.
    case malformedPacket
    /// Forged, damaged, or meant for other keys.
    case authenticationFailed
    /// Seen before, or older than the replay window.
    case replayed
    /// An outbound packet whose index is not beyond the last one: its nonce would be used twice.
    case indexNotIncreasing
    /// More synchronisation sources than a peer may use.
    case tooManyStreams
    /// The library refused for another reason; its own status code.
    case library(status: Int32)
}
