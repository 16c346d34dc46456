internal import Core

/// The pair in use, with the credentials that it was found with and what is known of the peer's consent.
struct Selection: Sendable {
    var pair: SelectedPair
    /// The peer's priority attribute of consent checks.
    let checkPriority: UInt32
    let local: ICECredentials
    let remote: ICECredentials
    /// False during a restart: the pair is of the generation before.
    var isOfThisGeneration = true
    /// The last response to a check of ours.
    var lastConsent: Instant
    /// The last authenticated message of any kind.
    var lastHeard: Instant
    var nextConsentCheck: Instant
    var lastConsentCheck: Instant

    var key: CandidatePair.Key { CandidatePair.Key(local: pair.local, remote: pair.remote) }
    /// The search is over.
    var isConcluded: Bool { isOfThisGeneration && pair.isNominated }

    func consentDeadline(in configuration: ICEAgent.Configuration, state: ICEState) -> Instant {
        var deadline = min(nextConsentCheck, lastConsent + configuration.consentTimeout)
        if state == .connected || state == .completed {
            deadline = min(deadline, lastHeard + configuration.disconnectedTimeout)
        }
        return deadline
    }
}

extension ICEAgent {
    /// Before a nomination: the best pair that works carries the media (RFC 8445 §12.1 allows it).
    mutating func reviseSelection(now: Instant) {
        guard selection?.isConcluded != true, let best = checkList.bestSucceeded else {
            if selection == nil, isActive, state != .new { setState(.checking) }
            return
        }
        if let selection, selection.isOfThisGeneration, selection.key == best.key { return }
        select(best, isNominated: false, now: now)
    }

    /// Regular nomination, without delay: media flows over the first pair that works, and the peer is told so.
    mutating func nominateIfControlling(now: Instant) {
        guard role == .controlling, remoteCredentials != nil, selection?.isConcluded != true,
            !checks.hasNomination, let best = checkList.bestSucceeded
        else { return }
        sendCheck(on: best.key, .nomination, now)
    }

    /// The pair is nominated: by our own check's success, or by the controlling peer.
    mutating func nominate(_ key: CandidatePair.Key, now: Instant) {
        guard let pair = checkList[key] else { return }
        checkList.update(key) { $0.isNominationPending = false }
        if let selection, selection.isConcluded {
            if selection.key == key { return }
            if role == .controlled, !supersedes(pair, selection, now: now) { return }
        }
        select(pair, isNominated: true, now: now)
        previousLocalCredentials = nil
        // RFC 8445 §8.1.2: the search ends. Pairs that work stay known, so that the peer can change to them.
        checkList.remove { $0.key != key && $0.state != .succeeded && !$0.isNominationPending }
        let kept = checkList.pairs.map(\.key)
        checks.cancel(now: now) { $0.pair == key || !kept.contains($0.pair) }
    }

    /// Browsers nominate whatever pair they use at the time. The newer nomination wins, unless the better pair has just
    /// been confirmed: then it is the race at the beginning, and the better pair stays.
    private func supersedes(_ pair: CandidatePair, _ selection: Selection, now: Instant) -> Bool {
        guard let current = checkList[selection.key], let confirmed = current.lastNomination else { return true }
        return pair.priority(as: role) > current.priority(as: role) || now - confirmed >= .seconds(1)
    }

    private mutating func select(_ pair: CandidatePair, isNominated: Bool, now: Instant) {
        guard let remote = remoteCredentials else { return }
        let old = selection
        let isSame = old?.isOfThisGeneration == true && old?.key == pair.key
        var described = SelectedPair(
            local: pair.key.local, remote: pair.key.remote, localType: pair.local.type, remoteType: pair.remote.type,
            isNominated: isNominated, roundTripTime: pair.roundTripTime)
        if isSame {
            described.roundTripTime = old?.pair.roundTripTime ?? pair.roundTripTime
            selection?.pair = described
        } else {
            selection = Selection(
                pair: described, checkPriority: pair.local.peerReflexivePriority, local: localCredentials,
                remote: remote, lastConsent: now, lastHeard: now, nextConsentCheck: now + consentPause(),
                lastConsentCheck: now)
        }
        if !isSame || old?.pair.isNominated != isNominated { events.append(.selectedPair(described)) }
        setState(isNominated ? .completed : .connected)
    }
}
