import Core
import TestSupport
import Testing

@testable import MediaPipeline

@Suite("The supervisor of an engine")
struct EngineSupervisorTests {
    private func drain(_ supervisor: inout EngineSupervisor) -> [EngineSupervisor.Output] {
        var outputs: [EngineSupervisor.Output] = []
        while let output = supervisor.pollOutput() { outputs.append(output) }
        return outputs
    }

    /// A child that said hello.
    private func serving(_ clock: ManualClock) -> EngineSupervisor {
        var supervisor = EngineSupervisor(hasChild: true)
        supervisor.handle(.start, now: clock.now)
        supervisor.handle(.childStarted, now: clock.now)
        supervisor.handle(.helloAccepted, now: clock.now)
        _ = drain(&supervisor)
        return supervisor
    }

    @Test("pings every half second and is content with pongs")
    func pings() {
        var clock = ManualClock()
        var supervisor = serving(clock)
        for id in 1...20 {
            #expect(supervisor.deadline == clock.now)
            supervisor.handle(.timeout, now: clock.now)
            #expect(drain(&supervisor) == [.sendPing(id: Int64(id))])
            clock.advance(by: .milliseconds(300))
            supervisor.handle(.pong(id: Int64(id)), now: clock.now)
            clock.advance(by: .milliseconds(200))
        }
        #expect(supervisor.failure == nil)
    }

    @Test("names why a hello was refused when the child ends over it, and forgets it with the next start")
    func refusal() {
        var clock = ManualClock()
        var supervisor = EngineSupervisor(hasChild: true)
        supervisor.handle(.start, now: clock.now)
        supervisor.handle(.childStarted, now: clock.now)
        supervisor.handle(.helloRefused(reason: "avatar anna is engine a's"), now: clock.now)
        supervisor.handle(.childEnded(reason: "exit status 1"), now: clock.now)
        #expect(supervisor.failure == "its hello was refused: avatar anna is engine a's")
        clock.advance(by: .milliseconds(500))
        supervisor.handle(.timeout, now: clock.now)
        supervisor.handle(.childStarted, now: clock.now)
        supervisor.handle(.childEnded(reason: "signal 11"), now: clock.now)
        #expect(supervisor.failure == "it ended: signal 11")
    }

    @Test("kills a child that hangs, and starts it again half a second after its end")
    func hang() {
        var clock = ManualClock()
        var supervisor = serving(clock)
        let start = clock.now
        var outputs: [EngineSupervisor.Output] = []
        while !outputs.contains(.killChild), clock.now - start < .seconds(10) {
            clock.advance(by: .milliseconds(100))
            supervisor.handle(.timeout, now: clock.now)
            outputs += drain(&supervisor)
        }
        #expect(clock.now - start <= .milliseconds(2200))
        #expect(outputs.contains(.countHang))
        #expect(supervisor.phase == .dying)
        supervisor.handle(.childEnded(reason: "signal 9"), now: clock.now)
        #expect(supervisor.deadline == clock.now + .milliseconds(500))
        clock.advance(by: .milliseconds(500))
        supervisor.handle(.timeout, now: clock.now)
        #expect(drain(&supervisor) == [.countRestart, .startChild])
    }

    @Test("doubles the pause to 30 s, and gives up after so many restarts, with the reason")
    func backoff() {
        var clock = ManualClock()
        var limits = EngineSupervisor.Limits()
        limits.maximumRestarts = 8
        var supervisor = EngineSupervisor(hasChild: true, limits: limits)
        supervisor.handle(.start, now: clock.now)
        var pauses: [Double] = []
        while supervisor.phase != .givenUp, pauses.count < 50 {
            supervisor.handle(.childStarted, now: clock.now)
            supervisor.handle(.childEnded(reason: "exit status 3"), now: clock.now)
            guard case .backingOff(let until) = supervisor.phase else { break }
            pauses.append((until - clock.now).seconds)
            clock.advance(by: until - clock.now)
            supervisor.handle(.timeout, now: clock.now)
        }
        #expect(pauses == [0.5, 1, 2, 4, 8, 16, 30, 30])
        #expect(supervisor.phase == .givenUp)
        #expect(supervisor.failure?.contains("exit status 3") == true)
        #expect(supervisor.deadline == nil)
    }

    @Test("is patient again with one that worked well for a minute")
    func goodWork() {
        var clock = ManualClock()
        var supervisor = EngineSupervisor(hasChild: true)
        supervisor.handle(.start, now: clock.now)
        for _ in 0..<3 {
            supervisor.handle(.childEnded(reason: "x"), now: clock.now)
            clock.advance(by: .seconds(30))
            supervisor.handle(.timeout, now: clock.now)
        }
        supervisor.handle(.childStarted, now: clock.now)
        supervisor.handle(.helloAccepted, now: clock.now)
        clock.advance(by: .seconds(61))
        supervisor.handle(.childEnded(reason: "x"), now: clock.now)
        #expect(supervisor.phase == .backingOff(until: clock.now + .milliseconds(500)))
    }

    @Test("kills a child that says no hello in its time")
    func silent() {
        var clock = ManualClock()
        var supervisor = EngineSupervisor(hasChild: true)
        supervisor.handle(.start, now: clock.now)
        supervisor.handle(.childStarted, now: clock.now)
        _ = drain(&supervisor)
        clock.advance(by: .seconds(120))
        supervisor.handle(.timeout, now: clock.now)
        #expect(drain(&supervisor) == [.killChild])
    }

    @Test("bears a hundred faults a minute, and no more")
    func faults() {
        let clock = ManualClock()
        var supervisor = serving(clock)
        for _ in 0..<100 { supervisor.handle(.fault, now: clock.now) }
        #expect(drain(&supervisor) == [])
        supervisor.handle(.fault, now: clock.now)
        #expect(drain(&supervisor).contains(.killChild))
    }

    @Test("only forgets an engine that runs by itself, and awaits it again")
    func external() {
        var clock = ManualClock()
        var supervisor = EngineSupervisor(hasChild: false)
        supervisor.handle(.start, now: clock.now)
        #expect(supervisor.failure != nil)
        supervisor.handle(.helloAccepted, now: clock.now)
        supervisor.handle(.timeout, now: clock.now)
        _ = drain(&supervisor)
        clock.advance(by: .seconds(3))
        supervisor.handle(.timeout, now: clock.now)
        #expect(drain(&supervisor) == [.countHang, .forgetPeer(reason: "it hung: no pong for 2.0 s")])
        #expect(supervisor.phase == .awaiting(deadline: nil))
        supervisor.handle(.helloAccepted, now: clock.now)
        #expect(supervisor.failure == nil)
    }

    @Test("stops in steps: shutdown, then the child's end, then stopped")
    func stop() {
        var clock = ManualClock()
        var supervisor = serving(clock)
        supervisor.handle(.stop, now: clock.now)
        #expect(drain(&supervisor) == [.sendShutdown, .forgetPeer(reason: "the server stops")])
        clock.advance(by: .seconds(2))
        supervisor.handle(.timeout, now: clock.now)
        #expect(drain(&supervisor) == [.endChild(grace: .seconds(3))])
        supervisor.handle(.childEnded(reason: "signal 9"), now: clock.now)
        #expect(drain(&supervisor) == [.stopped])
    }

    @Test("ends a child that is only starting, too")
    func stopWhileStarting() {
        let clock = ManualClock()
        var supervisor = EngineSupervisor(hasChild: true)
        supervisor.handle(.start, now: clock.now)
        supervisor.handle(.childStarted, now: clock.now)
        _ = drain(&supervisor)
        supervisor.handle(.stop, now: clock.now)
        #expect(drain(&supervisor) == [.endChild(grace: .seconds(3))])
    }
}
