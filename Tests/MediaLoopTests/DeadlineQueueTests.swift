import Core
import Testing

@testable import MediaLoop

@Suite struct DeadlineQueueTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("Deadlines come out in their order, whatever the order they went in")
    func order() {
        var queue = DeadlineQueue()
        let random = RandomSource.seeded(7)
        let deadlines = (0..<500).map { _ in Int64(random.uint16()) }
        for (index, deadline) in deadlines.enumerated() { queue.insert(ViewerID(UInt64(index)), at: at(deadline)) }
        var out: [(viewer: ViewerID, deadline: Instant)] = []
        while let next = queue.popExpired(now: .distantFuture) { out.append(next) }
        #expect(out.map(\.deadline) == deadlines.sorted().map(at))
        #expect(out.allSatisfy { at(deadlines[Int($0.viewer.value)]) == $0.deadline })
        #expect(queue.isEmpty && queue.next == nil)
    }

    @Test("What is not due stays")
    func notDue() {
        var queue = DeadlineQueue()
        queue.insert(ViewerID(1), at: at(10))
        queue.insert(ViewerID(2), at: at(5))
        #expect(queue.next == at(5))
        #expect(queue.popExpired(now: at(4)) == nil)
        #expect(queue.popExpired(now: at(5))?.viewer == ViewerID(2))
        #expect(queue.popExpired(now: at(9)) == nil)
        #expect(queue.popExpired(now: at(10))?.viewer == ViewerID(1))
    }
}
