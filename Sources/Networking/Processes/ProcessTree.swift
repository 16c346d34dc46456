internal import Core
internal import Glibc

/// A confined program and everything that it started, also what left its group, its session and its parents behind.
///
/// A control group holds it where there is one. Otherwise a process belongs to the tree if its parent or its session does
/// (orphans become the program's own children), if it was seen there before, or if it carries the tree's mark: a hard limit that
/// is inherited across everything a program can do, and cannot be guessed.
struct ProcessTree {
    private struct Key: Hashable {
        let identifier: Int32
        let startTime: UInt64

        init(_ entry: ProcessEntry) {
            identifier = entry.identifier
            startTime = entry.startTime
        }
    }

    let root: Int32
    private let mark: UInt64
    private let group: ControlGroup?
    private let rootStartTime: UInt64
    private var known: Set<Key> = []
    private var strangers: Set<Key> = []

    init(root: Int32, mark: UInt64, group: ControlGroup?) {
        self.root = root
        self.mark = mark
        self.group = group
        rootStartTime = ProcessEntry(root)?.startTime ?? 0
    }

    /// The processes of the tree that run now.
    mutating func members() -> [ProcessEntry] {
        if let group { return group.members.compactMap { ProcessEntry($0) }.filter { !$0.isZombie } }
        let candidates = ProcessEntry.all().filter { $0.startTime >= rootStartTime && $0.identifier != getpid() }
        var members: [Int32: ProcessEntry] = [:]
        for entry in candidates where entry.identifier == root || isMarked(entry) { members[entry.identifier] = entry }
        var isComplete = false
        while !isComplete {
            isComplete = true
            for entry in candidates where members[entry.identifier] == nil {
                guard members[entry.parent] != nil || entry.session == root else { continue }
                members[entry.identifier] = entry
                isComplete = false
            }
        }
        known = Set(members.values.map(Key.init))
        strangers = Set(candidates.filter { members[$0.identifier] == nil }.map(Key.init))
        return members.values.filter { !$0.isZombie }
    }

    private func isMarked(_ entry: ProcessEntry) -> Bool {
        let key = Key(entry)
        return known.contains(key) || !strangers.contains(key) && entry.mark == mark
    }

    /// Kills all of it, until nothing is left or `patience` is over; whether nothing is left.
    mutating func kill(patience: Duration = .seconds(5)) -> Bool {
        let end = SystemClock.now() + patience
        var pause: UInt32 = 500
        var condemned: [ProcessEntry] = []
        repeat {
            let left = members()
            // A group forgets its processes a little before they have ended.
            condemned = (condemned + left).filter(\.isStillRunning)
            if left.isEmpty, condemned.isEmpty, group?.isPopulated != true { return true }
            group?.kill()
            for entry in left { _ = Glibc.kill(entry.identifier, SIGKILL) }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        } while SystemClock.now() < end
        return false
    }

    /// Which limit the tree is over; nil: none.
    mutating func excess(of limits: ProcessLimits) -> ProcessExcess? {
        if group?.wasKilledForMemory == true { return .memory }
        guard limits.processes != nil || limits.residentBytes != nil else { return nil }
        let members = members()
        // At the limit the kernel refuses where the group has it; past it we end the tree.
        if let most = limits.processes, members.reduce(0, { $0 + $1.threads }) > most { return .processes }
        guard let most = limits.residentBytes else { return nil }
        if let used = group?.memoryBytes { return used > most ? .memory : nil }
        guard members.reduce(0, { $0 + $1.residentBytes }) > most else { return nil }
        // Memory that its processes share was counted for each of them.
        return members.reduce(0, { $0 + $1.proportionalBytes }) > most ? .memory : nil
    }
}

/// The limit for which a program was ended.
package enum ProcessExcess: String, Sendable, Equatable {
    case memory, processes, disk
}
