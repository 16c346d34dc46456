package import Core
package import Networking

/// Which of this machine's addresses a peer that we call can reach us at.
///
/// We know the peer's own address, since we spoke HTTP to it: so only the way to it counts. Container bridges, link-local
/// addresses and other subnets lead elsewhere, and each of them costs the peer a check. A robot's offer may hold few.
package enum CallAddresses {
    /// The address that the kernel sends from comes first, then those in the peer's own subnet.
    ///
    /// A peer on loopback gets a loopback address, and no other does.
    /// - Parameters:
    ///   - interfaces: this machine's, as ``NetworkInterface/all()`` lists them.
    ///   - source: the address that the kernel would send from (``Route/source(to:)``).
    ///   - name: the one interface that may be used; nil: any.
    package static func reachable(
        from peer: IPAddress, interfaces: [NetworkInterface], source: IPAddress?, onlyOn name: String? = nil,
        limit: Int
    ) -> [IPAddress] {
        let peer = peer.unmapped
        let usable = interfaces.filter { interface in
            guard name == nil || interface.name == name else { return false }
            guard interface.ip.isIPv4 == peer.isIPv4, interface.ip.isLoopback == peer.isLoopback else { return false }
            // A robot on a direct cable may have no other address than a link-local one; then ours is of use too. Without
            // the interface's number an IPv6 one cannot be bound.
            return !interface.ip.isLinkLocal || peer.isLinkLocal && peer.isIPv4
        }
        var addresses: [IPAddress] = []
        if let source, usable.contains(where: { $0.ip == source }) { addresses.append(source) }
        for interface in usable where interface.isNeighbour(peer) && !addresses.contains(interface.ip) {
            addresses.append(interface.ip)
        }
        // The interface was named, so it is wanted, whatever the routing table says.
        if addresses.isEmpty, name != nil { addresses = usable.map(\.ip) }
        return Array(addresses.prefix(max(0, limit)))
    }
}
