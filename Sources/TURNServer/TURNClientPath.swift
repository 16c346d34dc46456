package import Core

/// How a client reaches the relay: the client's half of TURN's 5-tuple. The server's half is always our one port.
///
/// - SeeAlso: [RFC 8656 §3.2](https://www.rfc-editor.org/rfc/rfc8656#section-3.2)
package struct TURNClientPath: Hashable, Sendable {
    package enum Transport: Hashable, Sendable {
        case udp(SocketAddress)
        /// `connection` is unique for the life of the process: an address and port may come back, a connection does not.
        case tcp(connection: UInt64, SocketAddress)
    }

    package let transport: Transport

    package init(_ transport: Transport) {
        self.transport = transport
    }

    package static func udp(_ address: SocketAddress) -> TURNClientPath {
        TURNClientPath(.udp(address))
    }

    package static func tcp(connection: UInt64, _ address: SocketAddress) -> TURNClientPath {
        TURNClientPath(.tcp(connection: connection, address))
    }

    /// The client as this server sees it: behind a NAT or a tunnel, the address of that.
    package var address: SocketAddress {
        switch transport {
        case .udp(let address), .tcp(_, let address): address
        }
    }

    /// Streams pad ChannelData to four bytes, datagrams do not
    /// ([RFC 8656 §12.5](https://www.rfc-editor.org/rfc/rfc8656#section-12.5)).
    package var isStream: Bool {
        switch transport {
        case .udp: false
        case .tcp: true
        }
    }
}
