internal import Core

/// A local transport and a remote candidate, and what is known of the path between them.
///
/// - SeeAlso: [RFC 8445 §6.1.2](https://www.rfc-editor.org/rfc/rfc8445#section-6.1.2)
struct CandidatePair: Sendable {
    /// A pair is told by its base and the remote address: candidates of one base are redundant (RFC 8445 §6.1.2.4).
    struct Key: Hashable, Sendable {
        var local: LocalCandidateID
        var remote: SocketAddress
    }

    enum State: Hashable, Sendable {
        /// Held back while another pair of the same foundation is tried.
        case frozen
        case waiting
        case inProgress(STUNTransactionID)
        case succeeded
        case failed

        var isActive: Bool {
            switch self {
            case .waiting, .inProgress: true
            case .frozen, .succeeded, .failed: false
            }
        }
    }

    let key: Key
    var local: Candidate
    var remote: Candidate
    var state: State
    /// The controlling peer asked for this pair before our own check had succeeded (RFC 8445 §7.3.1.5).
    var isNominationPending = false
    var roundTripTime: Duration?
    /// When the last check of any kind was sent.
    var lastSent: Instant?
    /// When the peer last asked for this pair.
    var lastNomination: Instant?

    init(key: Key, local: Candidate, remote: Candidate, state: State) {
        self.key = key
        self.local = local
        self.remote = remote
        self.state = state
    }

    func hasFoundation(of other: CandidatePair) -> Bool {
        local.foundation == other.local.foundation && remote.foundation == other.remote.foundation
    }

    /// `2^32 × min(G, D) + 2 × max(G, D) + (G > D ? 1 : 0)`, G being the controlling agent's priority
    /// (RFC 8445 §6.1.2.3).
    func priority(as role: ICERole) -> UInt64 {
        let (mine, theirs) = (UInt64(local.priority), UInt64(remote.priority))
        let (controlling, controlled) = role == .controlling ? (mine, theirs) : (theirs, mine)
        return min(mine, theirs) << 32 &+ 2 &* max(mine, theirs) &+ (controlling > controlled ? 1 : 0)
    }

    /// Averages as TCP does (RFC 6298 §2.3: 7/8 of the old, 1/8 of the new).
    mutating func note(roundTripTime sample: Duration) {
        guard let old = roundTripTime else {
            roundTripTime = sample
            return
        }
        roundTripTime = (old * 7 + sample) / 8
    }
}
