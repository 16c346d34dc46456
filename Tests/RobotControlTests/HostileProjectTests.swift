import Core
import Glibc
import Networking
import TestSupport
import Testing

@testable import RobotControl

/// Projects that do what a project should not, and the server and the next call unharmed.
@Suite(.timeLimit(.minutes(1)))
struct HostileProjectTests {
    private static let echo = "def echo(value=None): return value\n"

    /// Calls a method that ends its worker, and then the next one.
    private func outcome(
        _ code: String, _ change: (inout RunnerConfiguration) -> Void
    ) async throws -> (message: String, fixture: RunnerFixture) {
        let fixture = try RunnerFixture(change)
        _ = try await fixture.runner.load(try fixture.project(Self.echo + code))
        guard case .error("worker_ended", let message, _) = await fixture.call("harm") else { return ("none", fixture) }
        #expect(await fixture.call("echo", ["value": 1]) == .value(1))
        return (message, fixture)
    }

    @Test func `one that eats memory`() async throws {
        let (message, fixture) = try await outcome(
            "def harm():\n    x = bytearray(300 << 20)\n    import time\n    time.sleep(100)\n"
        ) {
            $0.limits.residentBytes = 150 << 20
        }
        #expect(message.contains("over its limit: memory"))
        await fixture.end()
    }

    @Test func `one that fills the disk`() async throws {
        let code = """
            import os, time
            def harm():
                for i in range(40): open(os.environ['AVATAR_STREAMER_SCRATCH'] + f'/{i}', 'wb').write(b'x' * 100000)
                time.sleep(100)
            """
        let (message, fixture) = try await outcome(code) { $0.limits.scratchBytes = 1 << 20 }
        #expect(message.contains("over its limit: disk"))
        await fixture.end()
    }

    @Test func `one that writes where it must not`() async throws {
        let fixture = try RunnerFixture()
        let code =
            "import os\ndef write(path):\n    try: open(path, 'w').close(); return 'done'\n    except OSError as e: return e.strerror\ndef scratch(): return os.environ['AVATAR_STREAMER_SCRATCH']\n"
        let project = try fixture.project(code)
        _ = try await fixture.runner.load(project)
        guard case .value(.string(let scratch)) = await fixture.call("scratch") else { return }
        #expect(await fixture.call("write", ["path": .string(scratch + "/x")]) == .value("done"))
        if fixture.runner.status.confinement?.missing.contains(where: { $0.hasPrefix("Landlock") }) == false {
            for path in [project.path + "/main.py", fixture.directory + "/x", "/etc/x"] {
                #expect(await fixture.call("write", ["path": .string(path)]) == .value("Permission denied"))
            }
        }
        await fixture.end()
    }

    @Test func `one that forks without end`() async throws {
        let code = """
            import os, time
            def harm():
                for i in range(40):
                    if os.fork() == 0:
                        if i % 2: os.setsid()
                        time.sleep(1000)
                        os._exit(0)
                time.sleep(100)
            """
        let (message, fixture) = try await outcome(code) { $0.limits.processes = getuid() == 0 ? 30 : 100_000 }
        #expect(getuid() != 0 || message.contains("over its limit: processes"))
        await fixture.end()
    }

    @Test func `one that uses the processor for ever`() async throws {
        let (message, fixture) = try await outcome("def harm():\n    while True: pass\n") { $0.limits.cpuSeconds = 1 }
        #expect(message.contains("CPU time"))
        await fixture.end()
    }

    @Test func `one that leaves a daemon behind`() async throws {
        let code = """
            import os, signal, time
            def daemon():
                read, write = os.pipe()
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() != 0: os._exit(0)
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    os.write(write, str(os.getpid()).encode())
                    while True: time.sleep(1)
                return int(os.read(read, 20))
            """
        let fixture = try RunnerFixture()
        _ = try await fixture.runner.load(try fixture.project(Self.echo + code))
        guard case .value(.integer(let daemon)) = await fixture.call("daemon") else { return }
        #expect(isRunning(Int32(daemon)))
        await fixture.end()
        #expect(await hasEnded(Int32(daemon)))
    }

    @Test func `one that prints without end`() async throws {
        let fixture = try RunnerFixture { $0.linesPerSecond = 50 }
        let code = "import os\ndef harm():\n    for i in range(200): os.write(1, b'0123456789abcde\\n' * 6553)\n"
        _ = try await fixture.runner.load(try fixture.project(Self.echo + code))
        #expect(await fixture.call("harm") == .value(.null))
        #expect(await fixture.call("echo", ["value": 1]) == .value(1))
        let total = 200 * 6553
        let isCounted = await fixture.lines.wait { lines in
            lines.contains { $0.source == .server && $0.text.contains("left out") }
        }
        #expect(isCounted)
        await fixture.end()
        let told = fixture.lines.current.count { $0.source == .output }
        #expect(told < 5000)
        let leftOut = Int(fixture.count("avatar_streamer_robot_control_lines_left_out_total"))
        // Nothing of it is forgotten; Python may have something to say on standard error as well.
        #expect((total...(total + 100)).contains(told + leftOut))
    }

    @Test func `one that pushes without end`() async throws {
        let fixture = try RunnerFixture { $0.pushesPerSecond = 500 }
        let code = "def harm(n):\n    for i in range(n): push_message('tick', {'i': i})\n"
        _ = try await fixture.runner.load(try fixture.project(Self.echo + code))
        let pid = fixture.runner.status.processIdentifier
        async let flood = fixture.call("harm", ["n": 100_000])
        #expect(await fixture.pushes.wait { $0.count > 100 })
        #expect(await flood == .value(.null))
        #expect(await fixture.call("echo", ["value": 1]) == .value(1))
        #expect(fixture.runner.status.processIdentifier == pid && fixture.runner.status.restarts == 0)
        await fixture.end()
        let read = fixture.count("avatar_streamer_robot_control_pushes_total")
        let dropped = fixture.count("avatar_streamer_robot_control_pushes_dropped_total")
        // The rest was dropped by the worker, whose socket was full.
        #expect(read < 50_000 && read + dropped <= 100_000 && dropped > 0)
    }
}
