package import Core
internal import TURNClient

/// What is relayed: in from clients, and out to them.
extension TURNServer {
    /// Where data for a viewer goes and what goes around it.
    package struct Route: Equatable, Sendable {
        package enum Wrapping: Equatable, Sendable {
            /// Four bytes in front, see ``TURNServer/writeChannelDataHeader(channel:payloadByteCount:into:)``; on a stream,
            /// padding behind.
            case channelData(UInt16)
            /// ``TURNServer/dataIndication(_:from:)``
            case dataIndication
        }

        package let path: TURNClientPath
        package let wrapping: Wrapping
    }

    // MARK: From the client

    mutating func handleChannelData(_ bytes: Span<UInt8>, from path: TURNClientPath, now: Instant) -> Received? {
        guard let message = ChannelData(bytes) else {
            counters.droppedMalformed &+= 1
            return nil
        }
        guard let slot = liveSlot(of: path, now: now) else {
            counters.droppedWithoutAllocation &+= 1
            return nil
        }
        guard let peer = allocations.peer(ofChannel: message.channel, slot: slot, now: now) else {
            counters.droppedWithoutPermission &+= 1
            return nil
        }
        return relay(message.payload, to: peer, slot: slot, now: now)
    }

    mutating func handleSendIndication(_ bytes: Span<UInt8>, from path: TURNClientPath, now: Instant) -> Received? {
        guard let slot = liveSlot(of: path, now: now) else {
            counters.droppedWithoutAllocation &+= 1
            return nil
        }
        guard let message = try? STUNMessage(bytes), message.unknownComprehensionRequired.isEmpty,
            let peer = message.xorPeerAddresses.first,
            let payload = STUNMessage.valueRange(ofType: STUNAttribute.dataType, in: bytes)
        else {
            counters.droppedMalformed &+= 1
            return nil
        }
        guard configuration.permittedPeers.contains(peer) else {
            counters.droppedForbiddenPeer &+= 1
            return nil
        }
        guard allocations[slot].isPermitted(peer.ip, now: now) else {
            counters.droppedWithoutPermission &+= 1
            return nil
        }
        return relay(payload, to: peer, slot: slot, now: now)
    }

    private mutating func relay(_ payload: Range<Int>, to peer: SocketAddress, slot: Int, now: Instant) -> Received? {
        let rate = Double(configuration.limits.datagramsPerSecondPerAllocation)
        guard allocations.takeDatagram(slot: slot, perSecond: rate, now: now) else {
            counters.droppedOverRate &+= 1
            return nil
        }
        counters.datagramsRelayed &+= 1
        let (id, port) = allocations.identity(slot: slot)
        return .peerData(id, relayedAddress: relayedAddress(port: port), peer: peer, payload: payload)
    }

    // MARK: To the client

    /// How data from `peer` reaches the client that holds `relayedAddress`; nil where nobody does, or where the client has
    /// not permitted this peer. One dictionary look-up; ask once a frame.
    package func route(to relayedAddress: SocketAddress, from peer: SocketAddress) -> Route? {
        guard relayedAddress.ip == configuration.relayedIP,
            let slot = allocations.slot(ofRelayedPort: relayedAddress.port)
        else { return nil }
        return allocations.route(slot: slot, from: peer)
    }

    /// Bytes that ChannelData puts in front of its payload.
    package static let channelDataHeaderByteCount = 4

    /// Writes the ChannelData header for a payload at the start of `buffer`, which has four bytes or more.
    ///
    /// For the batch that a frame is written into: no array, no branch but the bounds check.
    @inlinable
    package static func writeChannelDataHeader(
        channel: UInt16, payloadByteCount: Int, into buffer: UnsafeMutableRawBufferPointer
    ) {
        let header = UInt32(channel) << 16 | UInt32(UInt16(truncatingIfNeeded: payloadByteCount))
        unsafe buffer.storeBytes(of: header.bigEndian, as: UInt32.self)
    }

    /// Zero bytes that follow ChannelData: none in a datagram, up to three on a stream.
    /// - SeeAlso: [RFC 8656 §12.5](https://www.rfc-editor.org/rfc/rfc8656#section-12.5)
    @inlinable
    package static func channelDataPadding(payloadByteCount: Int, isStream: Bool) -> Int {
        isStream ? -payloadByteCount & 3 : 0
    }
}

/// The look-ups of the media path read single fields in place: no copy of an allocation, no reference count touched.
extension AllocationTable {
    func peer(ofChannel channel: UInt16, slot: Int, now: Instant) -> SocketAddress? {
        guard let bindings = slots[slot]?.bindings else { return nil }
        for index in bindings.indices where bindings[index].channel == channel {
            return bindings[index].expiry > now ? bindings[index].peer : nil
        }
        return nil
    }

    func route(slot: Int, from peer: SocketAddress) -> TURNServer.Route? {
        guard let allocation = slots[slot] else { return nil }
        for index in allocation.bindings.indices where allocation.bindings[index].peer == peer {
            return TURNServer.Route(
                path: allocation.path, wrapping: .channelData(allocation.bindings[index].channel))
        }
        for index in allocation.permissions.indices where allocation.permissions[index].ip == peer.ip {
            return TURNServer.Route(path: allocation.path, wrapping: .dataIndication)
        }
        return nil
    }

    func identity(slot: Int) -> (AllocationID, relayedPort: UInt16) {
        let allocation = self[slot]
        return (allocation.id, allocation.relayedPort)
    }

    mutating func takeDatagram(slot: Int, perSecond rate: Double, now: Instant) -> Bool {
        self[slot].datagrams.take(1, perSecond: rate, atMost: rate, now: now)
    }
}
