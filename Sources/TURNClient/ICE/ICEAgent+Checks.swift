package import Core

extension ICEAgent {
    /// When ``handleTimeout(now:)`` is due; nil when nothing is outstanding.
    package var deadline: Instant? {
        guard isActive else { return nil }
        var earliest: Instant?
        func consider(_ instant: Instant?) {
            guard let instant else { return }
            earliest = min(earliest ?? instant, instant)
        }
        consider(checks.deadline)
        if mayPace { consider(nextPacedCheck) }
        if selection == nil, !checkList.hasHope { consider(patienceEnds) }
        consider(selection?.consentDeadline(in: configuration, state: state))
        return earliest
    }

    /// To be called once ``deadline`` has passed; earlier, and it does nothing.
    package mutating func handleTimeout(now: Instant) {
        guard isActive else { return }
        for id in checks.ids {
            guard var check = checks[id], check.deadline <= now else { continue }
            switch check.expire(now: now) {
            case .retransmit:
                checks[id] = check
                transmits.append(
                    Transmit(bytes: check.bytes, destination: check.pair.remote, local: check.pair.local))
                checkList.update(check.pair) { $0.lastSent = now }
                if check.attempts == 2 { checkList.thawNext(foundationOf: check.pair) }
            case .timedOut:
                checks[id] = nil
                fail(check.pair, now: now)
            case .forgotten: checks[id] = nil
            }
        }
        keepConsent(now: now)
        advance(now: now)
    }

    private var mayPace: Bool {
        remoteCredentials != nil && selection?.isConcluded != true && checkList.hasWaiting
            && checks.inFlight < configuration.maximumChecksInFlight
    }

    /// A peer that causes more transactions than this within the time they are remembered waits for their end.
    private var maximumChecks: Int { 4 * configuration.maximumPairs }

    /// Sends what may be sent: all triggered checks, one ordinary check each `Ta`; and fails when nothing is left.
    mutating func advance(now: Instant) {
        guard isActive else { return }
        while remoteCredentials != nil, checks.count < maximumChecks, let key = checkList.nextTriggered() {
            sendCheck(on: key, .connectivity, now)
        }
        if nextPacedCheck <= now, mayPace, let key = checkList.nextWaiting {
            nextPacedCheck = now + configuration.checkInterval
            sendCheck(on: key, .connectivity, now)
        }
        nominateIfControlling(now: now)
        if selection == nil, let patienceEnds, patienceEnds <= now, !checkList.hasHope { setState(.failed) }
    }

    /// A Binding request for a connectivity check or a nomination (RFC 8445 §7.2.4).
    mutating func sendCheck(on key: CandidatePair.Key, _ purpose: ConnectivityCheck.Purpose, _ now: Instant) {
        guard let pair = checkList[key], let remote = remoteCredentials else { return }
        let id = STUNTransactionID(random: random)
        let bytes = request(
            id, from: localCredentials, to: remote, priority: pair.local.peerReflexivePriority,
            nominating: purpose == .nomination)
        // RFC 8445 §14.3: the more checks there are, the later each may be answered.
        let outstanding = checkList.pairs.count { $0.state.isActive }
        let timeout = max(ConnectivityCheck.initialTimeout, configuration.checkInterval * outstanding)
        checks[id] = ConnectivityCheck(
            pair: key, purpose: purpose, role: role, key: remote.key, timeout: timeout, bytes: bytes, now: now)
        checkList.update(key) { pair in
            if purpose == .connectivity { pair.state = .inProgress(id) }
            pair.lastSent = now
        }
        transmits.append(Transmit(bytes: bytes, destination: key.remote, local: key.local))
    }

    func request(
        _ id: STUNTransactionID, from local: ICECredentials, to remote: ICECredentials, priority: UInt32,
        nominating: Bool
    ) -> [UInt8] {
        var attributes: [STUNAttribute] = [
            .username("\(remote.usernameFragment):\(local.usernameFragment)"),
            role == .controlling ? .iceControlling(tieBreaker) : .iceControlled(tieBreaker),
            .priority(priority),
        ]
        if nominating { attributes.append(.useCandidate) }
        return STUNMessage.request(.binding, transactionID: id, attributes: attributes)
            .encoded(key: remote.key, fingerprint: true)
    }

    /// RFC 8445 §7.2.5.
    mutating func handleResponse(
        _ response: STUNMessage, _ bytes: Span<UInt8>, from source: SocketAddress, on local: LocalCandidateID,
        now: Instant
    ) -> STUNOutcome {
        guard let check = checks[response.transactionID] else { return .refused(.unknownTransaction) }
        // An error without a signature could be anybody's; the check goes on to be retransmitted.
        guard STUNMessage.hasValidIntegrity(bytes, key: check.key) else { return .refused(.wrongIntegrity) }
        checks[response.transactionID] = nil
        guard check.pair == CandidatePair.Key(local: local, remote: source) else {
            // The path is not symmetric: it cannot carry media (RFC 8445 §7.2.5.2.1).
            if check.purpose != .consent { fail(check.pair, now: now) }
            return .authenticatedResponse
        }
        switch (response.messageClass, response.errorCode?.code) {
        case (.successResponse, _):
            if check.attempts == 1 {
                checkList.update(check.pair) { $0.note(roundTripTime: now - check.firstSent) }
            }
            noteConsent(check, now: now)
            if check.purpose != .consent { succeed(check, now: now) }
        case (_, 487):
            if role == check.role {
                switchRole(to: check.role.opposite, now: now)
                tieBreaker = random.uint64()
            }
            if check.purpose == .connectivity { checkList.trigger(check.pair) }
        default:
            if check.purpose != .consent { fail(check.pair, now: now) }
        }
        return .authenticatedResponse
    }

    private mutating func succeed(_ check: ConnectivityCheck, now: Instant) {
        let key = check.pair
        guard let pair = checkList[key] else { return }
        // A cancelled check's answer proves the path as well; the check that took its place need not be answered.
        if case .inProgress(let other) = pair.state { checks[other]?.cancel(now: now) }
        checkList.update(key) { $0.state = .succeeded }
        checkList.forgetTrigger(key)
        checkList.thaw(foundationOf: key)
        if check.purpose == .nomination, role == .controlling {
            nominate(key, now: now)
        } else if pair.isNominationPending, role == .controlled {
            nominate(key, now: now)
        } else {
            reviseSelection(now: now)
        }
    }

    /// The pair does not work (any more).
    mutating func fail(_ key: CandidatePair.Key, now: Instant) {
        checks.remove { $0.pair == key && $0.purpose != .consent }
        checkList.update(key) { pair in
            pair.state = .failed
            pair.isNominationPending = false
        }
        checkList.forgetTrigger(key)
        checkList.thaw()
        if let selection, selection.isOfThisGeneration, !selection.pair.isNominated, selection.key == key {
            self.selection = nil
            reviseSelection(now: now)
        }
    }
}
