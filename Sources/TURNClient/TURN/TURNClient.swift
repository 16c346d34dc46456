package import Core

/// One allocation on one TURN server, shared by as many peers as its permissions admit.
///
/// Does no I/O. Feed datagrams (or whole messages of a ``TURNStreamFramer``) that came from ``server`` to
/// ``handleDatagram(_:now:)`` and call ``handleTimeout(now:)`` once ``deadline`` has passed; after each input drain
/// ``pollTransmit()`` and ``pollEvent()`` until nil. It never gives up: a failure is reported with the time of the next
/// attempt, and what was permitted or bound is installed anew on the next allocation.
/// - SeeAlso: [RFC 8656](https://www.rfc-editor.org/rfc/rfc8656), `docs/protocols/turn-client.md`
package struct TURNClient: Sendable {
    package struct Configuration: Sendable {
        package var server: SocketAddress
        /// Taken up by the next allocation: within one, RFC 8656 §5 forbids another user name.
        package var username: String
        package var password: String
        package var requestedLifetime: Duration = .seconds(600)
        /// TURN over TCP: no retransmission, ChannelData padded to four bytes.
        package var isStream = false
        package var software: String?
        /// How often a Refresh asks whether server and allocation still live: coturn drops an allocation in silence.
        package var probeInterval: Duration = .seconds(2)
        package var maximumPermissions = 1024

        package init(server: SocketAddress, username: String, password: String) {
            self.server = server
            self.username = username
            self.password = password
        }
    }

    package struct Allocation: Equatable, Sendable {
        package let relayedAddress: SocketAddress
        /// Our own address as the server sees it.
        package let mappedAddress: SocketAddress?
        package let since: Instant
        package internal(set) var expiresAt: Instant
        /// Nil while a Refresh is under way.
        var refreshAt: Instant?
        /// Since when the server owes an answer to a Refresh that was given up.
        package internal(set) var unresponsiveSince: Instant?
    }

    package enum State: Equatable, Sendable {
        case idle
        case allocating
        /// The 5-tuple holds an allocation of a former process: it is asked for, or freed.
        case reclaiming
        case waiting(until: Instant)
        case allocated(Allocation)
        case releasing
        case released
    }

    package enum Event: Equatable, Sendable {
        case allocated(relayed: SocketAddress, mapped: SocketAddress?, lifetime: Duration)
        /// No allocation, or one that cannot be refreshed any more (``state`` tells which).
        case failed(TURNError, willRetryAt: Instant)
        /// The allocation is gone. A new one is asked for at once; on a stream, after the driver connects and calls ``TURNClient/start(now:)``.
        case lost(TURNError)
        case unresponsive
        case responsive
        case permissionGranted(IPAddress)
        case permissionDenied(IPAddress, TURNError)
        case channelBound(SocketAddress)
        /// 300: everything goes to ``TURNClient/server`` from now on. On a stream: connect there and call ``TURNClient/start(now:)``.
        case redirected(SocketAddress)
        case released
    }

    /// What a datagram was.
    package enum Received: Equatable, Sendable {
        /// A peer's payload and where it lies in the bytes.
        case data(from: SocketAddress, payload: Range<Int>)
        /// TURN's own business.
        case handled
        /// Nothing that was waited for: forged, late, or broken.
        case ignored
    }

    package var configuration: Configuration
    package internal(set) var state: State = .idle
    /// The configured server, or the one that it redirected us to.
    package internal(set) var server: SocketAddress
    /// When ``handleTimeout(now:)`` is due; nil where nothing is.
    package internal(set) var deadline: Instant?
    /// Of the last request that was answered without retransmission.
    package internal(set) var roundTripTime: Duration?

    let random: RandomSource
    var credential: Credential?
    var username: String
    var password: String
    var saved: SavedAllocation?
    var transactions: [STUNTransactionID: TURNTransaction] = [:]
    var permissions: TURNPermissions
    var channels = TURNChannels()
    var failures = 0
    /// When the server last confirmed a Refresh(0) on this 5-tuple.
    var freedAt: Instant?
    /// Servers that answered 300, and when (RFC 8489 §10: none is asked twice within five minutes).
    var redirections: [SocketAddress: Instant] = [:]
    private var outgoing: [[UInt8]] = []
    private var events: [Event] = []

    /// What the server's 401 or 438 told us, and the key that follows from it.
    struct Credential: Sendable {
        let realm: String
        let nonce: String
        let key: [UInt8]
    }

    /// Requests under way at once; the rest wait for their answers.
    static let maximumTransactions = 32

    /// `restoring`: what the former process on the same local port saved, so that its allocation can be kept.
    package init(_ configuration: Configuration, random: RandomSource, restoring saved: SavedAllocation? = nil) {
        self.configuration = configuration
        self.random = random
        server = configuration.server
        username = configuration.username
        password = configuration.password
        permissions = TURNPermissions(limit: configuration.maximumPermissions)
        if let saved, saved.server == configuration.server, saved.username == configuration.username {
            self.saved = saved
            setCredential(realm: saved.realm, nonce: saved.nonce)
        }
    }

    package var relayedAddress: SocketAddress? {
        if case .allocated(let allocation) = state { allocation.relayedAddress } else { nil }
    }

    package var mappedAddress: SocketAddress? {
        if case .allocated(let allocation) = state { allocation.mappedAddress } else { nil }
    }

    /// Whether the server lets datagrams of this address in, as far as we know.
    package func isPermitted(_ ip: IPAddress) -> Bool {
        relayedAddress != nil && permissions.entries[ip]?.isInstalled == true
    }

    /// Whether a datagram to this peer can be sent at all.
    ///
    /// coturn 4.6 ends the whole allocation where one relayed datagram cannot be sent (seen with port 0), so none is tried.
    package static func isRoutable(_ ip: IPAddress) -> Bool {
        if case .v4(let value) = ip.unmapped, value >> 28 == 0xF || value >> 24 == 0 { return false }
        return !ip.isUnspecified && !ip.isMulticast
    }

    /// What to keep on disk after each `.allocated`; nil without an allocation.
    package var savedAllocation: SavedAllocation? {
        guard case .allocated(let allocation) = state, let credential else { return nil }
        return SavedAllocation(
            server: server, username: username, realm: credential.realm, nonce: credential.nonce,
            relayedAddress: allocation.relayedAddress, mappedAddress: allocation.mappedAddress)
    }

    /// The next message for ``server``; nil when there is none.
    package mutating func pollTransmit() -> [UInt8]? {
        outgoing.isEmpty ? nil : outgoing.removeFirst()
    }

    package mutating func pollEvent() -> Event? {
        events.isEmpty ? nil : events.removeFirst()
    }

    mutating func transmit(_ bytes: [UInt8]) {
        outgoing.append(bytes)
    }

    mutating func report(_ event: Event) {
        events.append(event)
    }

    mutating func setCredential(realm: String, nonce: String) {
        if let credential, credential.realm == realm {
            self.credential = Credential(realm: realm, nonce: nonce, key: credential.key)
            return
        }
        let key = LongTermCredential.key(username: username, realm: realm, password: password)
        credential = Credential(realm: realm, nonce: nonce, key: key)
    }
}
