package import Core
internal import TURNClient

/// A TURN server whose only peer is this process: it hands what clients relay to the media side, and tells the media side
/// how to reach them.
///
/// Does no I/O and reads no clock. After every input drain ``pollTransmit()`` and ``pollEvent()``, then arm
/// ``deadline``. Each allocation has a relayed address of its own with nothing bound to it (docs/adr/0002-synthetic-relayed-addresses.md).
/// - SeeAlso: [RFC 8656](https://www.rfc-editor.org/rfc/rfc8656), docs/protocols/turn-server.md
package struct TURNServer: Sendable {
    /// What a datagram was good for beyond the relay itself.
    package enum Received: Equatable, Sendable {
        /// `payload` lies in the bytes that were given. It came from `relayedAddress`, as far as the peer can see.
        case peerData(AllocationID, relayedAddress: SocketAddress, peer: SocketAddress, payload: Range<Int>)
    }

    package enum EndReason: Equatable, Sendable {
        /// The client's Refresh with lifetime 0.
        case released
        case expired
        case connectionClosed
        /// ``end(relayedAddress:)``
        case endedByServer
    }

    package enum Event: Equatable, Sendable {
        case allocated(AllocationID, relayedAddress: SocketAddress, client: TURNClientPath, username: String)
        case ended(AllocationID, relayedAddress: SocketAddress, client: TURNClientPath, reason: EndReason)
    }

    /// One datagram, or one message of a stream, for a client.
    package struct Transmit: Equatable, Sendable {
        package let bytes: [UInt8]
        package let path: TURNClientPath
    }

    package let configuration: Configuration
    package internal(set) var counters = Counters()
    let random: RandomSource
    let nonces: NonceIssuer
    let permittedIPs: Set<IPAddress>
    var allocations: AllocationTable
    var ledger: AddressLedger
    var lastAllocationID: UInt64 = 0
    var transmits = FirstInFirstOut<Transmit>()
    var events = FirstInFirstOut<Event>()
    /// No part of any allocation expires before.
    var nextExpiry: Instant?

    package init(configuration: Configuration, random: RandomSource) {
        self.configuration = configuration
        self.random = random
        nonces = NonceIssuer(lifetime: configuration.lifetimes.nonce, random: random)
        permittedIPs = Set(configuration.permittedPeers.map(\.ip))
        allocations = AllocationTable(
            reservedPorts: configuration.reservedPorts, takenPorts: Set(configuration.permittedPeers.map(\.port)),
            random: random)
        ledger = AddressLedger(
            requestsPerSecond: configuration.limits.requestsPerSecondPerAddress,
            capacity: configuration.limits.trackedAddresses)
    }

    package var allocationCount: Int { allocations.count }

    /// Whether a client holds this relayed address, with or without a permission: then nobody on the wire may pass for it.
    package func hasAllocation(relayedAddress: SocketAddress) -> Bool {
        relayedAddress.ip == configuration.relayedIP && allocations.slot(ofRelayedPort: relayedAddress.port) != nil
    }

    // MARK: Input

    /// One datagram of a client, or one message of its stream (without or with its padding).
    ///
    /// ChannelData, which carries the media, costs a dictionary look-up and allocates nothing.
    package mutating func handleDatagram(
        _ bytes: Span<UInt8>, from path: TURNClientPath, now: Instant, wallTime: WallTime
    ) -> Received? {
        guard bytes.count >= 4 else {
            counters.droppedMalformed &+= 1
            return nil
        }
        switch bytes[0] {
        case 0x40...0x4F:
            return handleChannelData(bytes, from: path, now: now)
        case 0...3:
            return handleSTUN(bytes, from: path, now: now, wallTime: wallTime)
        default:
            counters.droppedMalformed &+= 1
            return nil
        }
    }

    /// The client's TCP connection is gone, and with it its allocation.
    package mutating func connectionClosed(_ path: TURNClientPath) {
        guard let slot = allocations.slot(of: path) else { return }
        end(slot: slot, reason: .connectionClosed)
    }

    /// Ends the allocation of a viewer that has left: browsers do not always say so.
    package mutating func end(relayedAddress: SocketAddress) {
        guard relayedAddress.ip == configuration.relayedIP,
            let slot = allocations.slot(ofRelayedPort: relayedAddress.port)
        else { return }
        end(slot: slot, reason: .endedByServer)
    }

    /// Ends what has expired. Harmless before the ``deadline``.
    package mutating func handleTimeout(now: Instant) {
        ledger.sweep(now: now)
        guard let due = nextExpiry, due <= now else { return }
        var next: Instant?
        for slot in allocations.slots.indices where allocations.slots[slot] != nil {
            if allocations[slot].expiry <= now {
                end(slot: slot, reason: .expired)
            } else {
                let soonest = allocations[slot].expireParts(now: now)
                next = min(next ?? soonest, soonest)
            }
        }
        nextExpiry = next.map { max($0, now + Self.leastSweepInterval) }
    }

    /// Every sweep visits all allocations, so there is at most one a second.
    static let leastSweepInterval: Duration = .seconds(1)

    // MARK: Output

    /// When ``handleTimeout(now:)`` is due; nil while there is no allocation.
    package var deadline: Instant? { nextExpiry }

    package mutating func pollTransmit() -> Transmit? { transmits.next() }

    package mutating func pollEvent() -> Event? { events.next() }

    // MARK: Shared by the aspects

    func relayedAddress(port: UInt16) -> SocketAddress {
        SocketAddress(configuration.relayedIP, port)
    }

    mutating func end(slot: Int, reason: EndReason) {
        let allocation = allocations.remove(slot: slot)
        counters.allocationsEnded &+= 1
        events.append(
            .ended(
                allocation.id, relayedAddress: relayedAddress(port: allocation.relayedPort), client: allocation.path,
                reason: reason))
        if allocations.count == 0 { nextExpiry = nil }
    }

    /// Has ``deadline`` take note of something that expires at `instant`.
    mutating func expire(at instant: Instant) {
        nextExpiry = min(nextExpiry ?? instant, instant)
    }

    /// The slot of a path's allocation; one that has expired is ended here, lest a late timer keep it alive.
    mutating func liveSlot(of path: TURNClientPath, now: Instant) -> Int? {
        guard let slot = allocations.slot(of: path) else { return nil }
        guard allocations[slot].expiry > now else {
            end(slot: slot, reason: .expired)
            return nil
        }
        return slot
    }
}
