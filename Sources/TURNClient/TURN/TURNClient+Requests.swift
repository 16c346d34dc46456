package import Core

extension TURNClient {
    mutating func allocate(now: Instant) {
        transactions = [:]
        if username != configuration.username || password != configuration.password {
            username = configuration.username
            password = configuration.password
            // Realm and nonce belong to the server, the key to the user.
            let known = credential
            credential = nil
            if let known { setCredential(realm: known.realm, nonce: known.nonce) }
        }
        state = .allocating
        send(.allocate, now: now)
    }

    /// `rounds`: how many 401 and 438 this request was repeated for.
    mutating func send(_ purpose: TURNTransaction.Purpose, rounds: Int = 0, now: Instant) {
        let id = STUNTransactionID(random: random)
        var message = STUNMessage.request(purpose.method, transactionID: id, attributes: attributes(of: purpose))
        if let credential {
            message.attributes += [
                .username(username), .realm(credential.realm), .nonce(credential.nonce),
            ]
        }
        let bytes = message.encoded(key: credential?.key)
        transactions[id] = TURNTransaction(
            purpose, bytes: bytes, credential: credential, authenticationRounds: rounds,
            isStream: configuration.isStream, now: now)
        transmit(bytes)
    }

    private func attributes(of purpose: TURNTransaction.Purpose) -> [STUNAttribute] {
        switch purpose {
        case .allocate:
            let software: [STUNAttribute] = configuration.software.map { [.software($0)] } ?? []
            return [.requestedTransport(17), .lifetime(configuration.requestedLifetime)] + software
        case .refresh, .reclaim: return [.lifetime(configuration.requestedLifetime)]
        case .free, .release: return [.lifetime(.zero)]
        // The port of a permission means nothing (RFC 8656 §9.1).
        case .createPermission(let ip): return [.xorPeerAddress(SocketAddress(ip, 0))]
        case .channelBind(let peer, let number): return [.channelNumber(number), .xorPeerAddress(peer)]
        }
    }

    /// How a payload for a peer must be wrapped.
    package enum Wrapping: Equatable, Sendable {
        /// This big-endian word in front; on a stream `padding` zero bytes behind.
        case channelData(header: UInt32, padding: Int)
        /// No channel (yet): ``TURNClient/wrap(_:to:)`` makes the whole message.
        case sendIndication
    }

    /// Nil without an allocation and for a peer that nothing can be sent to. A dictionary look-up, no allocation of memory.
    package func header(for peer: SocketAddress, payloadCount: Int) -> Wrapping? {
        guard case .allocated = state else { return nil }
        guard let number = channels.usableNumber(for: peer), payloadCount <= Int(UInt16.max) else {
            return peer.port != 0 && Self.isRoutable(peer.ip) ? .sendIndication : nil
        }
        return .channelData(
            header: ChannelData.header(channel: number, length: payloadCount),
            padding: configuration.isStream ? (4 - payloadCount & 3) & 3 : 0)
    }

    /// The whole message that carries a payload to a peer; nil without an allocation.
    package func wrap(_ payload: Span<UInt8>, to peer: SocketAddress) -> [UInt8]? {
        switch header(for: peer, payloadCount: payload.count) {
        case .none: return nil
        case .channelData(let header, let padding):
            var writer = ByteWriter(reservingCapacity: payload.count + 8)
            writer.write(header)
            writer.write(payload.array())
            for _ in 0..<padding { writer.write(UInt8(0)) }
            return writer.bytes
        case .sendIndication:
            // DATA's length and the message's own are 16 bits wide.
            guard payload.count <= 65_000 else { return nil }
            return STUNMessage.indication(
                .send, transactionID: STUNTransactionID(random: random),
                attributes: [.xorPeerAddress(peer), .data(payload.array())]
            ).encoded()
        }
    }
}
