package import Core
internal import Glibc

/// One address of one of this machine's network interfaces.
package struct NetworkInterface: Hashable, Sendable {
    package var name: String
    package var ip: IPAddress
    /// Leading bits of ``ip`` that its subnet shares.
    package var prefixLength: Int

    package init(name: String, ip: IPAddress, prefixLength: Int) {
        self.name = name
        self.ip = ip
        self.prefixLength = prefixLength
    }

    /// Whether `other` is a neighbour: of the same family, and in the same subnet.
    package func isNeighbour(_ other: IPAddress) -> Bool {
        let (own, theirs) = (ip.bytes, other.unmapped.bytes)
        guard own.count == theirs.count, prefixLength > 0 else { return false }
        let bits = min(prefixLength, own.count * 8)
        let whole = bits / 8
        guard own[..<whole] == theirs[..<whole] else { return false }
        guard bits % 8 != 0 else { return true }
        let mask = UInt8.max << UInt8(8 - bits % 8)
        return own[whole] & mask == theirs[whole] & mask
    }

    /// Every address of every interface that is up, in the kernel's order; empty where the kernel does not say.
    package static func all() -> [NetworkInterface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return [] }
        defer { unsafe freeifaddrs(first) }
        var found: [NetworkInterface] = []
        var next = unsafe first
        while let interface = unsafe next {
            unsafe next = interface.pointee.ifa_next
            let flags = unsafe Int32(truncatingIfNeeded: interface.pointee.ifa_flags)
            guard flags & Int32(IFF_UP) != 0, let ip = unsafe address(interface.pointee.ifa_addr) else { continue }
            let mask = unsafe address(interface.pointee.ifa_netmask)
            found.append(
                NetworkInterface(
                    name: unsafe String(cString: interface.pointee.ifa_name), ip: ip,
                    prefixLength: mask?.bytes.reduce(0) { $0 + $1.nonzeroBitCount } ?? ip.bytes.count * 8))
        }
        return found
    }

    private static func address(_ address: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
        guard let address = unsafe address else { return nil }
        switch unsafe Int32(address.pointee.sa_family) {
        case AF_INET:
            let raw = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
            return .v4(UInt32(bigEndian: raw.sin_addr.s_addr))
        case AF_INET6:
            var raw = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self)
            return IPAddress(bytes: unsafe withUnsafeBytes(of: &raw.sin6_addr) { unsafe [UInt8]($0) })
        default: return nil
        }
    }
}
