package import Core
internal import TURNServer

/// How viewers reach this server: the one object that the server's own ICE agent and `/api/webrtc/config` derive from.
package struct ConnectivityConfiguration: Sendable {
    /// What the server offers to a viewer.
    package enum Mode: String, Sendable, CaseIterable {
        /// One `typ relay` candidate; browsers are told to use relay candidates only.
        case relay
        /// One candidate on a multiplexed port of the range, with the public address.
        case direct
        /// Both.
        case all
    }

    /// Who relays.
    package enum Relay: Sendable {
        /// A TURN server in this process whose only permitted peer is this server.
        case embedded(EmbeddedRelay)
        /// The operator's TURN server (coturn), where this server holds one allocation for all viewers.
        case external(ExternalRelay)
    }

    package struct EmbeddedRelay: Sendable {
        /// UDP and TCP port of the TURN server.
        package var port: UInt16 = 10110
        package var realm: String = "avatar-streamer"
        /// The secret that expiring credentials are made with; at least 16 bytes.
        package var sharedSecret: [UInt8]
        /// Allocations that one credential may hold.
        package var allocationsPerCredential: Int = 12
        /// Allocations that one source address may hold (behind a tunnel all viewers share one).
        package var allocationsPerAddress: Int = 4096
        /// TCP connections at most, and from one address at most.
        package var streamConnections: Int = 1024

        package init(sharedSecret: [UInt8]) {
            self.sharedSecret = sharedSecret
        }
    }

    package struct ExternalRelay: Sendable {
        package enum Credentials: Sendable {
            case fixed(username: String, password: String)
            /// coturn's `static-auth-secret`: expiring credentials are made per viewer.
            case sharedSecret([UInt8])
        }
        /// What browsers are told, `turn:HOST:10110`.
        package var urls: [String]
        /// Where this server itself reaches the TURN server (it may be closer than browsers are).
        package var serverAddress: SocketAddress
        package var usesTCP: Bool = false
        package var credentials: Credentials
        /// The local UDP port that the allocation is made from; fixed, so that it can be won back after a crash.
        package var localPort: UInt16 = 10116
        /// Where the allocation is remembered; nil keeps nothing.
        package var stateFile: String?

        package init(urls: [String], serverAddress: SocketAddress, credentials: Credentials) {
            self.urls = urls
            self.serverAddress = serverAddress
            self.credentials = credentials
        }
    }

    package var mode: Mode = .relay
    package var relay: Relay
    /// The address that the world sees.
    package var publicAddress: IPAddress
    /// The name or address that browsers are told for the embedded relay; the public address unless set.
    package var publicHost: String?
    /// The local address that sockets bind to.
    package var bindAddress: IPAddress = .anyV4
    package var portRange: ClosedRange<UInt16> = 10110...10115
    /// A STUN server that browsers are told, `stun:HOST:PORT`; none unless set.
    package var stunServer: String?
    /// How long credentials handed to browsers are valid.
    package var credentialLifetime: Duration = .seconds(3600)

    package init(relay: Relay, publicAddress: IPAddress) {
        self.relay = relay
        self.publicAddress = publicAddress
    }

    /// The port of the socket behind the embedded relay's one candidate; the first after the TURN port.
    package var mediaPort: UInt16 {
        portRange.lowerBound < portRange.upperBound ? portRange.lowerBound + 1 : portRange.lowerBound
    }

    /// The port of the direct candidate. In mode `all` it differs from ``mediaPort``, so that both candidates are told apart.
    package var directPort: UInt16 { mode == .all ? min(mediaPort + 1, portRange.upperBound) : mediaPort }

    package var offersRelay: Bool { mode != .direct }
    package var offersDirect: Bool { mode != .relay }
}

/// What `/api/webrtc/config` tells a browser. Field names are the former service's.
package struct BrowserICEConfiguration: Hashable, Sendable {
    package struct Server: Hashable, Sendable {
        package var urls: [String]
        package var username: String?
        package var credential: String?
    }
    package var iceServers: [Server]
    /// `relay` or `all`.
    package var iceTransportPolicy: String
    package var publicIp: String
    package var portRange: ClosedRange<UInt16>
}

extension ConnectivityConfiguration {
    /// The browser's half of this configuration, with credentials made for `name` that expire after ``credentialLifetime``.
    package func browserConfiguration(now: WallTime, name: String) -> BrowserICEConfiguration {
        var servers: [BrowserICEConfiguration.Server] = []
        if let stunServer { servers.append(.init(urls: [stunServer])) }
        if offersRelay {
            switch relay {
            case .embedded(let embedded):
                let host = publicHost ?? (publicAddress.isIPv4 ? "\(publicAddress)" : "[\(publicAddress)]")
                let credential = TURNServer.credential(
                    secret: embedded.sharedSecret, name: name, expires: now + credentialLifetime)
                // UDP only: a second URL would make a browser hold a second allocation. TCP is for who asks for it.
                servers.append(
                    .init(
                        urls: ["turn:\(host):\(embedded.port)"], username: credential.username,
                        credential: credential.password))
            case .external(let external):
                let (username, password) = external.browserCredential(
                    expires: now + credentialLifetime, name: name)
                servers.append(.init(urls: external.urls, username: username, credential: password))
            }
        }
        return BrowserICEConfiguration(
            iceServers: servers, iceTransportPolicy: mode == .relay ? "relay" : "all",
            publicIp: "\(publicAddress)", portRange: portRange)
    }
}

extension ConnectivityConfiguration.ExternalRelay {
    func browserCredential(expires: WallTime, name: String) -> (username: String, password: String) {
        switch credentials {
        case .fixed(let username, let password): (username, password)
        case .sharedSecret(let secret): TURNServer.credential(secret: secret, name: name, expires: expires)
        }
    }

    /// What this server itself allocates with. An allocation belongs to the user name that made it, so a restarted server
    /// goes on with its former one while that is valid.
    func ownCredential(now: WallTime, former: String?) -> (username: String, password: String) {
        guard case .sharedSecret(let secret) = credentials else { return browserCredential(expires: now, name: "") }
        if let former, let digits = former.split(separator: ":").first, let expiry = Int64(digits),
            expiry > now.secondsSince1970 + 86_400
        {
            let password = MessageDigest.sha1.authenticate(Array(former.utf8), key: secret)
            return (former, Base64.encode(password))
        }
        return TURNServer.credential(secret: secret, name: "avatar-streamer", expires: now + .seconds(365 * 86_400))
    }
}
