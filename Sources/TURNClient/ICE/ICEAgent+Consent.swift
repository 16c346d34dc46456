internal import Core

/// Consent freshness: a peer that no longer answers is no longer sent to.
///
/// - SeeAlso: [RFC 7675 §5.1](https://www.rfc-editor.org/rfc/rfc7675#section-5.1)
extension ICEAgent {
    /// 0.8 to 1.2 of the interval, so that a thousand viewers do not ask in step.
    func consentPause() -> Duration {
        let interval = configuration.consentInterval
        return interval * 4 / 5 + interval * 2 / 5 * Int(random.uint16()) / Int(UInt16.max)
    }

    /// Sends the check that is due, and ends a consent that has run out.
    mutating func keepConsent(now: Instant) {
        guard let current = selection else { return }
        if now >= current.lastConsent + configuration.consentTimeout {
            expireConsent(now: now)
            return
        }
        let isUp = state == .connected || state == .completed
        if isUp, now >= current.lastHeard + configuration.disconnectedTimeout { setState(.disconnected) }
        guard now >= current.nextConsentCheck else { return }
        let next = now + consentPause()
        selection?.nextConsentCheck = next
        sendConsentCheck(now: now)
    }

    private mutating func sendConsentCheck(now: Instant) {
        guard let current = selection else { return }
        selection?.lastConsentCheck = now
        // Each consent check is a transaction of its own; none is retransmitted.
        let id = STUNTransactionID(random: random)
        let bytes = request(
            id, from: current.local, to: current.remote, priority: current.checkPriority, nominating: false)
        checks[id] = ConnectivityCheck(
            pair: current.key, purpose: .consent, role: role, key: current.remote.key,
            timeout: ConnectivityCheck.initialTimeout, bytes: [], now: now)
        transmits.append(Transmit(bytes: bytes, destination: current.key.remote, local: current.key.local))
    }

    private mutating func expireConsent(now: Instant) {
        let wasCurrent = selection?.isOfThisGeneration == true
        let key = selection?.key
        selection = nil
        events.append(.consentExpired)
        // During a restart only the old pair is lost; the search for the new one goes on.
        guard wasCurrent, let key else { return }
        fail(key, now: now)
        // Another pair that worked has been silent as long: let the peer restart.
        checks.remove { _ in true }
        setState(.failed)
    }

    /// Any success on the selected pair renews the consent.
    mutating func noteConsent(_ check: ConnectivityCheck, now: Instant) {
        guard selection?.key == check.pair else { return }
        selection?.lastConsent = now
        if check.purpose == .consent, check.attempts == 1 { noteRoundTrip(now - check.firstSent) }
        noteHeard(on: check.pair, now: now)
    }

    private mutating func noteRoundTrip(_ sample: Duration) {
        guard let old = selection?.pair.roundTripTime else {
            selection?.pair.roundTripTime = sample
            return
        }
        selection?.pair.roundTripTime = (old * 7 + sample) / 8
    }

    /// An authenticated message arrived on the pair.
    mutating func noteHeard(on key: CandidatePair.Key, now: Instant) {
        guard let current = selection, current.key == key else { return }
        selection?.lastHeard = now
        // The peer is there, yet our checks were not answered for a while: the path loses packets. Its request triggers
        // a check besides those of the timer (RFC 8445 §7.3.1.4), one a second at most.
        if now - current.lastConsent >= configuration.consentInterval * 3 / 2,
            now - current.lastConsentCheck >= .seconds(1)
        {
            sendConsentCheck(now: now)
        }
        if state == .disconnected { setState(current.pair.isNominated ? .completed : .connected) }
    }
}
