import Core
import Testing

@testable import TURNClient

@Suite("STUN messages")
struct STUNMessageTests {
    let random = RandomSource.seeded(1)

    static let everyAttribute: [STUNAttribute] = [
        .mappedAddress(SocketAddress(.v4(0x0102_0304), 5)),
        .username("user"), .errorCode(code: 438, reason: "Stale Nonce"), .unknownAttributes([1, 0x7FFF]),
        .channelNumber(0x4001), .lifetime(.seconds(600)),
        .xorPeerAddress(SocketAddress(.v6(high: 0x2001_0DB8_0000_0001, low: 7), 65535)),
        .data([1, 2, 3]), .realm("r"), .nonce(""), .xorRelayedAddress(SocketAddress(.v4(0xFFFF_FFFF), 0)),
        .requestedAddressFamily(.v6), .evenPort(reservesNext: true), .evenPort(reservesNext: false),
        .requestedTransport(17), .dontFragment,
        .xorMappedAddress(SocketAddress(.v4(0), 1)), .reservationToken([1, 2, 3, 4, 5, 6, 7, 8]), .priority(.max),
        .useCandidate, .software("s"), .alternateServer(SocketAddress(.v4(9), 3478)), .iceControlled(.max),
        .iceControlling(1), .unknown(type: 0x7ABC, value: [1, 2, 3, 4, 5]), .unknown(type: 0xC057, value: []),
    ]

    @Test("every attribute survives writing and reading", arguments: everyAttribute)
    func roundTrip(attribute: STUNAttribute) throws {
        let message = STUNMessage.request(
            .allocate, transactionID: STUNTransactionID(random: random), attributes: [attribute])
        let bytes = message.encoded(key: [1, 2, 3], fingerprint: true)
        #expect(bytes.count % 4 == 0)
        #expect(try STUNMessage(bytes) == message)
        #expect(STUNMessage.hasValidIntegrity(bytes, key: [1, 2, 3]))
        #expect(!STUNMessage.hasValidIntegrity(bytes, key: [1, 2, 4]))
        #expect(STUNMessage.hasValidFingerprint(bytes))
    }

    @Test("class and method share the type's bits as RFC 8489 draws them")
    func types() throws {
        let request = STUNMessage.request(.channelBind, transactionID: STUNTransactionID(random: random))
        #expect(request.encoded().prefix(2) == [0x00, 0x09])
        #expect(STUNMessage.success(to: request).encoded().prefix(2) == [0x01, 0x09])
        #expect(STUNMessage.error(to: request, code: 400, reason: "").encoded().prefix(2) == [0x01, 0x19])
        let data = STUNMessage.indication(.data, transactionID: request.transactionID)
        #expect(data.encoded().prefix(2) == [0x00, 0x17])
        for raw in UInt16(0)...0x00FF {
            let message = STUNMessage(
                .errorResponse, STUNMessage.Method(rawValue: raw), transactionID: request.transactionID)
            #expect(try STUNMessage(message.encoded()).method.rawValue == raw)
        }
    }

    @Test("attributes after MESSAGE-INTEGRITY are ignored")
    func afterIntegrity() throws {
        let message = STUNMessage.request(.binding, transactionID: STUNTransactionID(random: random))
        var bytes = message.encoded(key: [1])
        bytes += [0x00, 0x25, 0, 0]
        bytes[3] += 4
        let parsed = try STUNMessage(bytes)
        #expect(!parsed.useCandidate)
        #expect(parsed.carriesIntegrity)
        #expect(STUNMessage.hasValidIntegrity(bytes, key: [1]))
    }

    @Test("the first of two equal attributes counts, but every peer address does")
    func repeated() throws {
        let message = STUNMessage.request(
            .createPermission, transactionID: STUNTransactionID(random: random),
            attributes: [
                .username("a"), .username("b"), .xorPeerAddress(SocketAddress(.v4(1), 1)),
                .xorPeerAddress(SocketAddress(.v4(2), 2)),
            ])
        let parsed = try STUNMessage(message.encoded())
        #expect(parsed.username == "a")
        #expect(parsed.xorPeerAddresses.count == 2)
    }

    @Test("a reason phrase ends at the first zero byte")
    func paddedReason() throws {
        let message = STUNMessage(
            .errorResponse, .allocate, transactionID: STUNTransactionID(random: random),
            attributes: [.unknown(type: 0x0009, value: [0, 0, 4, 37, 0x4E, 0x6F, 0, 0])])
        #expect(try STUNMessage(message.encoded()).errorCode?.reason == "No")
    }

    @Test("unknown attributes below 0x8000 are reported, those above are not")
    func unknownAttributes() throws {
        let message = STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: random),
            attributes: [.unknown(type: 0x7777, value: [1]), .unknown(type: 0x8777, value: [1])])
        #expect(try STUNMessage(message.encoded()).unknownComprehensionRequired == [0x7777])
    }

    @Test("a wrong length, a missing cookie or a set top bit is refused")
    func refused() {
        let good = STUNMessage.request(.binding, transactionID: STUNTransactionID(random: random)).encoded()
        #expect(throws: STUNParseError.lengthMismatch) { try STUNMessage(Array(good.dropLast())) }
        #expect(throws: STUNParseError.lengthMismatch) { try STUNMessage((good + [0])) }
        #expect(throws: STUNParseError.lengthMismatch) { try STUNMessage([UInt8]()) }
        var cookie = good
        cookie[4] = 0
        #expect(throws: STUNParseError.notSTUN) { try STUNMessage(cookie) }
        var top = good
        top[0] = 0x80
        #expect(throws: STUNParseError.notSTUN) { try STUNMessage(top) }
        #expect(!STUNMessage.isSTUN(top))
        #expect(!STUNMessage.isSTUN(cookie))
    }

    @Test("an attribute that reaches past the end is refused")
    func truncated() {
        let message = STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: random), attributes: [.username("abcd")])
        var bytes = message.encoded()
        bytes[23] = 5
        #expect(throws: STUNParseError.truncatedAttribute(type: 6)) { try STUNMessage(bytes) }
    }

    @Test("a required attribute of wrong size is refused, an optional one is kept as unknown")
    func malformed() throws {
        let id = STUNTransactionID(random: random)
        let required = STUNMessage.request(
            .binding, transactionID: id, attributes: [.unknown(type: 0x0024, value: [1, 2, 3])])
        #expect(throws: STUNParseError.malformedAttribute(type: 0x24)) { try STUNMessage(required.encoded()) }
        let optional = STUNMessage.request(
            .binding, transactionID: id, attributes: [.unknown(type: 0x8022, value: [0xFF, 0xFE])])
        #expect(try STUNMessage(optional.encoded()) == optional)
    }

    @Test("a message with more attributes than anybody needs is refused")
    func tooManyAttributes() {
        let message = STUNMessage.request(
            .binding, transactionID: STUNTransactionID(random: random),
            attributes: Array(repeating: .useCandidate, count: STUNMessage.maximumAttributeCount + 1))
        #expect(throws: STUNParseError.tooManyAttributes) { try STUNMessage(message.encoded()) }
    }

    @Test("the value of DATA is found without a copy")
    func dataRange() {
        let message = STUNMessage.indication(
            .data, transactionID: STUNTransactionID(random: random),
            attributes: [.xorPeerAddress(SocketAddress(.v4(1), 1)), .data([7, 8, 9])])
        let bytes = message.encoded()
        let range = STUNMessage.valueRange(ofType: STUNAttribute.dataType, in: bytes.span)
        #expect(range.map { Array(bytes[$0]) } == [7, 8, 9])
    }

    @Test("random bytes never trap")
    func randomBytes() {
        for round in 0..<20_000 {
            var bytes = random.bytes(round % 90)
            if bytes.count >= 20, round % 2 == 0 {
                bytes.replaceSubrange(4..<8, with: [0x21, 0x12, 0xA4, 0x42])
                bytes[0] &= 3
                bytes.removeLast(bytes.count % 4)
                bytes[2] = 0
                bytes[3] = UInt8(bytes.count - 20)
            }
            _ = try? STUNMessage(bytes)
            _ = STUNMessage.hasValidIntegrity(bytes, key: [1])
            _ = STUNMessage.hasValidFingerprint(bytes)
        }
    }
}
