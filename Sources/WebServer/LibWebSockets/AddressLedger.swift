internal import Core

/// What each client address may still do: connections it holds, requests it may make.
///
/// Bounded: an address without connections whose allowance is full again is forgotten.
struct AddressLedger {
    private struct Account {
        var connections = 0
        var allowance: Double
        var refilled: Instant
    }
    private var accounts: [IPAddress: Account] = [:]
    private let connectionLimit: Int
    private let requestsPerSecond: Double

    /// - Parameter requestsPerSecond: twice as many may come at once.
    init(connectionLimit: Int, requestsPerSecond: Int) {
        self.connectionLimit = connectionLimit
        self.requestsPerSecond = Double(requestsPerSecond)
    }

    var count: Int { accounts.count }

    /// False where the address holds as many connections as it may.
    mutating func open(_ address: IPAddress, now: Instant) -> Bool {
        var account = accounts[address] ?? Account(allowance: 2 * requestsPerSecond, refilled: now)
        guard account.connections < connectionLimit else { return false }
        account.connections += 1
        accounts[address] = account
        return true
    }

    mutating func close(_ address: IPAddress) {
        accounts[address]?.connections -= 1
    }

    /// Takes one request from the address's allowance; false where it is used up.
    mutating func takeRequest(_ address: IPAddress, now: Instant) -> Bool {
        guard var account = accounts[address] else { return true }
        defer { accounts[address] = account }
        refill(&account, now)
        guard account.allowance >= 1 else { return false }
        account.allowance -= 1
        return true
    }

    mutating func sweep(now: Instant) {
        for (address, var account) in accounts where account.connections <= 0 {
            refill(&account, now)
            if account.allowance >= 2 * requestsPerSecond { accounts[address] = nil }
        }
    }

    private func refill(_ account: inout Account, _ now: Instant) {
        let earned = (now - account.refilled).seconds * requestsPerSecond
        account.allowance = min(2 * requestsPerSecond, account.allowance + earned)
        account.refilled = now
    }
}
