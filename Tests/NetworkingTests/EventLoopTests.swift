import Core
import Networking
import Synchronization
import Testing

@Suite struct EventLoopTests {
    @Test("Submitted work runs on the loop's thread in the order of submission")
    func order() async throws {
        let loop = try EventLoop(name: "test")
        try loop.start()
        let seen = Mutex<[Int]>([])
        for number in 0..<1000 { loop.submit { seen.withLock { $0.append(number) } } }
        #expect(await loop.perform { loop.isOnLoop } == true)
        #expect(!loop.isOnLoop)
        #expect(seen.withLock { $0 } == Array(0..<1000))
        await loop.stop()
    }

    @Test("Timers run by deadline, and a cancelled one never runs")
    func timers() async throws {
        let loop = try EventLoop(name: "test")
        try loop.start()
        let order = await withCheckedContinuation { (continuation: CheckedContinuation<[Int], Never>) in
            loop.submit {
                let seen = LoopBound<[Int]>([], on: loop)
                let start = loop.now
                for number in [3, 1, 2] {
                    loop.schedule(at: start + .milliseconds(2 * number)) { seen.withValue { $0.append(number) } }
                }
                let cancelled = loop.schedule(at: start + .milliseconds(1)) { seen.withValue { $0.append(99) } }
                loop.cancel(cancelled)
                loop.schedule(at: start + .milliseconds(8)) {
                    #expect(loop.now >= start + .milliseconds(8))
                    continuation.resume(returning: seen.withValue { $0 })
                }
            }
        }
        #expect(order == [1, 2, 3])
        await loop.stop()
    }

    @Test("A stopped loop refuses work and says so")
    func stopped() async throws {
        let loop = try EventLoop(name: "test")
        try loop.start()
        let ran = Atomic<Bool>(false)
        loop.submit { ran.store(true, ordering: .relaxed) }
        await loop.stop()
        let didRun = ran.load(ordering: .relaxed)
        #expect(didRun)
        #expect(!loop.submit {})
        #expect(await loop.perform { 1 } == nil)
        await loop.stop()
    }

    @Test("Stopping frees what the handlers captured")
    func release() async throws {
        final class Witness: Sendable {}
        weak var witness: Witness?
        let loop = try EventLoop(name: "test")
        try loop.start()
        do {
            let captured = Witness()
            witness = captured
            _ = await loop.perform {
                loop.setEndOfTurn { _ = captured }
                loop.schedule(at: .distantFuture) { _ = captured }
            }
        }
        #expect(witness != nil)
        await loop.stop()
        #expect(witness == nil)
    }
}
