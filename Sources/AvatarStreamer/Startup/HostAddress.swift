internal import Core
internal import Glibc

/// Which address is meant where a name, or `auto`, is configured.
enum HostAddress {
    /// This machine's first IPv4 address that is not loopback; 127.0.0.1 where it has no other.
    static func own() -> IPAddress {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return .loopbackV4 }
        defer { unsafe freeifaddrs(first) }
        var next = unsafe first
        while let interface = unsafe next {
            unsafe next = interface.pointee.ifa_next
            let flags = unsafe Int32(truncatingIfNeeded: interface.pointee.ifa_flags)
            guard flags & Int32(IFF_UP) != 0, let address = unsafe interface.pointee.ifa_addr,
                let found = unsafe ip(address), found.isIPv4, !found.isLoopback, !found.isLinkLocal
            else { continue }
            return found
        }
        return .loopbackV4
    }

    /// The first address of a name; addresses stand for themselves. Blocks while the resolver asks.
    static func resolve(_ host: String) -> IPAddress? {
        if let address = IPAddress(host) { return address }
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_INET
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, &hints, &list) == 0 else { return nil }
        defer { unsafe freeaddrinfo(list) }
        guard let address = unsafe list?.pointee.ai_addr else { return nil }
        return unsafe ip(address)
    }

    private static func ip(_ address: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        guard unsafe Int32(address.pointee.sa_family) == AF_INET else { return nil }
        let raw = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
        return .v4(UInt32(bigEndian: raw.sin_addr.s_addr))
    }
}
