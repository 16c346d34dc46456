import Core
import Networking
import Testing

@testable import MediaLoop

@Suite("Addresses for a call")
struct CallAddressesTests {
    private static func interface(_ name: String, _ ip: String, _ prefixLength: Int) -> NetworkInterface {
        NetworkInterface(name: name, ip: IPAddress(ip) ?? .anyV4, prefixLength: prefixLength)
    }

    private static let interfaces = [
        interface("lo", "127.0.0.1", 8), interface("lo", "::1", 128), interface("eth0", "192.168.123.20", 24),
        interface("wlan0", "192.168.1.20", 24), interface("wlan1", "192.168.1.21", 24),
        interface("docker0", "172.17.0.1", 16), interface("eth1", "169.254.7.7", 16),
        interface("wlan0", "fe80::1", 64), interface("wlan0", "fd00::20", 64),
    ]

    private func reachable(
        from peer: String, source: String?, onlyOn name: String? = nil, limit: Int = 8
    ) throws -> [String] {
        CallAddresses.reachable(
            from: try #require(IPAddress(peer)), interfaces: Self.interfaces, source: source.flatMap { IPAddress($0) },
            onlyOn: name, limit: limit
        ).map(\.description)
    }

    @Test("The address that the kernel sends from comes first, then those in the peer's subnet, and no others")
    func subnet() throws {
        #expect(
            try reachable(from: "192.168.1.50", source: "192.168.1.21") == ["192.168.1.21", "192.168.1.20"])
        #expect(try reachable(from: "192.168.123.161", source: "192.168.123.20") == ["192.168.123.20"])
    }

    @Test("A peer behind a router is called from the one address that leads there")
    func routed() throws {
        #expect(try reachable(from: "10.9.8.7", source: "192.168.1.20") == ["192.168.1.20"])
    }

    @Test("A peer on loopback is called from loopback, and no other peer is")
    func loopback() throws {
        #expect(try reachable(from: "127.0.0.2", source: "127.0.0.1") == ["127.0.0.1"])
        #expect(try reachable(from: "::1", source: "::1") == ["::1"])
        #expect(try reachable(from: "192.168.7.7", source: "127.0.0.1").isEmpty)
    }

    @Test("A link-local address serves a peer that has one itself")
    func linkLocal() throws {
        #expect(try reachable(from: "169.254.9.9", source: "169.254.7.7") == ["169.254.7.7"])
        #expect(try reachable(from: "fe80::9", source: "fe80::1").isEmpty)
        #expect(try reachable(from: "fd00::9", source: "fd00::20") == ["fd00::20"])
    }

    @Test("A named interface is used, and only that")
    func named() throws {
        #expect(
            try reachable(from: "192.168.1.50", source: "192.168.1.21", onlyOn: "wlan0") == ["192.168.1.20"])
        #expect(try reachable(from: "10.9.8.7", source: "192.168.1.20", onlyOn: "eth0") == ["192.168.123.20"])
        #expect(try reachable(from: "10.9.8.7", source: "192.168.1.20", onlyOn: "eth9").isEmpty)
    }

    @Test("No more are named than the limit allows, and none where no way leads to the peer")
    func limits() throws {
        #expect(try reachable(from: "192.168.1.50", source: "192.168.1.21", limit: 1) == ["192.168.1.21"])
        #expect(try reachable(from: "192.168.1.50", source: "192.168.1.21", limit: 0).isEmpty)
        #expect(try reachable(from: "10.9.8.7", source: nil).isEmpty)
    }

    @Test("Neighbours share the leading bits of their subnet")
    func neighbours() throws {
        let odd = Self.interface("eth0", "10.1.64.1", 18)
        #expect(odd.isNeighbour(try #require(IPAddress("10.1.127.255"))))
        #expect(!odd.isNeighbour(try #require(IPAddress("10.1.128.0"))))
        #expect(!odd.isNeighbour(try #require(IPAddress("fd00::1"))))
        #expect(!Self.interface("tun0", "10.1.64.1", 0).isNeighbour(try #require(IPAddress("10.1.64.2"))))
    }

    @Test("This machine has a loopback interface, and a way to it")
    func kernel() {
        #expect(NetworkInterface.all().contains { $0.ip == .loopbackV4 && $0.prefixLength == 8 })
        #expect(Route.source(to: .loopbackV4) == .loopbackV4)
    }
}
