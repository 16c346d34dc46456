internal import Core

/// One Binding request, its retransmissions, and what its response will mean.
///
/// - SeeAlso: [RFC 8445 §7.2](https://www.rfc-editor.org/rfc/rfc8445#section-7.2),
///   [RFC 8489 §6.2.1](https://www.rfc-editor.org/rfc/rfc8489#section-6.2.1)
struct ConnectivityCheck: Sendable {
    enum Purpose: Hashable, Sendable {
        case connectivity
        /// Carries USE-CANDIDATE.
        case nomination
        /// RFC 7675; never retransmitted.
        case consent
    }

    /// `RTO`: the first retransmission timeout (RFC 8445 §14.3: at least 500 ms), doubled per attempt up to 4 s.
    static let initialTimeout: Duration = .milliseconds(500)
    /// The longest wait, in RTO. RFC 8489 doubles without end; waits of 8 and 16 s help no viewer.
    static let longestWait = 8
    /// Sent at 0, 0.5, 1.5, 3.5, 7.5, 11.5, ... 35.5 s; given up after 39.5 s, as `Rc` 7 and `Rm` 16 would have it.
    static let maximumAttempts = 12
    /// How long a response is still welcome after its check was cancelled or, for consent, sent.
    static let responseWait: Duration = .seconds(10)

    let pair: CandidatePair.Key
    let purpose: Purpose
    /// The role that the request claims; a 487 speaks of this one.
    let role: ICERole
    /// The peer's key, which its response is signed with.
    let key: [UInt8]
    let timeout: Duration
    let firstSent: Instant
    private(set) var bytes: [UInt8]
    /// Requests sent so far.
    private(set) var attempts = 1
    /// When to send again or to give up; after a cancellation, when to forget the transaction.
    private(set) var deadline: Instant
    private(set) var isCancelled: Bool

    init(
        pair: CandidatePair.Key, purpose: Purpose, role: ICERole, key: [UInt8], timeout: Duration, bytes: [UInt8],
        now: Instant
    ) {
        self.pair = pair
        self.purpose = purpose
        self.role = role
        self.key = key
        self.timeout = timeout
        self.bytes = bytes
        firstSent = now
        isCancelled = purpose == .consent
        deadline = now + (isCancelled ? Self.responseWait : timeout)
    }

    enum Expiry {
        case retransmit
        case timedOut
        /// A cancelled check that nobody answered.
        case forgotten
    }

    /// To be called once ``deadline`` has passed.
    mutating func expire(now: Instant) -> Expiry {
        if isCancelled { return .forgotten }
        if attempts >= Self.maximumAttempts { return .timedOut }
        attempts += 1
        deadline = now + timeout * min(1 << (attempts - 1), Self.longestWait)
        return .retransmit
    }

    /// No more retransmissions, and no failure; a late response still counts (RFC 8445 §7.3.1.4).
    mutating func cancel(now: Instant) {
        guard !isCancelled else { return }
        isCancelled = true
        bytes = []
        deadline = now + Self.responseWait
    }
}

/// The transactions whose response may still come, in the order in which they were begun.
struct OutstandingChecks: Sendable {
    private var entries: [(id: STUNTransactionID, check: ConnectivityCheck)] = []

    var count: Int { entries.count }
    var ids: [STUNTransactionID] { entries.map(\.id) }
    var inFlight: Int { entries.count { !$0.check.isCancelled } }
    var deadline: Instant? { entries.min { $0.check.deadline < $1.check.deadline }?.check.deadline }
    var hasNomination: Bool { entries.contains { $0.check.purpose == .nomination && !$0.check.isCancelled } }

    subscript(id: STUNTransactionID) -> ConnectivityCheck? {
        get { entries.first { $0.id == id }?.check }
        set {
            let index = entries.firstIndex { $0.id == id }
            switch (index, newValue) {
            case (let index?, let check?): entries[index].check = check
            case (let index?, nil): entries.remove(at: index)
            case (nil, let check?): entries.append((id, check))
            case (nil, nil): break
            }
        }
    }

    mutating func remove(where isDoomed: (ConnectivityCheck) -> Bool) {
        entries.removeAll { isDoomed($0.check) }
    }

    mutating func cancel(now: Instant, where isDoomed: (ConnectivityCheck) -> Bool) {
        for index in entries.indices where isDoomed(entries[index].check) { entries[index].check.cancel(now: now) }
    }
}
