import Core
import Testing

struct CipherTests {
    @Test("the keyed HMAC-SHA1 equals the one-shot one, for keys shorter and longer than a block")
    func keyedHMAC() {
        let random = RandomSource.seeded(2104)
        for keyLength in [0, 1, 20, 64, 65, 200] {
            let key = random.bytes(keyLength)
            let keyed = HMACSHA1(key: key)
            for length in [0, 1, 55, 64, 1200] {
                let message = random.bytes(length)
                var code = InlineArray<20, UInt8>(repeating: 0)
                message.withUnsafeBytes { keyed.authenticate($0, tail: 0xDEAD_BEEF, code: &code) }
                let expected = MessageDigest.sha1.authenticate(message + [0xDE, 0xAD, 0xBE, 0xEF], key: key)
                #expect(code.indices.map { code[$0] } == expected)
            }
        }
    }

    @Test("a key of another length makes no cipher")
    func keyLength() {
        for length in [0, 15, 17, 32] {
            let isRefused = AES128(key: [UInt8](repeating: 1, count: length), mode: .galoisCounter) == nil
            #expect(isRefused)
        }
    }

    @Test("sealing nothing still authenticates what goes with it")
    func emptyText() {
        guard let cipher = AES128(key: [UInt8](repeating: 0, count: 16), mode: .galoisCounter) else {
            Issue.record("a 16-byte key was refused")
            return
        }
        var tag = [UInt8](repeating: 0, count: 16)
        let isSealed = tag.withUnsafeMutableBytes { bytes in
            cipher.seal(
                UnsafeMutableRawBufferPointer(start: nil, count: 0), tag: bytes.baseAddress.unsafelyUnwrapped,
                nonce: AES128.Nonce(high: 0, low: 0), associated: UnsafeRawBufferPointer(start: nil, count: 0))
        }
        #expect(isSealed)
        // Test case 1 of the Galois/Counter Mode specification.
        #expect(tag.hexadecimal == "58e2fccefa7e3061367f1d57a4e7455a")
    }
}
