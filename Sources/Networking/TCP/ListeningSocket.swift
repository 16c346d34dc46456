internal import CLinux
package import Core
internal import Glibc

/// A bound TCP socket that listens; made on any thread, so that a start-up can fail in place.
///
/// For code that has its own loop (libwebsockets); everything else uses ``TCPListener``.
package final class ListeningSocket: Sendable {
    package enum Accepted: Equatable, Sendable {
        /// Non-blocking, with TCP_NODELAY; the caller owns the descriptor.
        case connection(descriptor: Int32, remote: SocketAddress)
        /// Nobody waits.
        case none
        /// The process or the machine has no descriptors left: look away for a moment.
        case noDescriptors
    }

    /// The address that was bound, with the port that the kernel chose where 0 was asked for.
    package let localAddress: SocketAddress
    package let descriptor: Int32

    package init(binding address: SocketAddress, backlog: Int32 = 256) throws(SocketError) {
        let descriptor = clinux_tcp_listen(address.endpoint, backlog)
        guard descriptor >= 0 else {
            throw SocketError(
                returned: descriptor, place: "listen tcp \(address)", holder: PortOwner.describe(address.port, .tcp))
        }
        self.descriptor = descriptor
        var endpoint = clinux_endpoint()
        _ = unsafe clinux_local_endpoint(descriptor, &endpoint)
        localAddress = SocketAddress(address.ip, endpoint.port)
    }

    deinit {
        clinux_close(descriptor)
    }

    package func accept() -> Accepted {
        var remote = clinux_endpoint()
        let accepted = unsafe clinux_tcp_accept(descriptor, &remote)
        if accepted >= 0 { return .connection(descriptor: accepted, remote: SocketAddress(remote)) }
        return accepted == -EMFILE || accepted == -ENFILE ? .noDescriptors : .none
    }
}
