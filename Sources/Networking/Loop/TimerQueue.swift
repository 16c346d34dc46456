internal import Core

/// Names one armed timer of one loop; never used twice.
package struct TimerID: Hashable, Sendable {
    let value: UInt64
}

/// The armed timers of a loop: a binary heap by deadline, with cancelled entries dropped when they surface.
struct TimerQueue {
    private struct Entry {
        var deadline: Instant
        var id: TimerID
    }
    private var heap: [Entry] = []
    private var handlers: [TimerID: () -> Void] = [:]
    private var lastID: UInt64 = 0

    var count: Int { handlers.count }

    mutating func add(at deadline: Instant, _ handler: @escaping () -> Void) -> TimerID {
        lastID += 1
        let id = TimerID(value: lastID)
        handlers[id] = handler
        heap.append(Entry(deadline: deadline, id: id))
        siftUp(heap.count - 1)
        return id
    }

    mutating func cancel(_ id: TimerID) {
        guard handlers.removeValue(forKey: id) != nil else { return }
        // Cancelled entries stay in the heap until they surface; rebuild once they are the majority.
        if heap.count > 64, heap.count > 2 * handlers.count { compact() }
    }

    /// When the next live timer is due.
    mutating func nextDeadline() -> Instant? {
        while let first = heap.first {
            if handlers[first.id] != nil { return first.deadline }
            removeFirst()
        }
        return nil
    }

    /// Takes one timer that is due.
    mutating func popDue(_ now: Instant) -> (() -> Void)? {
        while let first = heap.first, first.deadline <= now {
            removeFirst()
            if let handler = handlers.removeValue(forKey: first.id) { return handler }
        }
        return nil
    }

    mutating func removeAll() {
        heap.removeAll()
        handlers.removeAll()
    }

    private mutating func compact() {
        let live = heap.filter { handlers[$0.id] != nil }
        heap.removeAll(keepingCapacity: true)
        for entry in live {
            heap.append(entry)
            siftUp(heap.count - 1)
        }
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].deadline < heap[least].deadline {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }
}
