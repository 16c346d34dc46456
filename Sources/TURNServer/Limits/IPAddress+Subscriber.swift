internal import Core

extension IPAddress {
    /// What limits count as one client: an IPv4 address, or the /64 that one IPv6 subscriber has.
    var subscriber: IPAddress {
        if case .v6(let high, _) = unmapped { return .v6(high: high, low: 0) }
        return unmapped
    }
}
