import Core
import Go2Bridge

/// What a robot, or whatever poses as one, says before there is a connection. The first byte chooses the place; the rest
/// lies in it, also behind the seals that a hostile robot has the keys of.
@c(LLVMFuzzerTestOneInput)
package func fuzzRobotSignaling(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let place = input.first else { return 0 }
    let rest = Array(input.dropFirst())
    switch place % 6 {
    case 0: readNotice(rest)
    case 1: readContents(of: String(decoding: rest, as: UTF8.self))
    case 2: readSealedNotice(rest)
    case 3: readReply(rest)
    case 4: readAnswersOfSearch(rest)
    default: readKeys(rest)
    }
    return 0
}

/// The body of `con_notify`'s answer.
private func readNotice(_ body: [UInt8]) {
    guard let notice = try? RobotNotice(parsing: body) else { return }
    precondition(1...3 ~= notice.data2, "a seal that is not known was let through")
    for key in [nil, RobotKey.common] {
        guard let (text, _) = try? notice.opened(key: key) else { continue }
        readContents(of: text)
    }
}

/// The same behind the common key's seal.
private func readSealedNotice(_ text: [UInt8]) {
    let nonce = [UInt8](repeating: 7, count: AES128GCM.nonceLength)
    guard let sealed = AES128GCM.seal(text, key: RobotKey.common.bytes, nonce: nonce) else {
        preconditionFailure("a good key and nonce were refused")
    }
    let data1 = Base64.encode(sealed.ciphertext + nonce + sealed.tag)
    let body: JSONValue = ["data1": .string(data1), "data2": 3]
    guard let notice = try? RobotNotice(parsing: Array(Base64.encode(Array(body.text.utf8)).utf8)) else {
        preconditionFailure("a good notice was refused")
    }
    guard !text.isEmpty else { return }
    guard let (opened, opening) = try? notice.opened(key: RobotKey(hexadecimal: "00112233445566778899aabbccddeeff"))
    else {
        preconditionFailure("what was sealed does not open")
    }
    precondition(opening == .commonKey, "another key opened it")
    readContents(of: opened)
}

/// The robot's RSA key and path; an offer is sealed for it where it is a key.
private func readContents(of text: String) {
    guard let (der, digits) = try? RobotNotice.contents(of: text) else { return }
    precondition(digits.utf8.count <= 5, "a path of more than five digits")
    precondition(digits.utf8.allSatisfy { 0x30...0x39 ~= $0 }, "a path of more than digits")
    let envelope = RobotEnvelope(random: .seeded(1))
    _ = envelope.sealed(RobotEnvelope.text(offer: "v=0\r\n", isAccessPoint: false), publicKeyDER: der)
}

/// The robot's answer, as it is, and under our session's key.
private func readReply(_ body: [UInt8]) {
    _ = try? RobotEnvelope.reply(body)
    let envelope = RobotEnvelope(random: .seeded(1))
    _ = try? envelope.reply(opening: body)
    let key = Array(RandomSource.seeded(1).bytes(16).hexadecimal.utf8)
    guard let sealed = AES256ECB.encrypt(body, key: key), AES256ECB.decrypt(sealed, key: key) == body else {
        preconditionFailure("AES-256 lost bytes")
    }
    _ = try? envelope.reply(opening: Array(Base64.encode(sealed).utf8))
    _ = AES256ECB.decrypt(body, key: key)
}

/// Datagrams of a search, each with a byte of length in front.
private func readAnswersOfSearch(_ bytes: [UInt8]) {
    var search = RobotSearch(serialNumber: "B1", now: .zero)
    var rest = bytes[...]
    while let length = rest.popFirst() {
        let datagram = Array(rest.prefix(Int(length)))
        rest = rest.dropFirst(Int(length))
        if let robot = search.handle(datagram, from: .loopbackV4) {
            precondition(RobotSearch.isSerialNumber(robot.serialNumber), "a serial number of other characters")
            precondition(!robot.ip.isMulticast && !robot.ip.isUnspecified, "an address that is nobody's")
        }
    }
    precondition(search.found.count <= 64, "more robots than the limit")
}

/// A key's text, a DER key, and a tag over chosen bytes.
private func readKeys(_ bytes: [UInt8]) {
    if let key = RobotKey(hexadecimal: String(decoding: bytes, as: UTF8.self)) {
        precondition(key.bytes.count == 16, "a key of another length")
        precondition(!"\(key)".contains(key.bytes.hexadecimal), "a description shows a key")
    }
    if let key = RSAPublicKey(der: bytes) {
        let block = key.encrypt(Array("0123456789abcdef0123456789abcdef".utf8))
        precondition(block == nil || block?.count == key.blockLength, "a block of another length")
    }
    let zeros = [UInt8](repeating: 0, count: 16)
    _ = AES128GCM.open(bytes, tag: zeros, key: zeros, nonce: Array(zeros.prefix(12)))
}
