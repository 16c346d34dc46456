package import Core

/// An offer as a robot takes it, and the answer that it gives.
///
/// With `con_ing_…` both are under one AES-256 key that the client makes up: 32 hexadecimal digits, used as 32 characters.
package struct RobotEnvelope: Sendable {
    /// What an answer says.
    package enum Reply: Hashable, Sendable {
        case answer(sdp: String)
        /// Another client holds the robot.
        case rejected
    }

    /// Why an answer is not this.
    package enum ParseError: Error, Hashable, Sendable {
        /// No base64 of whole blocks, or none that our key opens to JSON.
        case unreadable
        /// JSON without an SDP in it.
        case noDescription
    }

    private let sessionKey: [UInt8]

    package init(random: RandomSource) {
        sessionKey = Array(random.bytes(16).hexadecimal.utf8)
    }

    /// The envelope in clear. Robots do not check `id`; the public clients leave it empty at a robot's own access point.
    package static func text(offer: String, isAccessPoint: Bool) -> String {
        let envelope: JSONValue = [
            "id": isAccessPoint ? "" : "STA_localNetwork", "sdp": .string(offer), "type": "offer", "token": "",
        ]
        return envelope.text
    }

    /// The body of `con_ing_…`; nil where the robot's key takes no 32 bytes, or libcrypto refuses.
    package func sealed(_ text: String, publicKeyDER: [UInt8]) -> String? {
        guard let publicKey = RSAPublicKey(der: publicKeyDER), let key = publicKey.encrypt(sessionKey),
            let data = AES256ECB.encrypt(Array(text.utf8), key: sessionKey)
        else { return nil }
        let body: JSONValue = ["data1": .string(Base64.encode(data)), "data2": .string(Base64.encode(key))]
        return body.text
    }

    /// Opens the body of the answer to `con_ing_…`.
    package func reply(opening body: [UInt8]) throws(ParseError) -> Reply {
        let text = LenientJSON.withoutSpaces(String(decoding: body, as: UTF8.self))
        if let sealed = Base64.decode(text), let opened = AES256ECB.decrypt(sealed, key: sessionKey) {
            return try Self.reply(opened)
        }
        // A robot that does not seal its answer is odd, but understood.
        guard body.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") else { throw .unreadable }
        return try Self.reply(body)
    }

    /// Reads an answer in clear.
    package static func reply(_ body: [UInt8]) throws(ParseError) -> Reply {
        guard let value = LenientJSON.value(inBase64Or: body) else { throw .unreadable }
        guard let sdp = value["sdp"]?.stringValue, !sdp.isEmpty else { throw .noDescription }
        if sdp == "reject" { return .rejected }
        guard sdp.hasPrefix("v=0") else { throw .noDescription }
        return .answer(sdp: sdp)
    }
}
