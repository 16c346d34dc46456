import Core
import TURNClient
import Testing

@testable import TURNServer

@Suite("Authentication")
struct AuthenticationTests {
    @Test("a request without credentials is challenged with realm and nonce, and no integrity")
    func challenge() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        let answer = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(answer?.code == 401)
        #expect(answer?.message.realm == "avatar")
        #expect(answer?.message.nonce?.isEmpty == false)
        #expect(answer?.isSigned == false)
        #expect(relay.server.counters.challenged == 1)
        #expect(relay.server.allocationCount == 0)
    }

    @Test("with the credential the second Allocate succeeds, and its answer is signed")
    func success() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        let answer = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(answer?.isSuccess == true)
        #expect(answer?.isSigned == true)
        #expect(answer?.message.lifetime == .seconds(600))
        #expect(answer?.message.xorMappedAddress == client.path.address)
        #expect(answer?.message.xorRelayedAddress?.ip == RelayUnderTest.media.ip)
    }

    @Test("a client on a dual-stack socket is told its IPv4 address")
    func mappedAddress() throws {
        var relay = RelayUnderTest()
        var client = RelayClient(ip: .v6(high: 0, low: 0xFFFF_0A00_0001))
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        let answer = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(answer?.message.xorMappedAddress == SocketAddress(.v4(0x0A00_0001), 40_000))
    }

    @Test("a wrong password is 401, counted apart from the first challenge")
    func wrongPassword() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        client.password = "guess"
        _ = try client.request(.allocate, RelayClient.udp, &relay)
        #expect(try client.request(.allocate, RelayClient.udp, &relay)?.code == 401)
        #expect(relay.server.counters.refusedCredential == 1)
        #expect(relay.server.allocationCount == 0)
    }

    @Test("an expired credential is 401")
    func expiredCredential() throws {
        var relay = RelayUnderTest()
        var client = RelayClient(validFor: 10)
        relay.advance(by: .seconds(11))
        #expect(try client.allocate(&relay) == nil)
        #expect(relay.server.counters.refusedCredential == 1)
    }

    @Test("the holder of an allocation may outlive its credential")
    func outlivedCredential() throws {
        var relay = RelayUnderTest()
        var client = RelayClient(validFor: 10)
        #expect(try client.allocate(&relay) != nil)
        relay.advance(by: .seconds(300))
        #expect(try client.request(.refresh, [], &relay)?.isSuccess == true)
        #expect(try client.bind(0x4000, RelayUnderTest.media, &relay) == 0)
    }

    @Test(
        "usernames that name no time are 401",
        arguments: [
            "", "viewer", ":viewer", "-5:viewer", "18000000001234:v", "99999999999999999999999:v", "1800009999",
        ]
    )
    func malformedUsername(username: String) throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        client.username = username
        client.password = ExpiringCredential.password(secret: RelayUnderTest.secret, username: username)
        #expect(try client.allocate(&relay) == nil)
        #expect(relay.server.counters.refusedCredential == 1)
    }

    @Test("integrity without username, realm or nonce is 400")
    func incompleteCredential() throws {
        for missing in [0, 1, 2] {
            var relay = RelayUnderTest()
            let client = RelayClient()
            var attributes: [STUNAttribute] = [.username(client.username), .realm("avatar"), .nonce("n")]
            attributes.remove(at: missing)
            let message = STUNMessage.request(
                .allocate, transactionID: relay.transactionID(), attributes: RelayClient.udp + attributes)
            let answer = relay.answer(to: message.encoded(key: client.key), from: client.path)
            let reply = try #require(answer)
            #expect(try STUNMessage(reply.span).errorCode?.code == 400)
        }
    }

    @Test("the password is base64 of HMAC-SHA1 over the username")
    func credential() {
        let issued = TURNServer.credential(
            secret: Array("north".utf8), name: "alice", expires: WallTime(secondsSince1970: 1_433_895_918))
        #expect(issued.username == "1433895918:alice")
        let code = MessageDigest.sha1.authenticate(Array("1433895918:alice".utf8), key: Array("north".utf8))
        #expect(Base64.decode(issued.password) == code)
        #expect(code.count == 20)
    }
}

@Suite("Nonces")
struct NonceTests {
    let path = TURNClientPath.udp(SocketAddress(.loopbackV4, 5_000))
    let start = Instant(nanoseconds: 5_000_000_000)

    @Test("a nonce is fresh for at least an hour, then stale, and foreign elsewhere")
    func lifetime() {
        let issuer = NonceIssuer(lifetime: .seconds(1), random: .seeded(3))
        let nonce = issuer.nonce(for: path, now: start)
        #expect(nonce.utf8.count == 16)
        #expect(issuer.verdict(on: nonce, for: path, now: start + .seconds(3_599)) == .fresh)
        #expect(issuer.verdict(on: nonce, for: path, now: start + .seconds(3_600)) == .stale)
        let other = TURNClientPath.udp(SocketAddress(.loopbackV4, 5_001))
        #expect(issuer.verdict(on: nonce, for: other, now: start) == .foreign)
        let connection = TURNClientPath.tcp(connection: 0, SocketAddress(.loopbackV4, 5_000))
        #expect(issuer.verdict(on: nonce, for: connection, now: start) == .foreign)
        let restarted = NonceIssuer(lifetime: .seconds(1), random: .seeded(4))
        #expect(restarted.verdict(on: nonce, for: path, now: start) == .foreign)
    }

    @Test("texts that were never issued are foreign", arguments: ["", "short", "AAAAAAAAAAAAAAAA", "ÄÖÜÄÖÜÄÖ"])
    func garbage(text: String) {
        let issuer = NonceIssuer(lifetime: .seconds(3_600), random: .seeded(3))
        #expect(issuer.verdict(on: text, for: path, now: start) == .foreign)
    }

    @Test("a stale nonce is 438 with a new one, on each method, and the repeated request succeeds")
    func staleNonce() throws {
        var relay = RelayUnderTest { $0.lifetimes.allocation = .seconds(3_600) }
        var client = RelayClient()
        #expect(try client.allocate(&relay, RelayClient.udp + [.lifetime(.seconds(3_600))]) != nil)
        let peer = STUNAttribute.xorPeerAddress(RelayUnderTest.media)
        let requests: [(STUNMessage.Method, [STUNAttribute])] = [
            (.refresh, [.lifetime(.seconds(3_600))]), (.createPermission, [peer]),
            (.channelBind, [.channelNumber(0x4001), peer]),
        ]
        relay.advance(by: .seconds(3_599))
        #expect(try client.request(.refresh, [.lifetime(.seconds(3_600))], &relay)?.isSuccess == true)
        let old = client.nonce
        relay.advance(by: .seconds(2))
        for (method, attributes) in requests {
            client.nonce = old
            #expect(try client.request(method, attributes, &relay)?.code == 438)
            #expect(client.nonce != old)
            #expect(try client.request(method, attributes, &relay)?.isSuccess == true)
        }
        #expect(relay.server.counters.refusedStaleNonce == 3)
    }

    @Test("the closing Refresh is accepted with a stale nonce, for browsers do not repeat it")
    func closingRefresh() throws {
        var relay = RelayUnderTest { $0.lifetimes.allocation = .seconds(3_600) }
        var client = RelayClient()
        _ = try client.allocate(&relay)
        relay.advance(by: .seconds(3_590))
        _ = try client.request(.refresh, [], &relay)
        relay.advance(by: .seconds(20))
        let answer = try client.request(.refresh, [.lifetime(.zero)], &relay)
        #expect(answer?.isSuccess == true)
        #expect(relay.server.allocationCount == 0)
    }

    @Test("a closing Refresh with a nonce of another path is not accepted")
    func foreignClosingRefresh() throws {
        var relay = RelayUnderTest()
        var client = RelayClient()
        var other = RelayClient(port: 40_001)
        _ = try client.allocate(&relay)
        _ = try other.allocate(&relay)
        client.nonce = other.nonce
        #expect(try client.request(.refresh, [.lifetime(.zero)], &relay)?.code == 438)
        #expect(relay.server.allocationCount == 2)
    }
}
