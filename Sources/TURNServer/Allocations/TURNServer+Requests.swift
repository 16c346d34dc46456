internal import Core
internal import TURNClient

/// What clients ask: STUN's requests and TURN's.
extension TURNServer {
    /// Send is the only indication that a client has for us: class 01, method 6.
    private static let sendIndicationType: UInt16 = 0x0016

    mutating func handleSTUN(
        _ bytes: Span<UInt8>, from path: TURNClientPath, now: Instant, wallTime: WallTime
    ) -> Received? {
        if bytes.uint16(at: 0) == Self.sendIndicationType {
            return handleSendIndication(bytes, from: path, now: now)
        }
        let slot = liveSlot(of: path, now: now)
        guard admitRequest(byteCount: bytes.count, from: path, slot: slot, now: now) else {
            counters.droppedOverRate &+= 1
            return nil
        }
        guard let message = try? STUNMessage(bytes),
            !message.carriesFingerprint || STUNMessage.hasValidFingerprint(bytes)
        else {
            counters.droppedMalformed &+= 1
            return nil
        }
        switch (message.messageClass, message.method) {
        case (.request, .binding):
            answerBinding(message, from: path, now: now)
        case (.request, .allocate), (.request, .refresh), (.request, .createPermission), (.request, .channelBind):
            guard
                let client = authenticate(message, bytes: bytes, from: path, slot: slot, now: now, wallTime: wallTime)
            else { return nil }
            respond(to: message, of: client, from: path, slot: slot, now: now)
        case (.indication, .binding):
            break  // A keep-alive of the client's NAT binding.
        default:
            counters.droppedMalformed &+= 1
        }
        return nil
    }

    /// Within an allocation its own rate counts, so that nobody else behind the same address can use it up.
    private mutating func admitRequest(
        byteCount: Int, from path: TURNClientPath, slot: Int?, now: Instant
    ) -> Bool {
        guard let slot else { return ledger.admitRequest(from: path.address.ip, byteCount: byteCount, now: now) }
        let rate = Double(configuration.limits.requestsPerSecondPerAllocation)
        return allocations[slot].requests.take(1, perSecond: rate, atMost: rate, now: now)
    }

    /// Browsers wait five seconds for this while they gather candidates.
    private mutating func answerBinding(_ request: STUNMessage, from path: TURNClientPath, now: Instant) {
        let unknown = request.unknownComprehensionRequired
        guard unknown.isEmpty else {
            counters.refusedRequest &+= 1
            let response = STUNMessage.error(
                to: request, code: 420, reason: "", attributes: [.unknownAttributes(unknown)])
            return answerUnauthenticated(response, request: request, path: path, now: now)
        }
        counters.bindingRequestsAnswered &+= 1
        answerUnauthenticated(
            .success(to: request, attributes: [.xorMappedAddress(Self.mappedAddress(of: path))]), request: request,
            path: path, now: now)
    }

    private mutating func respond(
        to request: STUNMessage, of client: Client, from path: TURNClientPath, slot: Int?, now: Instant
    ) {
        let response: STUNMessage
        do throws(Refusal) {
            let attributes = try perform(request, of: client, from: path, slot: slot, now: now)
            response = .success(to: request, attributes: attributes)
        } catch {
            error.count(in: &counters)
            response = error.response(to: request)
        }
        answer(response, to: client, request: request, path: path)
    }

    /// Does what is asked; gives the attributes of the success response.
    private mutating func perform(
        _ request: STUNMessage, of client: Client, from path: TURNClientPath, slot: Int?, now: Instant
    ) throws(Refusal) -> [STUNAttribute] {
        let unknown = Self.unsupportedAttributes(of: request)
        guard unknown.isEmpty else { throw .unknownAttributes(unknown) }
        if request.method == .allocate { return try allocate(request, of: client, from: path, slot: slot, now: now) }
        guard let slot else { throw .allocationMismatch }
        guard allocations[slot].username == client.username else { throw .wrongCredentials }
        switch request.method {
        case .refresh: return refresh(request, slot: slot, now: now)
        case .createPermission: return try createPermission(request, slot: slot, now: now)
        case .channelBind: return try bindChannel(request, slot: slot, now: now)
        default: preconditionFailure("only the four methods that need a client are authenticated")
        }
    }

    /// EVEN-PORT and RESERVATION-TOKEN ask for real ports, which no allocation of ours has. DONT-FRAGMENT is met by itself.
    private static func unsupportedAttributes(of request: STUNMessage) -> [UInt16] {
        request.unknownComprehensionRequired
            + request.attributes.compactMap {
                switch $0 {
                case .evenPort, .reservationToken: $0.type
                default: nil
                }
            }
    }

    // MARK: Allocate and Refresh

    /// - SeeAlso: [RFC 8656 §7.2](https://www.rfc-editor.org/rfc/rfc8656#section-7.2)
    private mutating func allocate(
        _ request: STUNMessage, of client: Client, from path: TURNClientPath, slot: Int?, now: Instant
    ) throws(Refusal) -> [STUNAttribute] {
        if let slot {
            let allocation = allocations[slot]
            guard allocation.transactionID == request.transactionID, allocation.username == client.username else {
                throw .allocationMismatch
            }
            return allocated(port: allocation.relayedPort, lifetime: allocation.expiry - now, path: path)
        }
        guard let transport = request.requestedTransport else { throw .badRequest("no REQUESTED-TRANSPORT") }
        guard transport == Self.udpProtocolNumber else { throw .unsupportedTransport }
        if let family = request.requestedAddressFamily, (family == .v4) != configuration.relayedIP.isIPv4 {
            throw .addressFamilyNotSupported
        }
        let limits = configuration.limits
        guard allocations.count(ofUsername: client.username) < limits.allocationsPerCredential,
            allocations.count(ofAddress: path.address.ip) < limits.allocationsPerAddress
        else { throw .allocationQuotaReached }
        guard allocations.count < min(limits.allocations, Limits.maximumAllocations), let port = allocations.nextPort()
        else { throw .insufficientCapacity }

        lastAllocationID &+= 1
        let id = AllocationID(lastAllocationID)
        let lifetime = grantedLifetime(request)
        allocations.insert(
            Allocation(
                id: id, path: path, relayedPort: port, username: client.username, key: client.key,
                transactionID: request.transactionID, expiry: now + lifetime,
                requests: TokenBucket(level: Double(limits.requestsPerSecondPerAllocation), now: now),
                datagrams: TokenBucket(level: Double(limits.datagramsPerSecondPerAllocation), now: now)))
        expire(at: now + lifetime)
        counters.allocationsMade &+= 1
        events.append(
            .allocated(id, relayedAddress: relayedAddress(port: port), client: path, username: client.username))
        return allocated(port: port, lifetime: lifetime, path: path)
    }

    private static let udpProtocolNumber: UInt8 = 17

    private func allocated(port: UInt16, lifetime: Duration, path: TURNClientPath) -> [STUNAttribute] {
        [
            .xorRelayedAddress(relayedAddress(port: port)), .lifetime(lifetime),
            .xorMappedAddress(Self.mappedAddress(of: path)),
        ]
    }

    /// - SeeAlso: [RFC 8656 §8.2](https://www.rfc-editor.org/rfc/rfc8656#section-8.2)
    private mutating func refresh(_ request: STUNMessage, slot: Int, now: Instant) -> [STUNAttribute] {
        if request.lifetime == .zero {
            end(slot: slot, reason: .released)
            return [.lifetime(.zero)]
        }
        let lifetime = grantedLifetime(request)
        allocations[slot].expiry = now + lifetime
        expire(at: now + lifetime)
        return [.lifetime(lifetime)]
    }

    /// What is asked for, but neither less than the default nor more than the maximum.
    private func grantedLifetime(_ request: STUNMessage) -> Duration {
        let lifetimes = configuration.lifetimes
        return max(lifetimes.allocation, min(request.lifetime ?? lifetimes.allocation, lifetimes.maximumAllocation))
    }

    // MARK: Permissions and channels

    /// All peers or none.
    /// - SeeAlso: [RFC 8656 §10.2](https://www.rfc-editor.org/rfc/rfc8656#section-10.2)
    private mutating func createPermission(
        _ request: STUNMessage, slot: Int, now: Instant
    ) throws(Refusal) -> [STUNAttribute] {
        let peers = request.xorPeerAddresses
        guard !peers.isEmpty else { throw .badRequest("no XOR-PEER-ADDRESS") }
        for peer in peers { try check(peer, isPermitted: permittedIPs.contains(peer.ip)) }
        let expiry = now + configuration.lifetimes.permission
        for peer in peers { allocations[slot].permit(peer.ip, until: expiry) }
        expire(at: expiry)
        return []
    }

    /// The permission lasts as long as the channel, not half as long as in the RFC: once bound, browsers renew the channel
    /// only, and would be cut off for minutes otherwise.
    /// - SeeAlso: [RFC 8656 §12.2](https://www.rfc-editor.org/rfc/rfc8656#section-12.2)
    private mutating func bindChannel(
        _ request: STUNMessage, slot: Int, now: Instant
    ) throws(Refusal) -> [STUNAttribute] {
        guard let channel = request.channelNumber, let peer = request.xorPeerAddresses.first else {
            throw .badRequest("no CHANNEL-NUMBER or no XOR-PEER-ADDRESS")
        }
        guard ChannelData.channels.contains(channel) else { throw .badRequest("channels are 0x4000 to 0x4FFF") }
        try check(peer, isPermitted: configuration.permittedPeers.contains(peer))
        let expiry = now + configuration.lifetimes.channelBinding
        do {
            try allocations[slot].bind(channel, to: peer, until: expiry, now: now)
        } catch {
            throw .badRequest("the channel or the peer is bound already")
        }
        allocations[slot].permit(peer.ip, until: max(expiry, now + configuration.lifetimes.permission))
        expire(at: expiry)
        return []
    }

    private func check(_ peer: SocketAddress, isPermitted: Bool) throws(Refusal) {
        guard peer.ip.isIPv4 == configuration.relayedIP.isIPv4 else { throw .peerAddressFamilyMismatch }
        guard isPermitted else { throw .forbiddenPeer }
    }

    /// A dual-stack socket shows IPv4 clients as IPv6 ones; they are told what they are.
    private static func mappedAddress(of path: TURNClientPath) -> SocketAddress {
        SocketAddress(path.address.ip.unmapped, path.address.port)
    }
}
