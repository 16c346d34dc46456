import Core
import Testing

/// Ciphers for single messages, against published vectors.
struct MessageCipherTests {
    private func bytes(_ text: String) throws -> [UInt8] { try #require([UInt8](hexadecimal: text)) }

    @Test("AES-128-GCM makes and opens test case 3 of the mode's specification")
    func galoisCounterVector() throws {
        let key = try bytes("feffe9928665731c6d6a8f9467308308")
        let nonce = try bytes("cafebabefacedbaddecaf888")
        let text = try bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255")
        let sealed = try #require(AES128GCM.seal(text, key: key, nonce: nonce))
        #expect(
            sealed.ciphertext.hexadecimal
                == "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                + "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985")
        #expect(sealed.tag.hexadecimal == "4d5c2af327cd64a62cf35abd2ba6fab4")
        #expect(AES128GCM.open(sealed.ciphertext, tag: sealed.tag, key: key, nonce: nonce) == text)
    }

    @Test("nothing sealed is a tag alone, test case 1, and opens again")
    func galoisCounterOfNothing() throws {
        let zeros = [UInt8](repeating: 0, count: 16)
        let sealed = try #require(AES128GCM.seal([], key: zeros, nonce: Array(zeros.prefix(12))))
        #expect(sealed.ciphertext.isEmpty)
        #expect(sealed.tag.hexadecimal == "58e2fccefa7e3061367f1d57a4e7455a")
        #expect(AES128GCM.open([], tag: sealed.tag, key: zeros, nonce: Array(zeros.prefix(12))) == [])
    }

    @Test("another key, nonce, tag or text does not open, and wrong lengths are refused")
    func galoisCounterRefusals() throws {
        let random = RandomSource.seeded(5116)
        let key = random.bytes(16)
        let nonce = random.bytes(12)
        let sealed = try #require(AES128GCM.seal(random.bytes(100), key: key, nonce: nonce))
        var changed = sealed.ciphertext
        changed[50] ^= 1
        #expect(AES128GCM.open(changed, tag: sealed.tag, key: key, nonce: nonce) == nil)
        #expect(AES128GCM.open(sealed.ciphertext, tag: random.bytes(16), key: key, nonce: nonce) == nil)
        #expect(AES128GCM.open(sealed.ciphertext, tag: sealed.tag, key: random.bytes(16), nonce: nonce) == nil)
        #expect(AES128GCM.open(sealed.ciphertext, tag: sealed.tag, key: key, nonce: random.bytes(12)) == nil)
        #expect(AES128GCM.open(sealed.ciphertext, tag: random.bytes(15), key: key, nonce: nonce) == nil)
        #expect(AES128GCM.seal([1], key: random.bytes(32), nonce: nonce) == nil)
        #expect(AES128GCM.seal([1], key: key, nonce: random.bytes(16)) == nil)
    }

    @Test("AES-256 makes the blocks of SP 800-38A F.1.5, then a block of padding")
    func electronicCodebookVector() throws {
        let key = try bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
        let text = try bytes(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
        let sealed = try #require(AES256ECB.encrypt(text, key: key))
        #expect(sealed.count == 80)
        #expect(
            sealed.prefix(64).hexadecimal
                == "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
                + "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7")
        #expect(AES256ECB.decrypt(sealed, key: key) == text)
    }

    @Test("texts of every length come back, and ciphertexts that were cut or sealed otherwise do not")
    func electronicCodebookLengths() throws {
        let random = RandomSource.seeded(5652)
        let key = random.bytes(32)
        for length in [0, 1, 15, 16, 17, 31, 32, 4500] {
            let text = random.bytes(length)
            let sealed = try #require(AES256ECB.encrypt(text, key: key))
            #expect(sealed.count == (length / 16 + 1) * 16)
            #expect(AES256ECB.decrypt(sealed, key: key) == text)
            #expect(AES256ECB.decrypt(Array(sealed.dropLast()), key: key) == nil)
        }
        #expect(AES256ECB.decrypt([], key: key) == nil)
        #expect(AES256ECB.encrypt([1], key: random.bytes(16)) == nil)
        // Zeros as ciphertext: the last byte of the block they make is no padding under this key.
        #expect(AES256ECB.decrypt([UInt8](repeating: 0, count: 16), key: key) == nil)
    }

    /// A key of 2048 bits, made once with `openssl genrsa`; its private half is in the robot's tests.
    private static let der = Base64.decode(
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt/B1wk5z5sE8O1BjuGxol9im9L/Lf+OFWziECF0yHT7jdSGQ"
            + "kI1/QKjpt12TV4N7UIdWN0mSHMGCr/zH6RB7CWokQ/a5hMaheYPGSdgw0YQTcQpNSqSQKYoCQ2H31LlE0MEPwnFmVohQ"
            + "xKQ5y0uEidAwBoUcMQLfR0H4ATvyD0GF3hm+7RHLc6oWwPQGZ43GdhqDG85H0LfTiBgf0l7vyHMp4qSBZQpvHLbDgFFr"
            + "nKTZqTssjTnxXBTE3t6fK6jzn7a+gBW54KALbujXeUHJ8O1g2sFNmRaEps+CRrMiN4s2d6VxrO6ocNrMUDik5nxn0WIs"
            + "CVTcK5KqKE6aSMy/awIDAQAB")

    @Test("an RSA key is read from its DER, and encrypts as many bytes as its padding leaves room for")
    func publicKey() throws {
        let der = try #require(Self.der)
        guard let key = RSAPublicKey(der: der) else {
            Issue.record("a good key was refused")
            return
        }
        #expect(key.bitCount == 2048)
        #expect(key.blockLength == 256)
        let text = Array("0123456789abcdef0123456789abcdef".utf8)
        let blocks = (key.encrypt(text), key.encrypt(text))
        #expect(blocks.0?.count == 256)
        // The padding is random.
        #expect(blocks.0 != blocks.1)
        let (longest, tooLong) = (
            key.encrypt([UInt8](repeating: 1, count: 245)), key.encrypt([UInt8](repeating: 1, count: 246))
        )
        #expect(longest?.count == 256)
        #expect(tooLong == nil)
    }

    @Test("what is no RSA key makes none")
    func publicKeyRefusals() throws {
        let der = try #require(Self.der)
        let broken = [[], Array(der.dropLast()), Array(der.dropFirst()), [UInt8](repeating: 0x30, count: 300)]
        for bytes in broken + [[UInt8](repeating: 0, count: 4096)] {
            let isRefused = RSAPublicKey(der: bytes) == nil
            #expect(isRefused)
        }
        // A P-256 key: a good SubjectPublicKeyInfo of another kind.
        let curve = try #require(
            Base64.decode(
                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIcxG2ja7RnvZ7JagNm3j/QyA9kh2cQjwNSUW39Owu1dhym8EXetWNkBx"
                    + "G1tjN1bBuZEoFAhDD5pTU152mEOJrw=="))
        let isRefused = RSAPublicKey(der: curve) == nil
        #expect(isRefused)
        // 512 bits.
        let short = try #require(
            Base64.decode(
                "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANKKLzqN1cOak3QuJRqXvLTeDDo+9DWE3NZioRcULI+AN1BrLS/2vGo9A6U8"
                    + "j3A1PsH1WMQnYIqOo9BWwNeC2VECAwEAAQ=="))
        let isTooShort = RSAPublicKey(der: short) == nil
        #expect(isTooShort)
    }
}
