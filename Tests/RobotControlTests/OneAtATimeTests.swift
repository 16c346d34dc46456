import Synchronization
import TestSupport
import Testing

@testable import RobotControl

@Suite(.timeLimit(.minutes(1)))
struct OneAtATimeTests {
    @Test func `work is done in the order in which it was asked for, and too much is refused`() async throws {
        let queue = OneAtATime(maximumWaiting: 2)
        let done = Watched<[Int]>([])
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        // The first holds the place until two wait behind it.
        async let first: Void? = queue.run {
            done.update { $0.append(1) }
            for await _ in gate { break }
        }
        #expect(await done.wait { $0 == [1] })
        async let second: Void? = queue.run { done.update { $0.append(2) } }
        while await queue.waitingCount < 1 { await Task.yield() }
        async let third: Void? = queue.run { done.update { $0.append(3) } }
        while await queue.waitingCount < 2 { await Task.yield() }
        #expect(await queue.run { done.update { $0.append(4) } } == nil)
        open.yield()
        _ = await (first, second, third)
        #expect(done.current == [1, 2, 3])
        #expect(await queue.run { 5 } == 5)
    }

    @Test func `a failure frees the place`() async {
        let queue = OneAtATime(maximumWaiting: 0)
        await #expect(throws: ProjectFailure.self) {
            try await queue.run { () async throws(ProjectFailure) in throw ProjectFailure(code: "no", reason: "no") }
        }
        #expect(await queue.run { 1 } == 1)
    }
}
