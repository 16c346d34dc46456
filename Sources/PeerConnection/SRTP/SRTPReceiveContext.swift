internal import CSRTP

/// Unprotects what one peer sends, on libsrtp2: authentication, decryption, and a replay window per SSRC.
///
/// A peer that knows its keys could invent an SSRC per packet, and the library keeps a state for each, so their number
/// is limited here before the library sees the packet.
/// - SeeAlso: [RFC 3711 §3.3](https://www.rfc-editor.org/rfc/rfc3711#section-3.3)
@safe package struct SRTPReceiveContext: ~Copyable {
    /// Audio, video, its RTX, and the sender SSRCs that receivers of ours report with.
    package static let maximumStreams = 8
    /// Packets that may arrive late and still pass (RFC 3711 §3.3.2 asks for at least 64).
    private static let replayWindow: UInt = 128

    /// Started once a process, by ``startLibrary()``; libsrtp2 tests its ciphers then.
    private static let libraryStatus = srtp_init()

    /// Starts the library now, so that the first peer's handshake does not wait for its tests (150 ms on a busy machine).
    static func startLibrary() {
        _ = libraryStatus
    }

    package let profile: SRTPProfile
    private let session: srtp_t
    /// The SSRCs from which a packet was authentic.
    private var known: [UInt32]

    package init(_ master: SRTPMasterKey, profile: SRTPProfile) throws(SRTPError) {
        guard Self.libraryStatus == srtp_err_status_ok else {
            throw .library(status: Int32(bitPattern: Self.libraryStatus.rawValue))
        }
        guard master.key.count == profile.keyLength, master.salt.count == profile.saltLength else {
            throw .invalidKey
        }
        var policy = unsafe srtp_policy_t()
        let number = srtp_profile_t(rawValue: UInt32(profile.rawValue))
        unsafe srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, number)
        unsafe srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, number)
        unsafe policy.ssrc.type = ssrc_any_inbound
        unsafe policy.window_size = Self.replayWindow
        var material = master.key + master.salt
        var created: srtp_t?
        let status = unsafe material.withUnsafeMutableBufferPointer { bytes in
            unsafe policy.key = bytes.baseAddress
            return unsafe srtp_create(&created, &policy)
        }
        guard status == srtp_err_status_ok, let session = unsafe created else {
            throw .library(status: Int32(bitPattern: status.rawValue))
        }
        self.profile = profile
        unsafe self.session = session
        known = []
    }

    deinit {
        unsafe _ = srtp_dealloc(session)
    }

    /// Unprotects an SRTP packet in place and returns the length of the RTP packet.
    package mutating func unprotect(_ packet: UnsafeMutableRawBufferPointer) throws(SRTPError) -> Int {
        try unsafe open(packet, ssrcOffset: 8, minimum: 12 + profile.tagLength) { session, bytes, length in
            unsafe srtp_unprotect(session, bytes, &length)
        }
    }

    /// Unprotects an SRTCP packet in place and returns the length of the RTCP compound packet.
    package mutating func unprotectControl(_ packet: UnsafeMutableRawBufferPointer) throws(SRTPError) -> Int {
        try unsafe open(packet, ssrcOffset: 4, minimum: 8 + profile.controlOverhead) { session, bytes, length in
            unsafe srtp_unprotect_rtcp(session, bytes, &length)
        }
    }

    private mutating func open(
        _ packet: UnsafeMutableRawBufferPointer, ssrcOffset: Int, minimum: Int,
        with function: (srtp_t, UnsafeMutableRawPointer, inout Int32) -> srtp_err_status_t
    ) throws(SRTPError) -> Int {
        guard packet.count >= minimum, packet.count <= 0xFFFF, let bytes = packet.baseAddress else {
            throw .malformedPacket
        }
        let ssrc = unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: ssrcOffset, as: UInt32.self))
        let isKnown = known.contains(ssrc)
        guard isKnown || known.count < Self.maximumStreams else { throw .tooManyStreams }
        var length = Int32(packet.count)
        let status = unsafe function(session, bytes, &length)
        switch status {
        case srtp_err_status_ok:
            if !isKnown { known.append(ssrc) }
            return Int(length)
        case srtp_err_status_auth_fail, srtp_err_status_cipher_fail: throw .authenticationFailed
        case srtp_err_status_replay_fail, srtp_err_status_replay_old: throw .replayed
        case srtp_err_status_bad_param, srtp_err_status_parse_err: throw .malformedPacket
        default: throw .library(status: Int32(bitPattern: status.rawValue))
        }
    }
}
