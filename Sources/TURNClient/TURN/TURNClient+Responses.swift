internal import Core

extension TURNClient {
    /// A request is repeated so often for 401 and 438, then they count as final.
    private static let maximumAuthenticationRounds = 3
    /// Before an Allocate after a Refresh(0): coturn frees the port about a second later.
    private static let freeingTime: Duration = .seconds(1)
    /// A port that is not free so long after a Refresh(0) is reported, and freed once more at the next attempt.
    private static let freeingLimit: Duration = .seconds(8)

    mutating func handleSuccess(_ message: STUNMessage, of transaction: TURNTransaction, now: Instant) {
        switch transaction.purpose {
        case .allocate:
            guard let relayed = message.xorRelayedAddress, relayed.port != 0, !relayed.ip.isUnspecified,
                let lifetime = message.lifetime, lifetime >= .seconds(1)
            else {
                return fail(.malformedResponse, now: now)
            }
            adopt(relayed: relayed, mapped: message.xorMappedAddress, lifetime: lifetime, now: now)
        case .reclaim:
            guard let saved else { return fail(.malformedResponse, now: now) }
            channels.begin(at: random.uint16())
            adopt(
                relayed: saved.relayedAddress, mapped: saved.mappedAddress,
                lifetime: message.lifetime ?? configuration.requestedLifetime, now: now)
        case .refresh:
            guard case .allocated(var allocation) = state else { return }
            if allocation.unresponsiveSince != nil { report(.responsive) }
            allocation.unresponsiveSince = nil
            let lifetime = message.lifetime ?? configuration.requestedLifetime
            guard lifetime >= .seconds(1) else {
                return handleFailure(.malformedResponse, of: transaction, now: now)
            }
            allocation.expiresAt = now + lifetime
            allocation.refreshAt = now + refreshDelay(lifetime)
            state = .allocated(allocation)
        case .free:
            freedAt = now
            state = .waiting(until: now + Self.freeingTime)
        case .release:
            freedAt = now
            finishRelease()
        case .createPermission(let ip):
            if permissions.granted(ip, now: now) { report(.permissionGranted(ip)) }
        case .channelBind(let peer, let number):
            if channels.bound(peer, number: number, now: now) { report(.channelBound(peer)) }
        }
    }

    /// Half a short lifetime, as browsers do it, else the probe interval.
    private func refreshDelay(_ lifetime: Duration) -> Duration {
        max(.milliseconds(500), min(configuration.probeInterval, lifetime / 2))
    }

    private mutating func adopt(
        relayed: SocketAddress, mapped: SocketAddress?, lifetime: Duration, now: Instant
    ) {
        failures = 0
        saved = nil
        freedAt = nil
        state = .allocated(
            Allocation(
                relayedAddress: relayed, mappedAddress: mapped, since: now, expiresAt: now + lifetime,
                refreshAt: now + refreshDelay(lifetime)))
        report(.allocated(relayed: relayed, mapped: mapped, lifetime: lifetime))
    }

    mutating func handleError(_ message: STUNMessage, of transaction: TURNTransaction, now: Instant) {
        guard let (status, reason) = message.errorCode else {
            return handleFailure(.malformedResponse, of: transaction, now: now)
        }
        let error = TURNError(statusCode: status, reason: reason, method: message.method)
        switch status {
        case 401, 438:
            let isNews =
                transaction.credential == nil || status == 438 || message.realm != transaction.credential?.realm
            guard isNews, transaction.authenticationRounds < Self.maximumAuthenticationRounds,
                let nonce = message.nonce, let realm = message.realm ?? credential?.realm
            else { return handleFailure(error, of: transaction, now: now) }
            setCredential(realm: realm, nonce: nonce)
            send(transaction.purpose, rounds: transaction.authenticationRounds + 1, now: now)
        case 300:
            guard let alternate = message.alternateServer, redirect(to: alternate, now: now) else {
                return handleFailure(error, of: transaction, now: now)
            }
        default:
            handleFailure(error, of: transaction, now: now)
        }
    }

    /// False where following would go in circles (RFC 8489 §10) or would abandon an allocation that stands.
    private mutating func redirect(to alternate: SocketAddress, now: Instant) -> Bool {
        guard case .allocating = state, alternate.port != 0, !alternate.ip.isUnspecified, !alternate.ip.isMulticast
        else { return false }
        redirections = redirections.filter { now - $0.value < .seconds(300) }
        redirections[server] = now
        guard redirections[alternate] == nil, redirections.count <= 4 else { return false }
        server = alternate
        credential = nil
        saved = nil
        report(.redirected(alternate))
        if configuration.isStream {
            transactions = [:]
            state = .idle
        } else {
            allocate(now: now)
        }
        return true
    }

    /// The request failed for good; what that means depends on what was asked.
    private mutating func handleFailure(_ error: TURNError, of transaction: TURNTransaction, now: Instant) {
        switch transaction.purpose {
        case .allocate:
            // The 5-tuple holds an allocation: of a former process, or one whose success was lost on its way to us.
            // coturn says so even before it asks who we are; then the Refresh meets the 401.
            // A Refresh(0) that was answered is given time before another follows: coturn ends the session about a second later.
            if error.code == .allocationMismatch, freedAt == nil {
                state = .reclaiming
                send(saved == nil ? .free : .reclaim, now: now)
            } else if error.code == .allocationMismatch, let freedAt, now - freedAt < Self.freeingLimit {
                state = .waiting(until: now + Self.freeingTime)
            } else {
                freedAt = nil
                fail(error, now: now)
            }
        case .reclaim:
            saved = nil
            if error.code == .allocationMismatch {
                allocate(now: now)
            } else if error.code == .wrongCredentials || error.code == .allocationOfAnotherUser {
                fail(error, now: now)
            } else {
                send(.free, now: now)
            }
        case .free:
            // 437: it ended by itself meanwhile, so the next Allocate will succeed.
            if error.code == .allocationMismatch {
                state = .waiting(until: now + Self.freeingTime)
            } else {
                fail(error, now: now)
            }
        case .refresh:
            if error.code == .allocationMismatch { return lose(error, now: now) }
            postponeRefresh(now: now, by: .seconds(15))
            report(.failed(error, willRetryAt: now + .seconds(15)))
        case .release:
            finishRelease()
        case .createPermission(let ip):
            if error.code == .allocationMismatch { return lose(error, now: now) }
            if permissions.denied(ip, error, now: now) { report(.permissionDenied(ip, error)) }
        case .channelBind(let peer, let number):
            switch error.code {
            case .allocationMismatch: lose(error, now: now)
            case .forbidden:
                channels.denied(peer)
                if permissions.denied(peer.ip, error, now: now) { report(.permissionDenied(peer.ip, error)) }
            default: channels.refused(peer, number: number, now: now)
            }
        }
    }

    /// No answer to any transmission of a request.
    mutating func handleSilence(_ purpose: TURNTransaction.Purpose, now: Instant) {
        switch purpose {
        case .allocate, .reclaim, .free:
            fail(.unreachable, now: now)
        case .refresh:
            // The allocation may well live on; asking again at once finds a server that returns within seconds.
            guard case .allocated(var allocation) = state else { return }
            if allocation.unresponsiveSince == nil {
                allocation.unresponsiveSince = now
                report(.unresponsive)
            }
            state = .allocated(allocation)
            postponeRefresh(now: now, by: .zero)
        case .release: finishRelease()
        case .createPermission(let ip): permissions.unanswered(ip, now: now)
        case .channelBind(let peer, _): channels.unanswered(peer, now: now)
        }
    }

    private mutating func postponeRefresh(now: Instant, by delay: Duration) {
        guard case .allocated(var allocation) = state else { return }
        allocation.refreshAt = now + delay
        state = .allocated(allocation)
    }

    private mutating func finishRelease() {
        transactions = [:]
        state = .released
        report(.released)
    }

    /// The allocation is gone although nobody released it: make another at once, but no more than one a second.
    mutating func lose(_ error: TURNError, now: Instant) {
        guard case .allocated(let allocation) = state else { return }
        forgetAllocation(now: now)
        report(.lost(error))
        let earliest = allocation.since + .seconds(1)
        if earliest <= now {
            allocate(now: now)
        } else {
            state = .waiting(until: earliest)
        }
    }

    mutating func forgetAllocation(now: Instant) {
        transactions = [:]
        permissions.allocationLost(now: now)
        channels.allocationLost(now: now)
    }

    private mutating func fail(_ error: TURNError, now: Instant) {
        transactions = [:]
        failures = min(failures + 1, 16)
        let again = now + retryDelay(error)
        state = .waiting(until: again)
        report(.failed(error, willRetryAt: again))
    }

    /// What only an operator can mend is asked for every 30 s; a server that is away or full, soon and then less often.
    private func retryDelay(_ error: TURNError) -> Duration {
        switch error.code {
        case .wrongCredentials, .forbidden, .unsupportedTransport, .redirected: .seconds(30)
        case .unreachable: .seconds(1)
        default: min(.seconds(1 << min(failures - 1, 4)), .seconds(15))
        }
    }
}
