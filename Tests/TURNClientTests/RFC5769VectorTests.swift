import Core
import Testing

@testable import TURNClient

/// The published test vectors of STUN.
/// - SeeAlso: [RFC 5769](https://www.rfc-editor.org/rfc/rfc5769)
@Suite("RFC 5769 vectors")
struct RFC5769VectorTests {
    static let password = Array("VOkJxbRl1RmTxUk/WvJxBt".utf8)

    static let request = [UInt8](
        hexadecimal: """
            00010058 2112a442 b7e7a701bc34d686fa87dfae
            80220010 5354554e207465737420636c69656e74
            00240004 6e0001ff
            80290008 932ff9b151263b36
            00060009 6576746a3a68367659202020
            00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
            80280004 e57a3bcf
            """)!

    static let responseV4 = [UInt8](
        hexadecimal: """
            0101003c 2112a442 b7e7a701bc34d686fa87dfae
            8022000b 7465737420766563746f7220
            00200008 0001a147e112a643
            00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
            80280004 c07d4c96
            """)!

    static let responseV6 = [UInt8](
        hexadecimal: """
            01010048 2112a442 b7e7a701bc34d686fa87dfae
            8022000b 7465737420766563746f7220
            00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
            00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
            80280004 c8fb0b4c
            """)!

    static let longTermRequest = [UInt8](
        hexadecimal: """
            00010060 2112a442 78ad3433c6ad72c029da412e
            00060012 e3839ee38388e383aae38383e382afe382b90000
            0015001c 662f2f3439396b39353464364f4c33346f4c394653547679363473 41
            0014000b 6578616d706c652e6f726700
            00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666
            """)!

    @Test("§2.1: the sample request is read and verified")
    func sampleRequest() throws {
        let bytes = Self.request
        #expect(STUNMessage.isSTUN(bytes))
        let message = try STUNMessage(bytes)
        #expect(message.messageClass == .request)
        #expect(message.method == .binding)
        #expect(message.transactionID.bytes.hexadecimal == "b7e7a701bc34d686fa87dfae")
        #expect(message.software == "STUN test client")
        #expect(message.priority == 0x6E00_01FF)
        #expect(message.iceControlled == 0x932F_F9B1_5126_3B36)
        #expect(message.username == "evtj:h6vY")
        #expect(message.carriesIntegrity)
        #expect(message.carriesFingerprint)
        #expect(STUNMessage.hasValidIntegrity(bytes, key: Self.password))
        #expect(STUNMessage.hasValidFingerprint(bytes))
    }

    @Test("§2.2: the sample IPv4 response is read and verified")
    func sampleIPv4Response() throws {
        let bytes = Self.responseV4
        let message = try STUNMessage(bytes)
        #expect(message.messageClass == .successResponse)
        #expect(message.software == "test vector")
        #expect(message.xorMappedAddress == SocketAddress("192.0.2.1:32853"))
        #expect(STUNMessage.hasValidIntegrity(bytes, key: Self.password))
        #expect(STUNMessage.hasValidFingerprint(bytes))
    }

    @Test("§2.3: the sample IPv6 response is read and verified")
    func sampleIPv6Response() throws {
        let bytes = Self.responseV6
        let message = try STUNMessage(bytes)
        #expect(message.xorMappedAddress == SocketAddress("[2001:db8:1234:5678:11:2233:4455:6677]:32853"))
        #expect(STUNMessage.hasValidIntegrity(bytes, key: Self.password))
        #expect(STUNMessage.hasValidFingerprint(bytes))
    }

    @Test("§2.4: the sample request with long-term credentials is read, verified and written byte for byte")
    func longTermCredentials() throws {
        let bytes = Self.longTermRequest
        let message = try STUNMessage(bytes)
        #expect(message.username == "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}")
        #expect(message.nonce == "f//499k954d6OL34oL9FSTvy64sA")
        #expect(message.realm == "example.org")
        // "TheMatrIX" is the password after SASLprep, which this codec leaves to the operator.
        let key = LongTermCredential.key(
            username: "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}", realm: "example.org", password: "TheMatrIX")
        #expect(STUNMessage.hasValidIntegrity(bytes, key: key))
        #expect(!message.carriesFingerprint)
        #expect(message.encoded(key: key) == bytes)
    }

    @Test("one flipped bit anywhere in a vector makes it fail")
    func flippedBits() {
        for index in Self.request.indices {
            var bytes = Self.request
            bytes[index] ^= 1
            let isWhole =
                STUNMessage.hasValidIntegrity(bytes, key: Self.password)
                && STUNMessage.hasValidFingerprint(bytes)
            #expect(!isWhole, "byte \(index)")
        }
    }
}
