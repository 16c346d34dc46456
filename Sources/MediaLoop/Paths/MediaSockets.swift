internal import Core
internal import Networking
internal import TURNClient
internal import TURNServer

/// The sockets of one configuration, bound before the loop's thread starts, so that a port in use stops the start with its name.
struct MediaSockets: Sendable {
    var front: UDPSocket?
    var listener: TCPListener?
    var relayMedia: UDPSocket?
    var direct: UDPSocket?
    var external: UDPSocket?

    init(_ connectivity: ConnectivityConfiguration) throws(SocketError) {
        let bind = connectivity.bindAddress
        if connectivity.offersRelay {
            switch connectivity.relay {
            case .embedded(let relay):
                front = try UDPSocket(binding: SocketAddress(bind, relay.port))
                var limits = TCPListener.Limits()
                limits.connections = relay.streamConnections
                limits.connectionsPerAddress = relay.streamConnections
                listener = try TCPListener(binding: SocketAddress(bind, relay.port), limits: limits)
                relayMedia = try UDPSocket(binding: SocketAddress(bind, connectivity.mediaPort))
            case .external(let relay):
                if !relay.usesTCP { external = try UDPSocket(binding: SocketAddress(bind, relay.localPort)) }
            }
        }
        if connectivity.offersDirect {
            direct = try UDPSocket(binding: SocketAddress(bind, connectivity.directPort))
        }
    }

    /// Every socket by the name that metrics and logs use.
    var named: [(String, UDPSocket)] {
        [("turn", front), ("relay", relayMedia), ("direct", direct), ("external", external)].compactMap {
            name, socket in
            socket.map { (name, $0) }
        }
    }
}
