import Core
import Testing

@testable import PeerConnection

/// The vectors of [RFC 3711 Appendix B](https://www.rfc-editor.org/rfc/rfc3711#appendix-B).
struct RFC3711VectorTests {
    @Test("B.2: the key stream of AES in counter mode")
    func keystream() throws {
        let key = try #require([UInt8](hexadecimal: "2B7E151628AED2A6ABF7158809CF4F3C"))
        guard let cipher = AES128(key: key, mode: .counter) else {
            Issue.record("a 16-byte key was refused")
            return
        }
        let start = AES128.CounterBlock(high: 0xF0F1_F2F3_F4F5_F6F7, low: 0xF8F9_FAFB_FCFD_0000)
        let expected = """
            E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0
            """
        let stream = cipher.keystream(48, counter: start)
        #expect(stream == [UInt8](hexadecimal: expected))
        let late = AES128.CounterBlock(high: 0xF0F1_F2F3_F4F5_F6F7, low: 0xF8F9_FAFB_FCFD_FEFF)
        let lateExpected = """
            EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44
            """
        let lateStream = cipher.keystream(48, counter: late)
        #expect(lateStream == [UInt8](hexadecimal: lateExpected))
    }

    @Test("B.3: session keys out of a master key and salt")
    func keyDerivation() throws {
        let master = SRTPMasterKey(
            key: try #require([UInt8](hexadecimal: "E1F97A0D3E018BE0D64FA32C06DE4139")),
            salt: try #require([UInt8](hexadecimal: "0EC675AD498AFEEBB6960B3AABE6")))
        let keys = try SRTPSessionKeys(master, profile: .aes128CMSHA1With80BitTag)
        #expect(keys.rtp.cipherKey.hexadecimal == "c61e7a93744f39ee10734afe3ff7a087")
        #expect(keys.rtp.salt.hexadecimal == "30cbbc08863d8c85d49db34a9ae1")
        #expect(keys.rtp.authenticationKey.hexadecimal == "cebe321f6ff7716b6fd4ab49af256a156d38baa4")
    }
}
