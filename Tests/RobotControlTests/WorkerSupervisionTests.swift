import Core
import Networking
import TestSupport
import Testing

@testable import RobotControl

/// The supervision alone, with a clock that is moved by hand.
struct WorkerSupervisionTests {
    private struct Bench {
        var clock = ManualClock()
        var supervision: WorkerSupervision
        let limits: WorkerSupervision.Limits

        init(_ change: (inout WorkerSupervision.Limits) -> Void = { _ in }) {
            var limits = WorkerSupervision.Limits()
            change(&limits)
            self.limits = limits
            supervision = WorkerSupervision(limits: limits)
        }

        @discardableResult
        mutating func handle(_ input: WorkerSupervision.Input) -> [WorkerSupervision.Order] {
            supervision.handle(input, now: clock.now)
        }

        /// Lets time pass up to the deadline; the orders of its timeout.
        mutating func passDeadline() -> [WorkerSupervision.Order] {
            clock.advance(by: supervision.deadline - clock.now)
            return handle(.timeout)
        }

        /// Seconds until the deadline.
        var wait: Double { (supervision.deadline - clock.now).seconds }

        mutating func load() {
            handle(.start)
            handle(.event(.hello(runtime: "x")))
            handle(.event(.loading))
            handle(.event(.ready(ProjectInterface(objects: []), importTime: .seconds(1))))
        }

        mutating func beat() { handle(.event(.heartbeat(calls: 0, pushesDropped: 0))) }
    }

    private let crash = WorkerSupervision.Input.event(.ended(.killed(signal: 11)))

    @Test func `a worker says hello, loads and is ready`() {
        var bench = Bench()
        #expect(bench.handle(.start) == [.launch])
        #expect(bench.wait == 10)
        bench.handle(.event(.hello(runtime: "x")))
        #expect(bench.wait == 60 && !bench.supervision.canCall)
        bench.handle(.event(.ready(ProjectInterface(objects: []), importTime: .zero)))
        #expect(bench.supervision.canCall && bench.wait == 10)
        bench.clock.advance(by: .seconds(9))
        bench.beat()
        #expect(bench.wait == 10)
    }

    @Test func `a worker that is not ready in time is ended, and not tried again`() {
        for saysHello in [false, true] {
            var bench = Bench()
            bench.handle(.start)
            if saysHello { bench.handle(.event(.hello(runtime: "x"))) }
            #expect(bench.passDeadline() == [.end(grace: .seconds(3))])
            #expect(bench.handle(.event(.ended(.killed(signal: 15)))).isEmpty)
            guard case .failed(let failure) = bench.supervision.state else {
                Issue.record("\(bench.supervision.state)")
                return
            }
            #expect(failure.code == "load_failed" && failure.reason.contains(saysHello ? "60" : "10"))
        }
    }

    @Test func `a project that cannot be loaded says why`() {
        var bench = Bench()
        bench.handle(.start)
        bench.handle(.event(.hello(runtime: "x")))
        bench.handle(.event(.failed(stage: "import", error: "boom", traceback: "line 1")))
        bench.handle(.event(.ended(.exited(status: 1))))
        let failure = ProjectFailure(code: "load_failed", reason: "import: boom", details: "line 1")
        #expect(bench.supervision.state == .failed(failure))
    }

    @Test func `a worker that says it failed and stays is ended`() {
        var bench = Bench()
        bench.handle(.start)
        bench.handle(.event(.hello(runtime: "x")))
        bench.handle(.event(.failed(stage: "init", error: "boom", traceback: nil)))
        #expect(bench.passDeadline() == [.end(grace: .seconds(3))])
    }

    @Test func `pauses between restarts double, and come to an end`() {
        var bench = Bench { $0.restarts = 8 }
        bench.load()
        var pauses: [Double] = []
        while pauses.count < 8 {
            #expect(bench.handle(crash) == [.countRestart])
            pauses.append(bench.wait)
            #expect(bench.passDeadline() == [.launch])
            bench.handle(.event(.hello(runtime: "x")))
            bench.handle(.event(.ready(ProjectInterface(objects: []), importTime: .zero)))
        }
        #expect(pauses == [0.5, 1, 2, 4, 8, 16, 30, 30])
        #expect(bench.handle(crash).isEmpty)
        guard case .failed(let failure) = bench.supervision.state else {
            Issue.record("\(bench.supervision.state)")
            return
        }
        #expect(failure.code == "restart_limit" && failure.reason.contains("signal 11"))
        #expect(bench.supervision.deadline == .distantFuture)
    }

    @Test func `crashes that are long over do not count`() {
        var bench = Bench { $0.restarts = 1 }
        bench.load()
        for _ in 0..<3 {
            #expect(bench.handle(crash) == [.countRestart])
            #expect(bench.wait == 0.5)
            #expect(bench.passDeadline() == [.launch])
            bench.handle(.event(.hello(runtime: "x")))
            bench.handle(.event(.ready(ProjectInterface(objects: []), importTime: .zero)))
            bench.clock.advance(by: .seconds(301))
            bench.beat()
        }
        #expect(bench.supervision.restartCount == 3)
    }

    @Test func `silence ends a worker`() {
        var bench = Bench()
        bench.load()
        #expect(bench.passDeadline() == [.end(grace: .seconds(3))])
        #expect(bench.handle(.event(.ended(.killed(signal: 9)))) == [.countRestart])
        #expect(bench.supervision.lastFailure?.reason.contains("silent") == true)
    }

    @Test func `a call over its time is interrupted, then its worker is ended`() {
        var bench = Bench { $0.silenceTime = .seconds(10_000) }
        bench.load()
        bench.handle(.called(id: "1"))
        bench.handle(.called(id: "2"))
        bench.clock.advance(by: .seconds(1))
        bench.handle(.called(id: "3"))
        #expect(bench.wait == 299)
        #expect(bench.passDeadline() == [.send(.interrupt(id: "1")), .send(.interrupt(id: "2"))])
        // One obeys.
        let obeyed = bench.handle(.event(.finished(id: "1", .error(code: "interrupted", message: "x", traceback: "t"))))
        guard case .finish("1", .error("timeout", _, "t"))? = obeyed.first else {
            Issue.record("\(obeyed)")
            return
        }
        #expect(bench.passDeadline() == [.send(.interrupt(id: "3"))])
        #expect(bench.passDeadline() == [.end(grace: .seconds(3))])
        let orders = bench.handle(.event(.ended(.killed(signal: 15))))
        #expect(orders.count == 3)
        for (order, code) in zip(orders, ["timeout", "timeout"]) {
            guard case .finish(_, let outcome) = order else { continue }
            #expect(outcome.code == code)
        }
    }

    @Test func `an interrupted call may still return its value`() {
        var bench = Bench()
        bench.load()
        bench.handle(.called(id: "1"))
        #expect(bench.handle(.interrupt(id: "1")) == [.send(.interrupt(id: "1"))])
        #expect(bench.handle(.interrupt(id: "1")).isEmpty)
        #expect(bench.handle(.event(.finished(id: "1", .value(1)))) == [.finish(id: "1", .value(1))])
        #expect(bench.handle(.event(.finished(id: "1", .value(1)))) == [.countStray])
        #expect(bench.handle(.event(.finished(id: "never", .value(1)))) == [.countStray])
        #expect(bench.handle(.interrupt(id: nil)).isEmpty)
    }

    @Test func `a crash ends the calls that ran`() {
        var bench = Bench()
        bench.load()
        bench.handle(.called(id: "1"))
        bench.handle(.called(id: "2"))
        let orders = bench.handle(crash)
        guard case .finish("1", let first) = orders[0], case .finish("2", let second) = orders[1] else {
            Issue.record("\(orders)")
            return
        }
        #expect(first.code == "worker_ended" && second.code == "worker_ended")
    }

    @Test func `a client that leaves stops the project, once`() {
        var bench = Bench()
        bench.load()
        #expect(bench.handle(.clientLeft) == [.send(.stop(within: .seconds(5)))])
        #expect(bench.handle(.clientLeft).isEmpty && !bench.supervision.canCall)
        #expect(bench.wait == 6)
        bench.handle(.event(.stopped(errors: [], threads: [])))
        #expect(bench.supervision.canCall)
        bench.handle(.clientLeft)
        #expect(bench.passDeadline() == [.end(grace: .seconds(3))])
    }

    @Test func `closing shuts a worker down, and ends it where it does not obey`() {
        var bench = Bench()
        bench.load()
        #expect(bench.handle(.close) == [.send(.shutdown(within: .seconds(5)))])
        #expect(bench.wait == 6)
        #expect(bench.passDeadline() == [.end(grace: .seconds(3))])
        #expect(bench.handle(.event(.ended(.killed(signal: 9)))).isEmpty)
        #expect(bench.supervision.state == .closed)
        var early = Bench()
        early.handle(.start)
        #expect(early.handle(.close) == [.end(grace: .seconds(3))])
        var paused = Bench()
        paused.load()
        paused.handle(crash)
        #expect(paused.handle(.close).isEmpty && paused.supervision.state == .closed)
        #expect(paused.handle(.timeout).isEmpty)
    }

    /// Whatever comes in whatever order: no call is left without an end, and none gets two.
    @Test(arguments: 0..<200)
    func `every call is finished once`(seed: Int) {
        let random = RandomSource.seeded(UInt64(seed))
        var bench = Bench { $0.restarts = 2 }
        var open: Set<String> = []
        var next = 0
        func obey(_ orders: [WorkerSupervision.Order]) {
            for case .finish(let id, _) in orders { #expect(open.remove(id) != nil) }
        }
        obey(bench.handle(.start))
        for _ in 0..<100 {
            switch random.uint32() % 16 {
            case 0: obey(bench.handle(.event(.hello(runtime: "x"))))
            case 1: obey(bench.handle(.event(.ready(ProjectInterface(objects: []), importTime: .zero))))
            case 2...5 where bench.supervision.canCall:
                next += 1
                open.insert("\(next)")
                obey(bench.handle(.called(id: "\(next)")))
            case 6: obey(bench.handle(.event(.finished(id: "\(random.uint32() % 20)", .value(.null)))))
            case 7: obey(bench.handle(.interrupt(id: random.uint32() % 2 == 0 ? nil : "\(next)")))
            case 8: obey(bench.handle(.clientLeft))
            case 9: obey(bench.handle(.event(.stopped(errors: [], threads: []))))
            case 10 where bench.supervision.hasProcess && random.uint32() % 4 == 0: obey(bench.handle(crash))
            case 11 where bench.supervision.deadline < .distantFuture: obey(bench.passDeadline())
            case 12: bench.beat()
            case 13 where random.uint32() % 16 == 0: obey(bench.handle(.close))
            default: bench.clock.advance(by: .seconds(1))
            }
            #expect(bench.supervision.callCount == open.count)
        }
        _ = bench.handle(.close)
        if bench.supervision.hasProcess { obey(bench.handle(crash)) }
        #expect(open.isEmpty && bench.supervision.state == .closed)
    }
}
