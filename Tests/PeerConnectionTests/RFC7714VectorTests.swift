import Core
import Testing

@testable import PeerConnection

/// The AEAD_AES_128_GCM vectors of [RFC 7714 §16.1.1](https://www.rfc-editor.org/rfc/rfc7714#section-16.1.1) and §17.1.
struct RFC7714VectorTests {
    private let keys: SRTPSessionKeys.Set

    init() throws {
        keys = SRTPSessionKeys.Set(
            cipherKey: Array(0...15), salt: try #require([UInt8](hexadecimal: "517569642070726f2071756f")),
            authenticationKey: [])
    }

    @Test("16.1.1: an SRTP packet")
    func packet() throws {
        let plain = try #require(
            [UInt8](
                hexadecimal: """
                    8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
                    69736120 696e2070 61727465 73207472 6573
                    """))
        let expected = """
            8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
            0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce
            """
        var context = try SRTPSendContext(sessionKeys: .init(rtp: keys, rtcp: keys), profile: .aeadAES128GCM)
        var buffer = plain + [UInt8](repeating: 0, count: 16)
        let length = try buffer.withUnsafeMutableBytes {
            try context.protect($0, headerLength: 12, length: plain.count)
        }
        #expect(length == buffer.count)
        #expect(buffer == [UInt8](hexadecimal: expected))
    }

    @Test("17.1: an SRTCP packet with index 5d4")
    func controlPacket() throws {
        let plain = try #require(
            [UInt8](
                hexadecimal: """
                    81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
                    deadbeef deadbeef deadbeef deadbeef deadbeef
                    """))
        let expected = """
            81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
            c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
            45d9eade 800005d4
            """
        let transform = try SRTPTransform(keys, profile: .aeadAES128GCM)
        var buffer = plain + [UInt8](repeating: 0, count: 20)
        let isProtected = try buffer.withUnsafeMutableBytes {
            transform.protectRTCP(
                try #require($0.baseAddress), length: plain.count, ssrc: 0x4d61_7273, index: 0x5d4)
        }
        #expect(isProtected)
        #expect(buffer == [UInt8](hexadecimal: expected))
    }
}
