import Core
import Testing

@testable import MediaLoop

@Suite struct RemoteCandidatePolicyTests {
    private func policy(own: [String], route: Bool = true) -> RemoteCandidatePolicy {
        RemoteCandidatePolicy(ownAddresses: own.compactMap { IPAddress($0) }, hasRoute: { _ in route })
    }

    private func accepts(_ policy: RemoteCandidatePolicy, _ text: String) throws -> Bool {
        policy.accepts(try #require(IPAddress(text)))
    }

    @Test(
        "An address that no datagram should go to is refused, however far the server itself reaches",
        arguments: [
            "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "169.254.169.254",
            "::",
            "ff02::1", "fe80::1", "::ffff:224.0.0.1", "::ffff:169.254.169.254",
        ])
    func refused(text: String) throws {
        for own in ["127.0.0.1", "10.0.0.1", "8.8.8.8"] {
            #expect(try !accepts(policy(own: [own]), text))
        }
    }

    @Test("A public server sends neither to its own host nor into private networks")
    func publicServer() throws {
        let policy = policy(own: ["198.18.0.1"])
        for text in [
            "127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1",
        ] {
            #expect(try !accepts(policy, text), "\(text)")
        }
        #expect(try accepts(policy, "8.8.8.8") && accepts(policy, "2a00:1450::1"))
    }

    @Test("A server on a private network reaches that, and the world, but not its own host")
    func privateServer() throws {
        let policy = policy(own: ["192.168.1.2"])
        #expect(try accepts(policy, "192.168.7.7") && accepts(policy, "8.8.8.8"))
        #expect(try !accepts(policy, "127.0.0.1"))
    }

    @Test("A server on loopback sends nothing beyond it")
    func loopbackServer() throws {
        let policy = policy(own: ["127.0.0.1"])
        #expect(try accepts(policy, "127.0.0.1") && accepts(policy, "127.0.0.2"))
        #expect(try !accepts(policy, "192.168.7.7") && !accepts(policy, "8.8.8.8"))
    }

    @Test("The documentation nets are addresses like others: laboratories use them")
    func documentationNets() throws {
        #expect(
            try accepts(policy(own: ["192.0.2.2"]), "192.0.2.2") && accepts(policy(own: ["8.8.8.8"]), "203.0.113.9"))
    }

    @Test("An address without a route is refused: sending there can end a shared allocation")
    func unroutable() throws {
        #expect(try !accepts(policy(own: ["8.8.8.8"], route: false), "1.1.1.1"))
    }

    @Test("Port 0 is refused")
    func port() {
        let policy = policy(own: ["127.0.0.1"])
        #expect(!policy.accepts(SocketAddress(.loopbackV4, 0)))
        #expect(policy.accepts(SocketAddress(.loopbackV4, 1)))
    }
}
