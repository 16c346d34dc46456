internal import CZeroMQ

/// A key of [CURVE](https://rfc.zeromq.org/spec/26/): 32 bytes, written as 40 characters of Z85.
package struct CurveKey: Hashable, Sendable {
    package let bytes: [UInt8]

    /// 32 bytes; nil for another count.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// 40 characters of [Z85](https://rfc.zeromq.org/spec/32/), blanks around them are allowed; nil for anything else.
    package init?(_ text: String) {
        let digits = text.utf8.filter { $0 > 0x20 }
        let alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8
        guard digits.count == Self.textCount, digits.allSatisfy(alphabet.contains) else { return nil }
        var decoded = [UInt8](repeating: 0, count: Self.byteCount)
        var zeroTerminated = digits.map { CChar(bitPattern: $0) } + [0]
        guard unsafe zmq_z85_decode(&decoded, &zeroTerminated) != nil else { return nil }
        bytes = decoded
    }

    static let byteCount = 32
    static let textCount = 40

    package var text: String {
        var encoded = [CChar](repeating: 0, count: Self.textCount + 1)
        unsafe _ = zmq_z85_encode(&encoded, bytes, Self.byteCount)
        return String(decoding: encoded.prefix(Self.textCount).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A secret key and the public one that belongs to it.
package struct CurveKeyPair: Sendable {
    package let publicKey: CurveKey
    package let secretKey: CurveKey

    /// A new pair.
    package init() throws(ZeroMQError) {
        var publicText = [CChar](repeating: 0, count: CurveKey.textCount + 1)
        var secretText = publicText
        guard unsafe zmq_curve_keypair(&publicText, &secretText) == 0 else { throw .last("make a CURVE key pair") }
        try self.init(publicText, secretText)
    }

    /// The pair of a known secret key.
    package init(secretKey: CurveKey) throws(ZeroMQError) {
        var publicText = [CChar](repeating: 0, count: CurveKey.textCount + 1)
        var secretText = secretKey.text.utf8.map { CChar(bitPattern: $0) } + [0]
        guard unsafe zmq_curve_public(&publicText, &secretText) == 0 else { throw .last("find the public key") }
        try self.init(publicText, secretText)
    }

    private init(_ publicText: [CChar], _ secretText: [CChar]) throws(ZeroMQError) {
        func key(_ text: [CChar]) -> CurveKey? {
            CurveKey(String(decoding: text.prefix(CurveKey.textCount).map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        guard let publicKey = key(publicText), let secretKey = key(secretText) else {
            throw ZeroMQError(code: .invalidKey, place: "make a CURVE key pair", reason: "no key came out")
        }
        self.publicKey = publicKey
        self.secretKey = secretKey
    }
}
