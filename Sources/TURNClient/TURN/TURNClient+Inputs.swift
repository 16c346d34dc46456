package import Core

extension TURNClient {
    /// Asks for an allocation. On a stream: once the connection is open, and again after each reconnection.
    package mutating func start(now: Instant) {
        switch state {
        case .idle, .waiting, .released: allocate(now: now)
        case .allocating, .reclaiming, .allocated, .releasing: break
        }
        update(now: now)
    }

    /// The stream to the server was closed, and the allocation with it.
    package mutating func transportClosed(now: Instant) {
        transactions = [:]
        switch state {
        case .allocated:
            forgetAllocation(now: now)
            report(.lost(.transportClosed))
            state = .idle
        case .releasing:
            state = .released
            report(.released)
        case .idle, .allocating, .reclaiming, .waiting: state = .idle
        case .released: break
        }
        update(now: now)
    }

    /// Lets datagrams of this IP address in, from now until ``forget(_:now:)``, over every allocation to come.
    package mutating func permit(_ ip: IPAddress, now: Instant) {
        guard Self.isRoutable(ip) else { return report(.permissionDenied(ip, .unroutablePeer)) }
        if case .refused(let error) = permissions.want(ip, now: now) { report(.permissionDenied(ip, error)) }
        update(now: now)
    }

    /// No viewer needs this address any more: its permission is not renewed.
    package mutating func forget(_ ip: IPAddress, now: Instant) {
        permissions.forget(ip)
        update(now: now)
    }

    /// Wishes for four bytes of header instead of 36. Until the binding stands, or where no number is free, ``header(for:payloadCount:)`` says Send indication.
    package mutating func bindChannel(_ peer: SocketAddress, now: Instant) {
        guard peer.port != 0, Self.isRoutable(peer.ip) else { return }
        _ = channels.want(peer, now: now)
        update(now: now)
    }

    /// The binding is not renewed; its number is used again after expiry and cooldown (15 minutes at most).
    package mutating func unbindChannel(_ peer: SocketAddress, now: Instant) {
        channels.forget(peer, now: now)
        update(now: now)
    }

    /// Frees the allocation. `.released` follows, at the latest after 5.5 s.
    package mutating func release(now: Instant) {
        switch state {
        case .allocated:
            transactions = [:]
            state = .releasing
            send(.release, now: now)
        case .allocating where credential != nil, .reclaiming where credential != nil:
            // An answer may be on its way: without this the port would be held for ten minutes.
            transactions = [:]
            state = .releasing
            send(.release, now: now)
        case .idle, .waiting, .allocating, .reclaiming:
            transactions = [:]
            state = .released
            report(.released)
        case .releasing, .released: break
        }
        update(now: now)
    }

    package mutating func handleDatagram(_ bytes: Span<UInt8>, now: Instant) -> Received {
        guard bytes.count >= ChannelData.headerByteCount else { return .ignored }
        if bytes[0] >> 6 == 1 {
            guard case .allocated = state, let data = ChannelData(bytes), let peer = channels.peer(of: data.channel)
            else { return .ignored }
            return .data(from: peer, payload: data.payload)
        }
        if let indication = TURNIndication(bytes) {
            guard case .allocated = state, indication.method == .data else { return .ignored }
            return .data(from: indication.peer, payload: indication.payload)
        }
        guard let message = try? STUNMessage(bytes), let transaction = transactions[message.transactionID],
            message.method == transaction.purpose.method,
            message.messageClass == .successResponse || message.messageClass == .errorResponse,
            isAuthentic(message, bytes, transaction)
        else { return .ignored }
        transactions[message.transactionID] = nil
        if transaction.sends == 1 || configuration.isStream { roundTripTime = now - transaction.firstSent }
        if message.messageClass == .successResponse {
            handleSuccess(message, of: transaction, now: now)
        } else {
            handleError(message, of: transaction, now: now)
        }
        update(now: now)
        return .handled
    }

    /// A success must be signed where its request was. An error may come unsigned (servers sign not all of them, and
    /// who forges one has seen our 96-bit transaction id, so could drop our packets as well), but no signature may be false.
    private func isAuthentic(_ message: STUNMessage, _ bytes: Span<UInt8>, _ transaction: TURNTransaction) -> Bool {
        guard let credential = transaction.credential else { return true }
        if message.carriesIntegrity { return STUNMessage.hasValidIntegrity(bytes, key: credential.key) }
        return message.messageClass == .errorResponse
    }

    package mutating func handleTimeout(now: Instant) {
        guard let deadline, deadline <= now else { return }
        for id in Array(transactions.keys) {
            // A failure may end all transactions.
            guard var transaction = transactions[id] else { continue }
            switch transaction.handleTimeout(now: now) {
            case .notYet: continue
            case .resend:
                transactions[id] = transaction
                transmit(transaction.bytes)
            case .failed:
                transactions[id] = nil
                handleSilence(transaction.purpose, now: now)
            }
        }
        channels.handleTimeout(now: now)
        switch state {
        case .waiting(let until) where until <= now:
            allocate(now: now)
        case .allocated(var allocation):
            if allocation.expiresAt <= now {
                lose(.expired, now: now)
            } else if let refreshAt = allocation.refreshAt, refreshAt <= now {
                allocation.refreshAt = nil
                state = .allocated(allocation)
                send(.refresh, now: now)
            }
        case .idle, .allocating, .reclaiming, .waiting, .releasing, .released: break
        }
        update(now: now)
    }

    /// Starts what is due and computes the deadline; the last act of every input that is not data.
    private mutating func update(now: Instant) {
        var earliest: Instant? = transactions.values.lazy.map(\.deadline).min()
        func consider(_ time: Instant?) {
            if let time, time < earliest ?? .distantFuture { earliest = time }
        }
        switch state {
        case .waiting(let until): consider(until)
        case .allocated(let allocation):
            while transactions.count < Self.maximumTransactions, let ip = permissions.takeDue(now: now) {
                send(.createPermission(ip), now: now)
            }
            while transactions.count < Self.maximumTransactions, let (peer, number) = channels.takeDue(now: now) {
                send(.channelBind(peer, number: number), now: now)
            }
            earliest = transactions.values.lazy.map(\.deadline).min()
            consider(allocation.expiresAt)
            consider(allocation.refreshAt)
            // With every slot taken the next answer, not the clock, makes room.
            if transactions.count < Self.maximumTransactions {
                consider(permissions.deadline)
                consider(channels.deadline)
            }
        case .idle, .allocating, .reclaiming, .releasing, .released: break
        }
        deadline = earliest
    }
}
