internal import Core
internal import TURNClient

/// What one client holds: a relayed address, its permissions and its channels.
///
/// Both lists are as short as the list of permitted peers, so they are searched, not hashed.
/// - SeeAlso: [RFC 8656 §3.2](https://www.rfc-editor.org/rfc/rfc8656#section-3.2)
struct Allocation: Sendable {
    struct Permission: Sendable {
        let ip: IPAddress
        var expiry: Instant
    }

    struct ChannelBinding: Sendable {
        let channel: UInt16
        let peer: SocketAddress
        var expiry: Instant
    }

    enum BindingConflict: Error {
        /// The channel belongs to another peer or the peer to another channel (RFC 8656 §12.2).
        case alreadyBound
    }

    let id: AllocationID
    let path: TURNClientPath
    let relayedPort: UInt16
    let username: String
    /// Every later request is checked with it; the credential's date was checked once, so that a long visit goes on.
    let key: [UInt8]
    /// The Allocate that made it: the same again is a retransmission.
    let transactionID: STUNTransactionID
    var expiry: Instant
    var requests: TokenBucket
    var datagrams: TokenBucket
    private(set) var permissions: [Permission] = []
    private(set) var bindings: [ChannelBinding] = []

    init(
        id: AllocationID, path: TURNClientPath, relayedPort: UInt16, username: String, key: [UInt8],
        transactionID: STUNTransactionID, expiry: Instant, requests: TokenBucket, datagrams: TokenBucket
    ) {
        self.id = id
        self.path = path
        self.relayedPort = relayedPort
        self.username = username
        self.key = key
        self.transactionID = transactionID
        self.expiry = expiry
        self.requests = requests
        self.datagrams = datagrams
    }

    /// Creates or renews; a later expiry that it has already stays.
    mutating func permit(_ ip: IPAddress, until expiry: Instant) {
        if let index = permissions.firstIndex(where: { $0.ip == ip }) {
            permissions[index].expiry = max(permissions[index].expiry, expiry)
        } else {
            permissions.append(Permission(ip: ip, expiry: expiry))
        }
    }

    mutating func bind(
        _ channel: UInt16, to peer: SocketAddress, until expiry: Instant, now: Instant
    ) throws(BindingConflict) {
        bindings.removeAll { $0.expiry <= now }
        if let index = bindings.firstIndex(where: { $0.channel == channel || $0.peer == peer }) {
            guard bindings[index].channel == channel, bindings[index].peer == peer else { throw .alreadyBound }
            bindings[index].expiry = expiry
        } else {
            bindings.append(ChannelBinding(channel: channel, peer: peer, expiry: expiry))
        }
    }

    func isPermitted(_ ip: IPAddress, now: Instant) -> Bool {
        permissions.contains { $0.ip == ip && $0.expiry > now }
    }

    /// Removes what has expired and says when the next of its parts will, itself included.
    mutating func expireParts(now: Instant) -> Instant {
        permissions.removeAll { $0.expiry <= now }
        bindings.removeAll { $0.expiry <= now }
        var next = expiry
        for permission in permissions { next = min(next, permission.expiry) }
        for binding in bindings { next = min(next, binding.expiry) }
        return next
    }
}
