import Core

/// A NAT of one of the four kinds that RFC 3489 named, in the terms of RFC 4787.
public struct VirtualNAT {
    package enum Behaviour: CaseIterable, Sendable {
        /// Endpoint-independent mapping and filtering.
        case fullCone
        /// Endpoint-independent mapping, address-dependent filtering.
        case addressRestricted
        /// Endpoint-independent mapping, address- and port-dependent filtering.
        case portRestricted
        /// Address- and port-dependent mapping and filtering.
        case symmetric
    }

    private struct Mapping {
        let inner: SocketAddress
        /// Set for ``Behaviour/symmetric`` alone.
        let only: SocketAddress?
        let port: UInt16
        var contacted: Set<SocketAddress> = []
    }

    package let behaviour: Behaviour
    package let address: IPAddress
    private var mappings: [Mapping] = []
    private var nextPort: UInt16 = 20_000

    init(behaviour: Behaviour, address: IPAddress) {
        self.behaviour = behaviour
        self.address = address
    }

    mutating func reboot() {
        mappings = []
    }

    mutating func outbound(from inner: SocketAddress, to remote: SocketAddress) -> SocketAddress {
        let only = behaviour == .symmetric ? remote : nil
        let index: Int
        if let known = mappings.firstIndex(where: { $0.inner == inner && $0.only == only }) {
            index = known
        } else {
            index = mappings.count
            mappings.append(Mapping(inner: inner, only: only, port: nextPort))
            nextPort += 1
        }
        mappings[index].contacted.insert(remote)
        return SocketAddress(address, mappings[index].port)
    }

    func inbound(from remote: SocketAddress, to port: UInt16) -> SocketAddress? {
        guard let mapping = mappings.first(where: { $0.port == port }) else { return nil }
        let passes =
            switch behaviour {
            case .fullCone: true
            case .addressRestricted: mapping.contacted.contains { $0.ip == remote.ip }
            case .portRestricted, .symmetric: mapping.contacted.contains(remote)
            }
        return passes ? mapping.inner : nil
    }
}
