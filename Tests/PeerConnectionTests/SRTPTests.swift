import CSRTP
import Core
import Testing

@testable import PeerConnection

/// What we protect is what libsrtp2 protects, and what libsrtp2 protects we can read.
struct SRTPTests {
    private let random = RandomSource.seeded(7714)

    private func masterKey(_ profile: SRTPProfile) -> SRTPMasterKey {
        SRTPMasterKey(key: random.bytes(profile.keyLength), salt: random.bytes(profile.saltLength))
    }

    private func packet(ssrc: UInt32, sequence: UInt16, payload: Int, hasExtension: Bool = false) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt8(hasExtension ? 0x90 : 0x80))
        writer.write(UInt8(96))
        writer.write(sequence)
        writer.write(UInt32(sequence) &* 3000)
        writer.write(ssrc)
        if hasExtension { writer.write([0xBE, 0xDE, 0x00, 0x01, 0x12, 1, 2, 3]) }
        writer.write(random.bytes(payload))
        return writer.bytes
    }

    private func protect(_ plain: [UInt8], header: Int, with context: inout SRTPSendContext) throws -> [UInt8] {
        var buffer = plain + [UInt8](repeating: 0xEE, count: context.profile.tagLength)
        let length = try buffer.withUnsafeMutableBytes {
            try context.protect($0, headerLength: header, length: plain.count)
        }
        return Array(buffer.prefix(length))
    }

    @Test("every RTP packet equals libsrtp2's byte by byte, across a rollover", arguments: SRTPProfile.allCases)
    func equalsReference(profile: SRTPProfile) throws {
        let master = masterKey(profile)
        var ours = try SRTPSendContext(master, profile: profile)
        let reference = try ReferenceSender(master, profile: profile)
        var sequences: [UInt32: UInt16] = [11: 65_400, 22: 0, 33: 40_000]
        for round in 0..<900 {
            let ssrc = UInt32([11, 22, 33][round % 3])
            let sequence = sequences[ssrc] ?? 0
            sequences[ssrc] = sequence &+ (round % 7 == 0 ? 5 : 1)
            let hasExtension = round % 2 == 0
            let plain = packet(
                ssrc: ssrc, sequence: sequence, payload: round % 1100, hasExtension: hasExtension)
            let protected = try protect(plain, header: hasExtension ? 20 : 12, with: &ours)
            #expect(protected == reference.protect(plain))
        }
        #expect(try #require(sequences[11]) < 65_400, "the test must cross a rollover")
    }

    @Test("RTCP packets equal libsrtp2's", arguments: SRTPProfile.allCases)
    func controlEqualsReference(profile: SRTPProfile) throws {
        let master = masterKey(profile)
        var ours = try SRTPSendContext(master, profile: profile)
        let reference = try ReferenceSender(master, profile: profile)
        func protect(_ plain: [UInt8]) throws -> [UInt8] {
            var buffer = plain + [UInt8](repeating: 0, count: profile.controlOverhead)
            let length = try buffer.withUnsafeMutableBytes { try ours.protectControl($0, length: plain.count) }
            return Array(buffer.prefix(length))
        }
        let report = try #require([UInt8](hexadecimal: "80c80006 0000000b")) + random.bytes(20)
        // RFC 3711 §3.4 begins at index 0, libsrtp2 at index 1.
        let first = try protect(report)
        var receiver = try SRTPReceiveContext(master, profile: profile)
        var copy = first
        let length = try copy.withUnsafeMutableBytes { try receiver.unprotectControl($0) }
        #expect(Array(copy.prefix(length)) == report)
        for _ in 0..<50 {
            let plain = report.prefix(8) + random.bytes(40)
            #expect(try protect(Array(plain)) == reference.protectControl(Array(plain)))
        }
    }

    @Test("the receive side returns what was sent, refuses replays and forgeries", arguments: SRTPProfile.allCases)
    func receive(profile: SRTPProfile) throws {
        let master = masterKey(profile)
        var sender = try SRTPSendContext(master, profile: profile)
        var receiver = try SRTPReceiveContext(master, profile: profile)
        let plain = packet(ssrc: 5, sequence: 65_535, payload: 500)
        let protected = try protect(plain, header: 12, with: &sender)
        var forged = protected
        forged[100] ^= 1
        #expect(throws: SRTPError.authenticationFailed) {
            try forged.withUnsafeMutableBytes { try receiver.unprotect($0) }
        }
        var copy = protected
        let length = try copy.withUnsafeMutableBytes { try receiver.unprotect($0) }
        #expect(Array(copy.prefix(length)) == plain)
        copy = protected
        #expect(throws: SRTPError.replayed) { try copy.withUnsafeMutableBytes { try receiver.unprotect($0) } }
        var next = try protect(packet(ssrc: 5, sequence: 0, payload: 3), header: 12, with: &sender)
        #expect(try next.withUnsafeMutableBytes { try receiver.unprotect($0) } == 15)
        var short: [UInt8] = [0x80, 96, 0, 1]
        #expect(throws: SRTPError.malformedPacket) { try short.withUnsafeMutableBytes { try receiver.unprotect($0) } }
    }

    @Test("a sequence number that would repeat a nonce is refused")
    func repeatedIndex() throws {
        var sender = try SRTPSendContext(masterKey(.aeadAES128GCM), profile: .aeadAES128GCM)
        _ = try protect(packet(ssrc: 1, sequence: 100, payload: 10), header: 12, with: &sender)
        for sequence: UInt16 in [100, 99, 40_000] {
            #expect(throws: SRTPError.indexNotIncreasing) {
                try protect(packet(ssrc: 1, sequence: sequence, payload: 10), header: 12, with: &sender)
            }
        }
        _ = try protect(packet(ssrc: 1, sequence: 101, payload: 10), header: 12, with: &sender)
    }

    @Test("the number of streams is limited on both sides")
    func streamLimit() throws {
        let master = masterKey(.aeadAES128GCM)
        var sender = try SRTPSendContext(master, profile: .aeadAES128GCM)
        let reference = try ReferenceSender(master, profile: .aeadAES128GCM)
        var receiver = try SRTPReceiveContext(master, profile: .aeadAES128GCM)
        for ssrc: UInt32 in 0..<8 {
            let plain = packet(ssrc: ssrc, sequence: 1, payload: 10)
            _ = try protect(plain, header: 12, with: &sender)
            var protected = reference.protect(plain)
            _ = try protected.withUnsafeMutableBytes { try receiver.unprotect($0) }
        }
        let excess = packet(ssrc: 99, sequence: 1, payload: 10)
        #expect(throws: SRTPError.tooManyStreams) { try protect(excess, header: 12, with: &sender) }
        var protected = reference.protect(excess)
        #expect(throws: SRTPError.tooManyStreams) {
            try protected.withUnsafeMutableBytes { try receiver.unprotect($0) }
        }
    }

    @Test("keys of the wrong length are refused")
    func wrongKeyLength() {
        let short = SRTPMasterKey(key: [1, 2, 3], salt: [])
        #expect(throws: SRTPError.invalidKey) { _ = try SRTPSendContext(short, profile: .aeadAES128GCM) }
        #expect(throws: SRTPError.invalidKey) { _ = try SRTPReceiveContext(short, profile: .aeadAES128GCM) }
    }
}

/// libsrtp2's send side, which the server itself does not use.
private final class ReferenceSender {
    private var session: srtp_t?

    init(_ master: SRTPMasterKey, profile: SRTPProfile) throws {
        _ = try SRTPReceiveContext(master, profile: profile)  // Starts the library.
        var policy = srtp_policy_t()
        srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, srtp_profile_t(UInt32(profile.rawValue)))
        srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, srtp_profile_t(UInt32(profile.rawValue)))
        policy.ssrc.type = ssrc_any_outbound
        policy.window_size = 1024
        var key = master.key + master.salt
        let status = key.withUnsafeMutableBufferPointer { bytes in
            policy.key = bytes.baseAddress
            return srtp_create(&session, &policy)
        }
        try #require(status == srtp_err_status_ok)
    }

    deinit { srtp_dealloc(session) }

    func protect(_ plain: [UInt8]) -> [UInt8] { run(plain) { srtp_protect(session, $0, &$1) } }
    func protectControl(_ plain: [UInt8]) -> [UInt8] { run(plain) { srtp_protect_rtcp(session, $0, &$1) } }

    private func run(
        _ plain: [UInt8], _ function: (UnsafeMutableRawPointer, inout Int32) -> srtp_err_status_t
    ) -> [UInt8] {
        var buffer = plain + [UInt8](repeating: 0, count: 64)
        var length = Int32(plain.count)
        let status = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { function($0, &length) } ?? srtp_err_status_fail
        }
        return status == srtp_err_status_ok ? Array(buffer.prefix(Int(length))) : []
    }
}
