package import Core

extension TURNServer {
    /// What the relay is told once, at its start.
    package struct Configuration: Sendable {
        /// Part of every client's key; keep it short, for it travels in each challenge.
        package var realm: String
        /// Signs the expiring credentials; whoever has it may issue them.
        package var sharedSecret: [UInt8]
        /// The address that all allocations are told. Nothing is bound to it: only this server interprets it.
        package var relayedIP: IPAddress
        /// This server's own media addresses: the only peers that anything is relayed to.
        package var permittedPeers: [SocketAddress]
        /// Ports that no allocation is given, so that a relayed address is never taken for one of ours.
        package var reservedPorts: ClosedRange<UInt16> = 10110...10115
        package var limits = Limits()
        package var lifetimes = Lifetimes()

        package init(realm: String, sharedSecret: [UInt8], relayedIP: IPAddress, permittedPeers: [SocketAddress]) {
            self.realm = realm
            self.sharedSecret = sharedSecret
            self.relayedIP = relayedIP
            self.permittedPeers = permittedPeers
        }
    }

    /// How much a client may hold and ask. Everything beyond is refused or dropped, and counted.
    package struct Limits: Sendable {
        /// Allocations of one credential. A browser may hold two a URL and network interface (`bundlePolicy: balanced`
        /// before the answer), and as many again while ICE restarts; a refusal is final for it.
        package var allocationsPerCredential = 16
        /// Allocations of one client address. Generous, for behind a tunnel every viewer has the tunnel's address.
        package var allocationsPerAddress = 8_192
        /// Allocations in all; at most ``maximumAllocations``.
        package var allocations = 16_384
        /// Requests a second of one address on paths without an allocation, and how many at once.
        package var requestsPerSecondPerAddress = 5_000
        /// Requests a second within one allocation, and how many at once: a browser needs about ten in its first second.
        package var requestsPerSecondPerAllocation = 50
        /// Datagrams a second that one allocation may relay to us.
        package var datagramsPerSecondPerAllocation = 4_000
        /// Client addresses whose rates are followed one by one; the rest share one account.
        package var trackedAddresses = 16_384
        /// Half of the ports, so that a free one is found within a few steps.
        package static let maximumAllocations = 32_768

        package init() {}
    }

    /// How long things last without renewal.
    package struct Lifetimes: Sendable {
        /// The lifetime that a client gets which asks for none or less
        /// ([RFC 8656 §7.2](https://www.rfc-editor.org/rfc/rfc8656#section-7.2): 600 s).
        package var allocation: Duration = .seconds(600)
        /// The longest that a client may ask for (RFC 8656 §7.2 recommends 3600 s).
        package var maximumAllocation: Duration = .seconds(3_600)
        /// RFC 8656 §9: 300 s.
        package var permission: Duration = .seconds(300)
        /// RFC 8656 §12: 600 s.
        package var channelBinding: Duration = .seconds(600)
        /// At least one hour, whatever is set: a browser gives up an allocation whose first nonce is stale.
        package var nonce: Duration = .seconds(3_600)

        package init() {}
    }
}
