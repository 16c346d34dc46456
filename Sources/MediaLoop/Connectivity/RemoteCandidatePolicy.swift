package import Core

/// Which addresses of a viewer's candidates are worth a check, and safe to send to.
///
/// A viewer names the addresses itself, so they may be anything: unroutable ones (which make coturn 4.6 end the whole allocation),
/// the operator's private network, or somebody else's machine.
package struct RemoteCandidatePolicy: Sendable {
    /// How far the server's own addresses reach; a candidate may not point further inward than they do.
    package enum Scope: Int, Comparable, Sendable {
        case loopback, privateNetwork, global

        package static func < (left: Scope, right: Scope) -> Bool { left.rawValue < right.rawValue }

        package init(_ ip: IPAddress) {
            if ip.isLoopback {
                self = .loopback
            } else if ip.isPrivate || ip.isLinkLocal {
                self = .privateNetwork
            } else {
                self = .global
            }
        }
    }

    /// The innermost scope that candidates may have.
    package let innermost: Scope
    /// Asks the kernel whether an address has a route; a datagram is not sent.
    private let hasRoute: @Sendable (IPAddress) -> Bool

    package init(ownAddresses: [IPAddress], hasRoute: @escaping @Sendable (IPAddress) -> Bool) {
        self.innermost = ownAddresses.map(Scope.init).min() ?? .global
        self.hasRoute = hasRoute
    }

    package func accepts(_ ip: IPAddress) -> Bool {
        let ip = ip.unmapped
        guard !ip.isUnspecified, !ip.isMulticast, !ip.isReserved, !ip.isLinkLocal else { return false }
        // A server that is reached on loopback alone has nothing to send beyond it, whatever a viewer names.
        if innermost == .loopback { return ip.isLoopback && hasRoute(ip) }
        return Scope(ip) >= innermost && hasRoute(ip)
    }

    package func accepts(_ address: SocketAddress) -> Bool {
        address.port != 0 && accepts(address.ip)
    }
}
