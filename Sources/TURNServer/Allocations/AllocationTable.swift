internal import Core

/// All allocations, found by the client's path (what comes in) and by the relayed port (what goes out), and counted by
/// who holds them.
///
/// Allocations live in slots that are used again, so both ways in are one dictionary look-up that allocates nothing.
struct AllocationTable: Sendable {
    private(set) var slots: [Allocation?] = []
    private var freeSlots: [Int] = []
    private var slotByPath: [TURNClientPath: Int] = [:]
    private var slotByPort: [UInt16: Int] = [:]
    private var countByAddress: [IPAddress: Int] = [:]
    private var countByUsername: [String: Int] = [:]
    private var portCursor: UInt16
    private let reservedPorts: ClosedRange<UInt16>
    private let takenPorts: Set<UInt16>

    /// Ports are given in turn from a random start, so that each comes back as late as it can.
    init(reservedPorts: ClosedRange<UInt16>, takenPorts: Set<UInt16>, random: RandomSource) {
        self.reservedPorts = reservedPorts
        self.takenPorts = takenPorts
        portCursor = max(random.uint16(), Self.lowestPort)
    }

    /// RFC 8656 §7.2: well-known ports are not given out.
    private static let lowestPort: UInt16 = 1024

    var count: Int { slotByPath.count }
    func count(ofAddress address: IPAddress) -> Int { countByAddress[address.subscriber] ?? 0 }
    func count(ofUsername username: String) -> Int { countByUsername[username] ?? 0 }
    func slot(of path: TURNClientPath) -> Int? { slotByPath[path] }
    func slot(ofRelayedPort port: UInt16) -> Int? { slotByPort[port] }

    /// The allocation of a slot that ``slot(of:)`` or ``slot(ofRelayedPort:)`` gave and nothing removed since: both
    /// dictionaries lose a slot in the same call that empties it.
    subscript(slot: Int) -> Allocation {
        get { slots[slot]! }
        _modify { yield &slots[slot]! }
    }

    /// The next free relayed port; nil where all are taken.
    mutating func nextPort() -> UInt16? {
        for _ in 0...Int(UInt16.max) {
            portCursor = portCursor == .max ? Self.lowestPort : portCursor + 1
            if slotByPort[portCursor] == nil, !reservedPorts.contains(portCursor), !takenPorts.contains(portCursor) {
                return portCursor
            }
        }
        return nil
    }

    mutating func insert(_ allocation: Allocation) {
        let slot = freeSlots.popLast() ?? slots.count
        if slot == slots.count { slots.append(allocation) } else { slots[slot] = allocation }
        slotByPath[allocation.path] = slot
        slotByPort[allocation.relayedPort] = slot
        countByAddress[allocation.path.address.ip.subscriber, default: 0] += 1
        countByUsername[allocation.username, default: 0] += 1
    }

    mutating func remove(slot: Int) -> Allocation {
        let allocation = self[slot]
        slots[slot] = nil
        freeSlots.append(slot)
        slotByPath[allocation.path] = nil
        slotByPort[allocation.relayedPort] = nil
        Self.decrement(&countByAddress, allocation.path.address.ip.subscriber)
        Self.decrement(&countByUsername, allocation.username)
        return allocation
    }

    private static func decrement<Key>(_ counts: inout [Key: Int], _ key: Key) {
        let left = (counts[key] ?? 1) - 1
        counts[key] = left > 0 ? left : nil
    }
}
