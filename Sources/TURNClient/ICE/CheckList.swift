internal import Core

/// The pairs of the one component that rtcp-mux and BUNDLE leave, best first, and the queue of triggered checks.
///
/// - SeeAlso: [RFC 8445 §6.1.2](https://www.rfc-editor.org/rfc/rfc8445#section-6.1.2),
///   [RFC 8838 §12](https://www.rfc-editor.org/rfc/rfc8838#section-12)
struct CheckList: Sendable {
    private(set) var pairs: [CandidatePair] = []
    /// First in, first out; each key at most once.
    private(set) var triggered: [CandidatePair.Key] = []
    private(set) var role: ICERole
    private let limit: Int

    init(role: ICERole, limit: Int) {
        self.role = role
        self.limit = limit
    }

    func index(of key: CandidatePair.Key) -> Int? {
        pairs.firstIndex { $0.key == key }
    }

    subscript(key: CandidatePair.Key) -> CandidatePair? {
        index(of: key).map { pairs[$0] }
    }

    /// Changes the pair in place; nothing where it is gone.
    mutating func update(_ key: CandidatePair.Key, _ change: (inout CandidatePair) -> Void) {
        guard let index = index(of: key) else { return }
        change(&pairs[index])
    }

    enum Insertion: Equatable {
        case inserted
        /// The pair was known.
        case existing
        case full
    }

    /// Adds a pair, frozen where one of its foundation is being tried. At the limit a pair that has not been tried, or
    /// has failed, makes room: the worst one for a better pair, any for one on which the peer was heard.
    mutating func insert(
        _ key: CandidatePair.Key, local: Candidate, remote: Candidate, isHeard: Bool = false
    ) -> Insertion {
        if index(of: key) != nil { return .existing }
        var pair = CandidatePair(key: key, local: local, remote: remote, state: .waiting)
        if pairs.contains(where: { $0.state.isActive && $0.hasFoundation(of: pair) }) { pair.state = .frozen }
        if pairs.count >= limit, !makeRoom(for: pair, isHeard: isHeard) { return .full }
        let priority = pair.priority(as: role)
        let place = pairs.firstIndex { $0.priority(as: role) < priority } ?? pairs.endIndex
        pairs.insert(pair, at: place)
        return .inserted
    }

    private mutating func makeRoom(for pair: CandidatePair, isHeard: Bool) -> Bool {
        let victim = pairs.lastIndex { candidate in
            switch candidate.state {
            case .failed: true
            case .frozen, .waiting: isHeard || candidate.priority(as: role) < pair.priority(as: role)
            case .inProgress, .succeeded: false
            }
        }
        guard let victim else { return false }
        let doomed = pairs[victim].key
        remove { $0.key == doomed }
        return true
    }

    mutating func remove(where isDoomed: (CandidatePair) -> Bool) {
        let doomed = pairs.filter(isDoomed).map(\.key)
        guard !doomed.isEmpty else { return }
        pairs.removeAll { doomed.contains($0.key) }
        triggered.removeAll { doomed.contains($0) }
        thaw()
    }

    /// Takes over what a candidate that was first seen peer-reflexive is really called (RFC 8838 §11.4).
    mutating func rename(remote: Candidate) {
        for index in pairs.indices where pairs[index].remote.address == remote.address {
            pairs[index].remote = remote
        }
        sort()
    }

    mutating func switchRole(to role: ICERole) {
        self.role = role
        sort()
    }

    private mutating func sort() {
        pairs.sort { $0.priority(as: role) > $1.priority(as: role) }
    }

    /// Puts the pair at the end of the queue that goes before all ordinary checks (RFC 8445 §6.1.4.1).
    mutating func trigger(_ key: CandidatePair.Key) {
        guard let index = index(of: key) else { return }
        pairs[index].state = .waiting
        if !triggered.contains(key) { triggered.append(key) }
    }

    mutating func nextTriggered() -> CandidatePair.Key? {
        triggered.isEmpty ? nil : triggered.removeFirst()
    }

    mutating func forgetTrigger(_ key: CandidatePair.Key) {
        triggered.removeAll { $0 == key }
    }

    /// The best pair that waits for its ordinary check.
    var nextWaiting: CandidatePair.Key? {
        pairs.first { $0.state == .waiting && !triggered.contains($0.key) }?.key
    }

    var hasWaiting: Bool { nextWaiting != nil }

    /// Whether a check is outstanding or may still be sent.
    var hasHope: Bool {
        pairs.contains { $0.state != .failed }
    }

    var bestSucceeded: CandidatePair? {
        pairs.first { $0.state == .succeeded }
    }

    /// A success speaks for its foundation: all of it is tried now (RFC 8445 §7.2.5.3.3).
    mutating func thaw(foundationOf key: CandidatePair.Key) {
        guard let pair = self[key] else { return }
        for index in pairs.indices where pairs[index].state == .frozen && pairs[index].hasFoundation(of: pair) {
            pairs[index].state = .waiting
        }
    }

    /// The first attempt was not answered: the next pair of the foundation need not wait for its end.
    mutating func thawNext(foundationOf key: CandidatePair.Key) {
        guard let pair = self[key] else { return }
        if let index = pairs.firstIndex(where: { $0.state == .frozen && $0.hasFoundation(of: pair) }) {
            pairs[index].state = .waiting
        }
    }

    /// Frees one pair of each foundation of which nothing is being tried any more (RFC 8445 §6.1.4.2).
    mutating func thaw() {
        for index in pairs.indices where pairs[index].state == .frozen {
            let pair = pairs[index]
            if !pairs.contains(where: { $0.state.isActive && $0.hasFoundation(of: pair) }) {
                pairs[index].state = .waiting
            }
        }
    }
}
