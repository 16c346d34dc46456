internal import Glibc

/// An IPv4 or IPv6 address as a plain value.
package enum IPAddress: Hashable, Sendable {
    /// Host byte order: 127.0.0.1 is `0x7F000001`.
    case v4(UInt32)
    case v6(high: UInt64, low: UInt64)

    package static let loopbackV4 = IPAddress.v4(0x7F00_0001)
    package static let anyV4 = IPAddress.v4(0)
    package static let anyV6 = IPAddress.v6(high: 0, low: 0)

    /// Parses dotted-quad or RFC 4291 text; nil for anything else (names, zones, brackets).
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        var v4 = in_addr()
        if unsafe inet_pton(AF_INET, text, &v4) == 1 {
            self = .v4(UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let bytes = unsafe withUnsafeBytes(of: &v6) { unsafe [UInt8]($0) }
        self.init(bytes: bytes)!
    }

    /// 4 or 16 bytes in network order; nil for another count.
    package init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self = .v4(bytes.span.uint32(at: 0))
        case 16:
            let span = bytes.span
            self = .v6(
                high: UInt64(span.uint32(at: 0)) << 32 | UInt64(span.uint32(at: 4)),
                low: UInt64(span.uint32(at: 8)) << 32 | UInt64(span.uint32(at: 12)))
        default: return nil
        }
    }

    /// 4 or 16 bytes in network order.
    package var bytes: [UInt8] {
        var writer = ByteWriter(reservingCapacity: 16)
        switch self {
        case .v4(let value): writer.write(value)
        case .v6(let high, let low):
            writer.write(high)
            writer.write(low)
        }
        return writer.bytes
    }

    package var isIPv4: Bool {
        if case .v4 = self { return true }
        return false
    }

    /// An IPv4 address where this is its IPv4-mapped IPv6 form (`::ffff:a.b.c.d`); else itself.
    package var unmapped: IPAddress {
        if case .v6(0, let low) = self, low >> 32 == 0xFFFF { return .v4(UInt32(truncatingIfNeeded: low)) }
        return self
    }

    package var isUnspecified: Bool {
        self == .anyV4 || self == .anyV6
    }

    package var isLoopback: Bool {
        switch unmapped {
        case .v4(let value): value >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    package var isMulticast: Bool {
        switch unmapped {
        case .v4(let value): value >> 28 == 0xE
        case .v6(let high, _): high >> 56 == 0xFF
        }
    }

    package var isLinkLocal: Bool {
        switch unmapped {
        case .v4(let value): value >> 16 == 0xA9FE
        case .v6(let high, _): high >> 54 == 0x3FA
        }
    }

    /// RFC 1918, RFC 6598 (carrier NAT) and RFC 4193 addresses.
    package var isPrivate: Bool {
        switch unmapped {
        case .v4(let value):
            value >> 24 == 10 || value >> 20 == 0xAC1 || value >> 16 == 0xC0A8 || value >> 22 == 0x191
        case .v6(let high, _): high >> 57 == 0x7E
        }
    }

    /// 0/8, 240/4 and 255.255.255.255: addresses that no datagram can be sent to. The documentation nets are not among them:
    /// laboratories use them, and the routing table knows where they lead.
    package var isReserved: Bool {
        switch unmapped {
        case .v4(let value): value >> 24 == 0 || value >> 28 == 0xF
        case .v6(let high, let low): high == 0 && low == 0
        }
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .v4(let value): "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
        case .v6:
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
                unsafe bytes.withUnsafeBytes { raw in
                    unsafe _ = inet_ntop(AF_INET6, raw.baseAddress!, buffer.baseAddress!, socklen_t(INET6_ADDRSTRLEN))
                }
                return unsafe String(cString: buffer.baseAddress!)
            }
        }
    }
}

/// An address and a port.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    package var ip: IPAddress
    package var port: UInt16

    package init(_ ip: IPAddress, _ port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// Parses `1.2.3.4:5` or `[::1]:5`.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let ip = IPAddress(host) else { return nil }
        self.init(ip, port)
    }

    package var description: String {
        ip.isIPv4 ? "\(ip):\(port)" : "[\(ip)]:\(port)"
    }
}
