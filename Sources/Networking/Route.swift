internal import CLinux
package import Core
internal import Glibc

/// Asks the kernel's routing table; nothing is sent.
package enum Route {
    /// Whether a datagram to `ip` has somewhere to go: connecting a UDP socket fails where no route leads there.
    package static func exists(to ip: IPAddress) -> Bool {
        source(to: ip) != nil
    }

    /// The address of ours that datagrams to `ip` leave from; nil where no route leads there.
    package static func source(to ip: IPAddress) -> IPAddress? {
        let any: IPAddress = ip.isIPv4 ? .anyV4 : .anyV6
        let descriptor = clinux_udp_socket(SocketAddress(any, 0).endpoint, 0, 0, false)
        guard descriptor >= 0 else { return nil }
        defer { clinux_close(descriptor) }
        guard isConnected(descriptor, to: ip) else { return nil }
        var endpoint = clinux_endpoint()
        guard unsafe clinux_local_endpoint(descriptor, &endpoint) >= 0 else { return nil }
        return SocketAddress(endpoint).ip.unmapped
    }

    private static func isConnected(_ descriptor: Int32, to ip: IPAddress) -> Bool {
        // Port 9 is `discard`; any would do.
        switch ip {
        case .v4(let value):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(9).bigEndian
            address.sin_addr.s_addr = value.bigEndian
            return unsafe withUnsafeBytes(of: &address) { bytes in
                unsafe connect(
                    descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
            }
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = UInt16(9).bigEndian
            unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { unsafe $0.copyBytes(from: ip.bytes) }
            return unsafe withUnsafeBytes(of: &address) { bytes in
                unsafe connect(
                    descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count)) == 0
            }
        }
    }
}
