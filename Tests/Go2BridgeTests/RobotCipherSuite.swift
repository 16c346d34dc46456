import CCrypto
import Core

@testable import Go2Bridge

/// The robot's half of the signaling's cryptography: what a Go2 does with what we send, and how it seals what it says.
struct RobotCipherSuite {
    enum Seal {
        /// `data2` = 1.
        case none
        /// `data2` = 2 or 3.
        case key(RobotKey)
    }

    /// The RSA key as DER SubjectPublicKeyInfo in base64, as it stands in `data1`.
    static let publicKey =
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAt/B1wk5z5sE8O1BjuGxol9im9L/Lf+OFWziECF0yHT7jdSGQ"
        + "kI1/QKjpt12TV4N7UIdWN0mSHMGCr/zH6RB7CWokQ/a5hMaheYPGSdgw0YQTcQpNSqSQKYoCQ2H31LlE0MEPwnFmVohQ"
        + "xKQ5y0uEidAwBoUcMQLfR0H4ATvyD0GF3hm+7RHLc6oWwPQGZ43GdhqDG85H0LfTiBgf0l7vyHMp4qSBZQpvHLbDgFFr"
        + "nKTZqTssjTnxXBTE3t6fK6jzn7a+gBW54KALbujXeUHJ8O1g2sFNmRaEps+CRrMiN4s2d6VxrO6ocNrMUDik5nxn0WIs"
        + "CVTcK5KqKE6aSMy/awIDAQAB"

    /// Its private half, PKCS#1 in base64; of these tests alone.
    private static let privateKey =
        "MIIEpAIBAAKCAQEAt/B1wk5z5sE8O1BjuGxol9im9L/Lf+OFWziECF0yHT7jdSGQkI1/QKjpt12TV4N7UIdWN0mSHMGC"
        + "r/zH6RB7CWokQ/a5hMaheYPGSdgw0YQTcQpNSqSQKYoCQ2H31LlE0MEPwnFmVohQxKQ5y0uEidAwBoUcMQLfR0H4ATvy"
        + "D0GF3hm+7RHLc6oWwPQGZ43GdhqDG85H0LfTiBgf0l7vyHMp4qSBZQpvHLbDgFFrnKTZqTssjTnxXBTE3t6fK6jzn7a+"
        + "gBW54KALbujXeUHJ8O1g2sFNmRaEps+CRrMiN4s2d6VxrO6ocNrMUDik5nxn0WIsCVTcK5KqKE6aSMy/awIDAQABAoIB"
        + "AA+Mns/VulDcA1T6TJZxvP0f01amWLQkzjMHbzXrzEmSSuqDHgmc7zsj7Fn+vu7AzoMLZdDtAb03k0OAVCqneiyHZ1ht"
        + "ei0Mw5LA/oQN6BaWGon4S89kY6F3VA373AEExm9P8B6eX9SEgoYVDKOwbHG1V+dSh68RpewMBMSfRi0JgXDI6EJ5phkD"
        + "wCB1KosMAPLrZK0S1RLvxx/RKD5d5On0/i0MUsMpGAnkJGJImMqMjo7SdTTxVuTWqlbnXavwToeW60fnm2OIAhDhAQuC"
        + "+2yViYm2YqQq7Cyn8uzmL++oN8/9ndlaEZsJpiFs+HMUY2FI2eiN0laDGbr1lxENjwkCgYEA2WKwZG3TwYQT2xroicrG"
        + "Y3nxiDoaK5Y+f61hfXx0w/sMQ1ckY/aH2I1Op9JjrcwWbwyg2XjEIB+AjVkMRsEsSHcOEACV4yk8KrHJAZ8J1H7gnWWg"
        + "7Xxmr5K8ZSRawtiC4c9UBkHeDzJw2priJpyBARkCoU6yjZM/qNGtFJS16lkCgYEA2JzZnSBvel4neT3wq7I7i8pLJXqw"
        + "rSW5xvY3nvYYmOAg0es6YWWNaiml98l0QdburZx4n0YX2mx+cdd8HC1ui7oOA5kkbP5ordSaPHTgIMcg1dJFGiaUgfJU"
        + "VScpOZKUAONeEJz/EoT8G5HAxwiRFBmbdQIJr97bG31G3mKqN2MCgYEAtMu5fK1DEo0wnmfwwrkc6pr+4JfCMEIS1Ml0"
        + "bZNW4bAn8NHG+ESPkvFjW3xFXsSAW/eax4QDSdwpZGWNKkN6+wHZdkGmZ3liCvg1/t0wpcSoNv/RKfLuzFMz0MK9oZPE"
        + "tt1iOpoJf4YqCgYK1KYRPMJ6R4JWSh0PMu7ADn/oFHECgYAoOI+rvl8UwLDhsV+j8fdekJR9hBeUPwIM8KEJUjblBBD0"
        + "CZKQjTPB97PKm8yLgSZWdExtfq1lMGoWJ2XzMXhqV4TMpD4AQwka5fQxr54CWBc/vMh5/5npux5vpVLhTtdOhulrekte"
        + "m/TYBatfCbcunUahZlx4HJBgvVVQa8+hcwKBgQDBx2LnYoX5oMpSKX9xbnru+KQUf2WGu0Y+1vaB//nHoeUTe33hLFpB"
        + "R9LPaybgBKie4s2mQyDK/6U34x1uohumuX3AxtN5FsXHQID89tLbPbQB07VZ1WU/KxqcmQ/C8piJKeHbUR3ERCj0A1aF"
        + "LFNoGPLv3st/oB7a0oVKx6dRqg=="

    /// Ten characters; the second of each pair names a digit: 0, 2, 4, 6 and 8.
    static let tail = "1A2C3E4G5I"

    /// The body of the answer to `con_notify`. `data2` stands in it as it is given.
    static func notice(seal: Seal, data2: JSONValue?, tail: String = tail, publicKey: String = publicKey) -> String {
        let opened = "fillerfill" + publicKey + tail
        var members: [String: JSONValue] = [:]
        switch seal {
        case .none: members["data1"] = .string(opened)
        case .key(let key):
            let nonce = RandomSource.seeded(12).bytes(12)
            let sealed = AES128GCM.seal(Array(opened.utf8), key: key.bytes, nonce: nonce)
            members["data1"] = .string(Base64.encode((sealed?.ciphertext ?? []) + nonce + (sealed?.tag ?? [])))
        }
        members["data2"] = data2
        return Base64.encode(Array(JSONValue.object(members).text.utf8))
    }

    /// The session key and the envelope in the body of `con_ing_…`; nil where a robot would close with 0 bytes.
    static func open(_ body: String) -> (sessionKey: [UInt8], envelope: JSONValue)? {
        guard let message = JSONValue(parsing: Array(body.utf8)),
            let sealedKey = message["data2"]?.stringValue.flatMap({ Base64.decode($0) }),
            let data = message["data1"]?.stringValue.flatMap({ Base64.decode($0) }),
            let sessionKey = decrypt(sealedKey), let text = AES256ECB.decrypt(data, key: sessionKey),
            let envelope = JSONValue(parsing: text)
        else { return nil }
        return (sessionKey, envelope)
    }

    /// The body of the answer to `con_ing_…`.
    static func answer(_ value: JSONValue, sessionKey: [UInt8]) -> String {
        Base64.encode(AES256ECB.encrypt(Array(value.text.utf8), key: sessionKey) ?? [])
    }

    private static func decrypt(_ block: [UInt8]) -> [UInt8]? {
        guard let der = Base64.decode(privateKey), block.count == 256 else { return nil }
        let key = der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_AutoPrivateKey(nil, &start, buffer.count)
        }
        guard let key, let context = EVP_PKEY_CTX_new(key, nil) else { return nil }
        defer {
            EVP_PKEY_CTX_free(context)
            EVP_PKEY_free(key)
        }
        var text = [UInt8](repeating: 0, count: 256)
        var count = text.count
        guard EVP_PKEY_decrypt_init(context) == 1, EVP_PKEY_CTX_ctrl_str(context, "rsa_padding_mode", "pkcs1") == 1,
            EVP_PKEY_decrypt(context, &text, &count, block, block.count) == 1
        else { return nil }
        return Array(text.prefix(count))
    }
}
