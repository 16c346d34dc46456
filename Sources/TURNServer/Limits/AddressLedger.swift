internal import Core

/// What each client address may ask of us, and how many bytes it may draw before it has proven to be itself.
///
/// The source of a datagram can be forged, so answers to unauthenticated requests are paid from an account: what the
/// address sent, and a small allowance, for TURN's challenge is longer than the shortest request for it. An address is
/// proven by an authenticated request, since the nonce in it was sent to that very path; many viewers may share a proven
/// address, so it has ample terms. Bounded: addresses beyond ``capacity`` share one account.
struct AddressLedger: Sendable {
    /// Bytes that an address may draw beyond what it sent, and how fast they come back.
    struct Terms {
        let allowance: Double
        let perSecond: Double

        /// About 30 challenges, then one every few seconds: of no use to someone who forges a victim's address.
        static let unproven = Terms(allowance: 2_048, perSecond: 64)
        /// About 400 challenges a second: all viewers behind one tunnel coming back at once.
        static let proven = Terms(allowance: 65_536, perSecond: 16_384)
    }

    private struct Account {
        var requests: TokenBucket
        var bytes: TokenBucket
        var provenUntil = Instant.zero
        var lastSeen: Instant

        init(requestBurst: Double, now: Instant) {
            requests = TokenBucket(level: requestBurst, now: now)
            bytes = TokenBucket(level: Terms.unproven.allowance, now: now)
            lastSeen = now
        }

        func terms(now: Instant) -> Terms {
            provenUntil > now ? .proven : .unproven
        }
    }

    /// An account that has been silent this long has refilled, so forgetting it changes nothing.
    private static let idleTimeout: Duration = .seconds(60)
    /// Least time between two looks for idle accounts, so that a flood of addresses does not make each datagram a search.
    private static let sweepInterval: Duration = .seconds(10)

    private let requestsPerSecond: Double
    private let capacity: Int
    private var accounts: [IPAddress: Account] = [:]
    private var overflow: Account
    private var nextSweep = Instant.zero

    init(requestsPerSecond: Int, capacity: Int) {
        self.requestsPerSecond = Double(requestsPerSecond)
        self.capacity = capacity
        overflow = Account(requestBurst: self.requestsPerSecond, now: .zero)
    }

    var count: Int { accounts.count }

    /// Counts a request of `byteCount` bytes; false where the address has asked too often.
    mutating func admitRequest(from address: IPAddress, byteCount: Int, now: Instant) -> Bool {
        let (rate, burst) = (requestsPerSecond, requestsPerSecond)
        return withAccount(address, now: now) { account in
            account.bytes.earn(Double(byteCount), atMost: account.terms(now: now).allowance)
            return account.requests.take(1, perSecond: rate, atMost: burst, now: now)
        }
    }

    /// Pays for an answer to an unauthenticated request; false where the address may not have it.
    mutating func payForAnswer(to address: IPAddress, byteCount: Int, now: Instant) -> Bool {
        withAccount(address, now: now) { account in
            let terms = account.terms(now: now)
            return account.bytes.take(
                Double(byteCount), perSecond: terms.perSecond, atMost: terms.allowance, now: now)
        }
    }

    /// Notes that the address receives what we send to it.
    mutating func prove(_ address: IPAddress, until: Instant, now: Instant) {
        withAccount(address, now: now) { account in
            if account.provenUntil <= now {
                account.bytes.earn(Terms.proven.allowance, atMost: Terms.proven.allowance)
            }
            account.provenUntil = max(account.provenUntil, until)
        }
    }

    /// Forgets the accounts that have been idle.
    mutating func sweep(now: Instant) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        accounts = accounts.filter { now - $0.value.lastSeen < Self.idleTimeout || $0.value.provenUntil > now }
    }

    private mutating func withAccount<Result>(
        _ address: IPAddress, now: Instant, _ body: (inout Account) -> Result
    ) -> Result {
        let key = address.subscriber
        if accounts.count >= capacity, accounts[key] == nil {
            sweep(now: now)
            // Still full: strangers share one account, so that a flood of forged sources ends at its terms.
            guard accounts.count < capacity else { return body(&overflow) }
        }
        accounts[key, default: Account(requestBurst: requestsPerSecond, now: now)].lastSeen = now
        return body(&accounts[key, default: Account(requestBurst: requestsPerSecond, now: now)])
    }
}
