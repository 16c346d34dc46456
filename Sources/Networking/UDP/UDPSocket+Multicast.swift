internal import CLinux
package import Core
internal import Synchronization

extension UDPSocket {
    /// Sends one datagram to an IPv4 group through the interface of that name; it goes no further than its network.
    @discardableResult
    package func send(_ bytes: [UInt8], to group: SocketAddress, through interface: String) -> SendOutcome {
        let code = unsafe clinux_send_multicasts_through(descriptor, interface)
        guard code >= 0 else {
            refused.wrappingAdd(1, ordering: .relaxed)
            return .refused(errno: -code)
        }
        return send(bytes, to: group)
    }

    /// Receives what is sent to an IPv4 group on the interface of that name.
    package func join(_ group: IPAddress, on interface: String) throws(SocketError) {
        let code = unsafe clinux_join_group(descriptor, SocketAddress(group, 0).endpoint, interface)
        guard code >= 0 else { throw SocketError(returned: code, place: "join \(group) on \(interface)") }
    }
}
