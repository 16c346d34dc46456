internal import Core

/// What a robot answers to `con_notify`: its RSA key, sealed or not, and the path that the offer goes to.
///
/// ```
/// body         = base64( {"data1": text, "data2": 1 | 2 | 3} )
/// data1        = opened                                       data2 = 1, or none
///              | base64( ciphertext | nonce, 12 | tag, 16 )   data2 = 2 or 3, AES-128-GCM
/// opened       = filler, 10 | base64( SubjectPublicKeyInfo ) | tail, 10
/// path digits  = the second character of each pair of the tail, A...J for 0...9
/// ```
package struct RobotNotice: Sendable, Equatable {
    /// Why an answer is not this.
    package enum ParseError: Error, Hashable, Sendable {
        /// Neither base64 of JSON nor JSON.
        case notJSON
        /// `data1` is missing or no text.
        case noData
        /// Another `data2` than 1, 2 and 3.
        case unknownSeal(Int)
        /// Not as many bytes as nonce and tag need, or no base64.
        case malformedSeal
        /// None of the keys opens it.
        case wrongKey
        /// What was opened has no RSA key between its ends.
        case noPublicKey
    }

    /// How the text was opened.
    package enum Opening: Hashable, Sendable {
        case unsealed, commonKey, ownKey
    }

    /// Filler before the key, and the tail behind it, in bytes.
    static let endLength = 10

    package let data1: String
    package let data2: Int

    /// Reads the body of the answer.
    package init(parsing body: [UInt8]) throws(ParseError) {
        guard let value = LenientJSON.value(inBase64Or: body) else { throw .notJSON }
        guard let text = value["data1"]?.stringValue, !text.isEmpty else { throw .noData }
        let seal = value["data2"] ?? .null
        // Firmware 1.1.1 may leave it out.
        guard let number = seal.isNull ? 1 : seal.integerValue else { throw .unknownSeal(-1) }
        guard 1...3 ~= number else { throw .unknownSeal(number) }
        data1 = text
        data2 = number
    }

    /// Opens `data1` with the keys that fit, the likelier first.
    package func opened(key: RobotKey?) throws(ParseError) -> (text: String, by: Opening) {
        if data2 == 1 { return (data1, .unsealed) }
        let overhead = AES128GCM.nonceLength + AES128GCM.tagLength
        guard let sealed = Base64.decode(LenientJSON.withoutSpaces(data1)), sealed.count > overhead else {
            throw .malformedSeal
        }
        let end = sealed.count - overhead
        let nonce = Array(sealed[end..<(end + AES128GCM.nonceLength)])
        let tag = Array(sealed.suffix(AES128GCM.tagLength))
        // Some robots say 3 and still use the common key.
        let own = key.map { ($0, Opening.ownKey) }
        let candidates = data2 == 2 ? [(.common, .commonKey), own] : [own, (.common, .commonKey)]
        for (key, opening) in candidates.compactMap({ $0 }) {
            guard let text = AES128GCM.open(Array(sealed[..<end]), tag: tag, key: key.bytes, nonce: nonce) else {
                continue
            }
            return (String(decoding: text, as: UTF8.self), opening)
        }
        throw .wrongKey
    }

    /// The RSA key as DER, and the digits of `con_ing_…`.
    package static func contents(of opened: String) throws(ParseError) -> (publicKey: [UInt8], digits: String) {
        let bytes = Array(opened.utf8)
        guard bytes.count > 2 * endLength else { throw .noPublicKey }
        let middle = String(decoding: bytes[endLength..<(bytes.count - endLength)], as: UTF8.self)
        guard let der = Base64.decode(LenientJSON.withoutSpaces(middle)), !der.isEmpty else { throw .noPublicKey }
        let letters = bytes.suffix(endLength).enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        // The public client leaves out what is no letter from A to J.
        let digits = letters.compactMap { letter -> UInt8? in
            UInt8(ascii: "A")...UInt8(ascii: "J") ~= letter ? letter - UInt8(ascii: "A") + UInt8(ascii: "0") : nil
        }
        return (der, String(decoding: digits, as: UTF8.self))
    }
}

/// JSON as robots send it: as it is, or in base64, with white space where it does not belong.
enum LenientJSON {
    static func value(inBase64Or body: [UInt8]) -> JSONValue? {
        let text = withoutSpaces(String(decoding: body, as: UTF8.self))
        if let decoded = Base64.decode(text), let value = JSONValue(parsing: decoded), case .object = value {
            return value
        }
        guard let value = JSONValue(parsing: body), case .object = value else { return nil }
        return value
    }

    static func withoutSpaces(_ text: String) -> String {
        String(decoding: text.utf8.filter { $0 > 0x20 }, as: UTF8.self)
    }
}
