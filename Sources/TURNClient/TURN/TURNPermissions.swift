internal import Core

/// The peers' IP addresses that may send to our relayed address.
///
/// A permission lasts 300 s on the server and is renewed every 240 s for as long as it is wanted.
/// - SeeAlso: [RFC 8656 §9](https://www.rfc-editor.org/rfc/rfc8656#section-9)
struct TURNPermissions: Sendable {
    enum State: Equatable, Sendable {
        /// A request is due at that time.
        case due(Instant)
        case requesting
        case installed(renewAt: Instant)
        /// The server refused: not asked again before that time.
        case denied(until: Instant, TURNError)
    }
    struct Permission: Sendable {
        var state: State
        /// The server has it, as far as we know; a renewal changes nothing that anybody needs to hear of.
        var isInstalled = false
    }

    static let renewalInterval: Duration = .seconds(240)
    /// How long a refusal is taken for final.
    static let denialInterval: Duration = .seconds(60)
    /// After a request without an answer.
    static let retryInterval: Duration = .seconds(1)

    let limit: Int
    private(set) var entries: [IPAddress: Permission] = [:]
    /// When the next request is due, or earlier: a scan over all permissions happens only then.
    private(set) var deadline: Instant?
    /// What the last scan found due and nobody took yet.
    private var due: [IPAddress] = []

    init(limit: Int) {
        self.limit = limit
    }

    enum WishOutcome: Equatable {
        case added, known
        case refused(TURNError)
    }

    mutating func want(_ ip: IPAddress, now: Instant) -> WishOutcome {
        if case .denied(let until, let error) = entries[ip]?.state {
            guard now >= until else { return .refused(error) }
            set(Permission(state: .due(now)), for: ip)
            return .added
        }
        if entries[ip] != nil { return .known }
        if entries.count >= limit { entries = entries.filter { !Self.isSpentDenial($0.value, now) } }
        guard entries.count < limit else { return .refused(.limitReached) }
        set(Permission(state: .due(now)), for: ip)
        return .added
    }

    private static func isSpentDenial(_ permission: Permission, _ now: Instant) -> Bool {
        if case .denied(let until, _) = permission.state { until <= now } else { false }
    }

    mutating func forget(_ ip: IPAddress) {
        // A refusal outlives the wish, so that a client that comes back does not ask the server again and again.
        if case .denied = entries[ip]?.state { return }
        entries[ip] = nil
    }

    /// The next permission to ask for, if one is due.
    mutating func takeDue(now: Instant) -> IPAddress? {
        if due.isEmpty { scan(now: now) }
        while let ip = due.popLast() {
            guard let permission = entries[ip], let time = Self.dueTime(permission), time <= now else { continue }
            entries[ip]?.state = .requesting
            return ip
        }
        return nil
    }

    private mutating func scan(now: Instant) {
        guard let deadline, deadline <= now else { return }
        self.deadline = nil
        for (ip, permission) in entries {
            guard let time = Self.dueTime(permission) else { continue }
            if time <= now {
                due.append(ip)
            } else if time < self.deadline ?? .distantFuture {
                self.deadline = time
            }
        }
    }

    private mutating func set(_ permission: Permission, for ip: IPAddress) {
        entries[ip] = permission
        if let time = Self.dueTime(permission), time < deadline ?? .distantFuture { deadline = time }
    }

    private static func dueTime(_ permission: Permission) -> Instant? {
        switch permission.state {
        case .due(let time), .installed(renewAt: let time): time
        case .requesting, .denied: nil
        }
    }

    /// True where the permission is new.
    mutating func granted(_ ip: IPAddress, now: Instant) -> Bool {
        guard let known = entries[ip] else { return false }
        set(Permission(state: .installed(renewAt: now + Self.renewalInterval), isInstalled: true), for: ip)
        return !known.isInstalled
    }

    /// True where it was wanted.
    mutating func denied(_ ip: IPAddress, _ error: TURNError, now: Instant) -> Bool {
        guard entries[ip] != nil else { return false }
        entries[ip] = Permission(state: .denied(until: now + Self.denialInterval, error))
        return true
    }

    mutating func unanswered(_ ip: IPAddress, now: Instant) {
        guard var permission = entries[ip] else { return }
        permission.state = .due(now + Self.retryInterval)
        set(permission, for: ip)
    }

    /// The allocation is gone and every permission with it; the wishes stay.
    mutating func allocationLost(now: Instant) {
        for ip in Array(entries.keys) { set(Permission(state: .due(now)), for: ip) }
    }
}
