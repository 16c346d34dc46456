package import Core

/// A credential that its own name dates: `expiry:name`, where `expiry` counts seconds since 1970 and the password is
/// base64(HMAC-SHA1(secret, username)). The relay needs to keep none of them.
///
/// - SeeAlso: [draft-uberti-behave-turn-rest](https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00)
package struct ExpiringCredential: Equatable, Sendable {
    package let username: String
    package let password: String

    /// Issues a credential. `name` is to differ from viewer to viewer: quotas count by the whole username.
    package init(secret: [UInt8], name: String, expires: WallTime) {
        username = "\(expires.secondsSince1970):\(name)"
        password = Self.password(secret: secret, username: username)
    }

    static func password(secret: [UInt8], username: String) -> String {
        Base64.encode(MessageDigest.sha1.authenticate(Array(username.utf8), key: secret))
    }

    /// When the credential of this username ends; nil where it names no time.
    static func expiry(ofUsername username: String) -> WallTime? {
        // Ten digits, and no later than what a clock of nanoseconds can hold.
        let digits = username.utf8.prefix { (0x30...0x39).contains($0) }
        guard (1...10).contains(digits.count), username.utf8.dropFirst(digits.count).first == 0x3A else { return nil }
        let seconds = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
        return seconds < 9_000_000_000 ? WallTime(secondsSince1970: seconds) : nil
    }
}

extension TURNServer {
    /// The credential that this relay accepts until `expires`.
    package static func credential(
        secret: [UInt8], name: String, expires: WallTime
    ) -> (username: String, password: String) {
        let credential = ExpiringCredential(secret: secret, name: name, expires: expires)
        return (credential.username, credential.password)
    }
}
