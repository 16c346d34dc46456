internal import Core

/// When which viewer wants its timer: a binary heap with one live entry a viewer.
///
/// Most inputs move a deadline later. Such a move costs nothing here: the entry fires at its old time, and the viewer is asked again.
struct DeadlineQueue {
    private struct Entry {
        var deadline: Instant
        var viewer: ViewerID
    }
    private var heap: [Entry] = []

    var isEmpty: Bool { heap.isEmpty }
    /// The earliest deadline of all.
    var next: Instant? { heap.first?.deadline }

    mutating func insert(_ viewer: ViewerID, at deadline: Instant) {
        heap.append(Entry(deadline: deadline, viewer: viewer))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the earliest entry whose deadline has passed.
    mutating func popExpired(now: Instant) -> (viewer: ViewerID, deadline: Instant)? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.viewer, first.deadline)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            let left = parent * 2 + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && heap[right].deadline < heap[left].deadline ? right : left
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
