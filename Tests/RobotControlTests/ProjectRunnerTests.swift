import Core
import Glibc
import Networking
import TestSupport
import Testing

@testable import RobotControl

/// Projects as operators write them, in real workers.
@Suite(.timeLimit(.minutes(1)))
struct ProjectRunnerTests {
    static let echo = "def echo(value=None): return value\n"

    @Test func `a project is loaded, called and shut down without a trace`() async throws {
        let fixture = try RunnerFixture()
        let project = try fixture.project(Self.echo)
        let interface = try await fixture.runner.load(project)
        #expect(interface.objects.text.contains("echo"))
        let status = fixture.runner.status
        #expect(status.state == .ready && status.kind == "python" && status.project == project)
        #expect(status.runtime == "python test" && status.confinement?.inForce.isEmpty == false)
        let values: [JSONValue] = [1, .number(1.5), "ü", .null, [true], ["a": [1, 2]]]
        for value in values { #expect(await fixture.call("echo", ["value": value]) == .value(value)) }
        #expect(await fixture.call("nothing").code == "exception")
        let pid = try #require(status.processIdentifier)
        await fixture.end()
        #expect(await hasEnded(pid))
        #expect(await fixture.call("echo").code == "no_project")
        #expect(fixture.count("avatar_streamer_robot_control_worker_starts_total") == 1)
    }

    @Test func `without a project there is nothing to call`() async throws {
        let fixture = try RunnerFixture()
        #expect(await fixture.call("echo") == .noProject)
        await #expect(throws: ProjectFailure.self) { _ = try await fixture.runner.restart() }
        do {
            _ = try await fixture.runner.load(try fixture.project(["readme": "x"], name: "empty"))
            Issue.record("loaded")
        } catch {
            #expect((error as? ProjectFailure)?.code == "unknown_kind")
        }
        await fixture.end()
    }

    @Test func `a project that does not load leaves the running one as it was`() async throws {
        let fixture = try RunnerFixture { $0.supervision.loadTime = .milliseconds(600) }
        _ = try await fixture.runner.load(try fixture.project(Self.echo))
        let pid = fixture.runner.status.processIdentifier
        let bad = [
            "raise ValueError('broken')", "syntax error", "import os; os._exit(3)", "import time; time.sleep(100)",
        ]
        for (number, code) in bad.enumerated() {
            do throws(ProjectFailure) {
                _ = try await fixture.runner.load(try fixture.bad(code, number))
                Issue.record("loaded")
            } catch {
                #expect(error.code == "load_failed")
                if number == 0 {
                    #expect(error.reason.contains("broken") && error.details?.contains("ValueError") == true)
                }
            }
            #expect(await fixture.call("echo", ["value": 7]) == .value(7))
        }
        #expect(fixture.runner.status.processIdentifier == pid)
        await fixture.end()
    }

    @Test func `a project replaces another one while a call of that one runs`() async throws {
        let fixture = try RunnerFixture()
        let slow = try fixture.project("import time\ndef echo(): push_message('on', 1); time.sleep(100)", name: "slow")
        _ = try await fixture.runner.load(slow)
        async let running = fixture.call("echo")
        #expect(await fixture.pushes.wait { !$0.isEmpty })
        async let waiting = fixture.call("echo", ["value": 2])
        _ = try await fixture.runner.load(try fixture.project(Self.echo))
        #expect(await running.code == "worker_ended")
        #expect(await waiting == .value(2))
        await fixture.end()
    }

    @Test func `a crash answers the call and the worker comes back`() async throws {
        let fixture = try RunnerFixture()
        let code =
            "import os, signal\n" + Self.echo + "def leave(): os._exit(9)\ndef crash(): os.kill(os.getpid(), 11)\n"
        _ = try await fixture.runner.load(try fixture.project(code))
        for (method, words) in [("leave", "exit status 9"), ("crash", "signal 11")] {
            guard case .error("worker_ended", let message, _) = await fixture.call(method) else {
                Issue.record("no error")
                continue
            }
            #expect(message.contains(words))
            // It waits for the next worker.
            #expect(await fixture.call("echo", ["value": 3]) == .value(3))
        }
        #expect(fixture.runner.status.restarts == 2)
        #expect(fixture.runner.status.failure?.reason.contains("signal 11") == true)
        await fixture.end()
    }

    @Test func `a worker that crashes on and on is given up, until it is loaded again`() async throws {
        let fixture = try RunnerFixture { $0.supervision.restarts = 2 }
        let code = "import os\n" + Self.echo + "def leave(): os._exit(9)\n"
        let project = try fixture.project(code)
        _ = try await fixture.runner.load(project)
        for _ in 0..<3 { #expect(await fixture.call("leave").code == "worker_ended") }
        #expect(fixture.runner.status.state == .failed)
        #expect(fixture.runner.status.failure?.code == "restart_limit")
        #expect(await fixture.call("echo").code == "worker_ended")
        _ = try await fixture.runner.restart()
        #expect(await fixture.call("echo", ["value": 1]) == .value(1))
        await fixture.end()
    }

    @Test func `a call ends at its time limit, or when it is interrupted`() async throws {
        let fixture = try RunnerFixture { $0.supervision.callTime = .milliseconds(300) }
        let code =
            Self.echo
            + "import time\ndef sleep():\n    push_message('on', 1)\n    for i in range(1000): time.sleep(0.01)\n"
        _ = try await fixture.runner.load(try fixture.project(code))
        let pid = fixture.runner.status.processIdentifier
        #expect(await fixture.call("sleep").code == "timeout")
        #expect(await fixture.call("echo", ["value": 1]) == .value(1))
        #expect(fixture.runner.status.processIdentifier == pid)
        await fixture.end()
        let patient = try RunnerFixture()
        _ = try await patient.runner.load(try patient.project(code))
        async let outcome = patient.call("sleep", id: "mine")
        #expect(await patient.pushes.wait { !$0.isEmpty })
        #expect(patient.runner.interrupt(id: "other") == 0)
        #expect(patient.runner.interrupt(id: "mine") == 1)
        #expect(await outcome.code == "interrupted")
        await patient.end()
    }

    @Test func `a call that ignores every request is killed with its worker`() async throws {
        let fixture = try RunnerFixture()
        let code = """
            import signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            def echo(value=None): return value
            def stubborn():
                push_message('on', 1)
                while True:
                    try: time.sleep(0.01)
                    except BaseException: pass
            """
        _ = try await fixture.runner.load(try fixture.project(code))
        let pid = try #require(fixture.runner.status.processIdentifier)
        async let outcome = fixture.call("stubborn")
        #expect(await fixture.pushes.wait { !$0.isEmpty })
        #expect(fixture.runner.interrupt(id: nil) == 1)
        #expect(await outcome.code == "interrupted")
        #expect(await hasEnded(pid))
        #expect(await fixture.call("echo", ["value": 4]) == .value(4))
        await fixture.end()
    }

    @Test func `a worker that says nothing any more is replaced`() async throws {
        let fixture = try RunnerFixture { $0.supervision.silenceTime = .milliseconds(700) }
        let code = Self.echo + "def hush():\n    global SILENT\n    SILENT = True\n"
        _ = try await fixture.runner.load(try fixture.project(code))
        #expect(await fixture.call("hush") == .value(.null))
        #expect(await fixture.states.wait { $0.last?.restarts == 1 && $0.last?.state == .ready })
        #expect(fixture.runner.status.failure?.reason.contains("silent") == true)
        await fixture.end()
    }

    @Test func `the client leaves, and what the project holds stays`() async throws {
        let fixture = try RunnerFixture()
        let code = """
            import time
            count = 0
            def stop():
                global count
                count += 1
            def sleep():
                push_message('on', 1)
                for i in range(1000): time.sleep(0.01)
            def stops(): return count
            """
        _ = try await fixture.runner.load(try fixture.project(code))
        let pid = fixture.runner.status.processIdentifier
        async let outcome = fixture.call("sleep")
        #expect(await fixture.pushes.wait { !$0.isEmpty })
        async let left: Void = fixture.clientLeft()
        #expect(await outcome.code == "interrupted")
        // It waits for the end of stop() where it comes meanwhile.
        #expect(await fixture.call("stops") == .value(1))
        await left
        #expect(fixture.runner.status.processIdentifier == pid && fixture.runner.status.state == .ready)
        await fixture.end()
    }

    @Test func `calls wait in order, and not without end`() async throws {
        let fixture = try RunnerFixture { $0.maximumQueuedCalls = 3 }
        let code = """
            import os, time
            seen = []
            def add(n, gate):
                push_message('on', n)
                while not os.path.exists(gate): time.sleep(0.005)
                seen.append(n)
            def all(): return seen
            """
        _ = try await fixture.runner.load(try fixture.project(code))
        let outcomes = Watched<[CallOutcome]>([])
        let gate = fixture.directory + "/gate"
        for n in 0..<6 {
            let arguments: [String: JSONValue] = ["n": .integer(Int64(n)), "gate": .string(gate)]
            fixture.runner.call(ProjectCall(object: "main", method: "add", arguments: arguments)) { outcome in
                outcomes.update { $0.append(outcome) }
            }
            if n == 0 { #expect(await fixture.pushes.wait { !$0.isEmpty }) }
        }
        #expect(outcomes.current.map(\.code) == ["busy", "busy"])
        #expect(mkdir(gate, 0o755) == 0)
        #expect(await outcomes.wait { $0.count == 6 })
        #expect(await fixture.call("all") == .value([0, 1, 2, 3]))
        await fixture.end()
    }

    @Test func `the last of two loads counts, and an unloaded project is gone`() async throws {
        let fixture = try RunnerFixture()
        let slow = try fixture.project("import time\ntime.sleep(100)", name: "slow")
        let quick = try fixture.project(Self.echo, name: "quick")
        async let first = fixture.load(slow)
        #expect(await fixture.states.wait { $0.last?.isLoading == true })
        #expect(await fixture.load(quick) == "loaded")
        #expect(await first == "superseded")
        #expect(fixture.runner.status.project == quick)
        #expect(await fixture.states.wait { $0.last?.isLoading == false })
        async let second = fixture.load(slow)
        #expect(await fixture.states.wait { $0.last?.isLoading == true })
        fixture.runner.unload()
        #expect(await second == "superseded")
        #expect(await fixture.call("echo").code == "no_project")
        #expect(fixture.runner.status.state == .none)
        await fixture.end()
    }

    @Test func `shutting down while a project loads leaves nothing`() async throws {
        let fixture = try RunnerFixture()
        let slow = try fixture.project("import time\ntime.sleep(100)", name: "slow")
        async let load = fixture.load(slow)
        #expect(await fixture.states.wait { $0.last?.isLoading == true })
        async let waiting = fixture.call("echo")
        await fixture.end()
        #expect(await load == "superseded")
        #expect(await waiting.code == "no_project")
    }

    @Test func `calls run side by side where they may`() async throws {
        // The test worker runs one at a time, which shows that all of them were sent.
        let fixture = try RunnerFixture {
            $0.runsConcurrently = true; $0.maximumConcurrentCalls = 3
        }
        let code = "import time\ndef wait():\n    push_message('on', 1)\n    for i in range(3000): time.sleep(0.01)\n"
        _ = try await fixture.runner.load(try fixture.project(code))
        let outcomes = Watched<[CallOutcome]>([])
        for _ in 0..<4 {
            fixture.runner.call(ProjectCall(object: "main", method: "wait")) { outcome in
                outcomes.update { $0.append(outcome) }
            }
        }
        #expect(await fixture.pushes.wait { !$0.isEmpty })
        #expect(fixture.runner.status.runningCalls == 3 && fixture.runner.status.queuedCalls == 1)
        await fixture.end()
        #expect(outcomes.current.count == 4 && outcomes.current.allSatisfy { $0.code != nil })
    }

    @Test func `nonsense from a worker changes nothing`() async throws {
        let fixture = try RunnerFixture()
        let code = """
            import json, os, zmq
            def echo(value=None): return value
            def nonsense():
                for raw in [b'', b'{', b'[]', b'\\xff', b'{"type":1}', b'{"type":"x"}', b'[' * 100000, b'{"type":"result"}',
                            b'{"type":"hello","protocol":1,"token":"x","pid":1,"runtime":"y"}',
                            b'{"type":"push","event":"connect","data":1}', b'{"type":"ready","objects":[],"import_seconds":-1}',
                            b'{"type":"heartbeat","calls":-1,"pushes_dropped":0}', b'\\0' * 1000000]:
                    for name in ('control', 'events'): send(name, raw=raw)
                send('control', type='hello', protocol=1, token=TOKEN, pid=1, runtime='again')
                send('calls', type='result', id='999', value='invented')
                send('calls', type='heartbeat', calls=0, pushes_dropped=0)
                stranger = zmq.Context.instance().socket(zmq.DEALER)
                stranger.connect(os.environ['AVATAR_STREAMER_WORKER_ENDPOINT'])
                stranger.send_multipart([b'a', b'b', b'c'])
                stranger.send(b'{"type":"heartbeat"}')
                stranger.close(linger=1000)
                push_message('done', 1)
            """
        _ = try await fixture.runner.load(try fixture.project(code))
        #expect(await fixture.call("nonsense") == .value(.null))
        #expect(await fixture.call("echo", ["value": 5]) == .value(5))
        #expect(await fixture.pushes.wait { $0.count == 1 })
        #expect(fixture.count("avatar_streamer_robot_control_stray_answers_total") == 1)
        #expect(fixture.count("avatar_streamer_robot_control_rubbish_total") >= 27)
        #expect(fixture.runner.status.restarts == 0)
        await fixture.end()
    }

    @Test func `a worker without the token is not taken`() async throws {
        let fixture = try RunnerFixture { $0.supervision.helloTime = .milliseconds(800) }
        let script = #"""
            #!/usr/bin/env python3
            import json, time
            print(json.dumps({"type": "ready", "objects": [], "import_seconds": 0}), flush=True)
            print(json.dumps({"type": "hello", "protocol": 1, "token": "guess", "pid": 1, "runtime": "x"}), flush=True)
            time.sleep(100)
            """#
        do throws(ProjectFailure) {
            _ = try await fixture.runner.load(try fixture.executable(script))
            Issue.record("loaded")
        } catch {
            #expect(error.code == "load_failed" && error.reason.contains("hello"))
        }
        await fixture.end()
    }
}

extension RunnerFixture {
    /// The code of its failure, or that it was loaded.
    func load(_ project: ProjectFolder) async -> String {
        do throws(ProjectFailure) {
            _ = try await runner.load(project)
            return "loaded"
        } catch {
            return error.code
        }
    }

    func bad(_ code: String, _ number: Int) throws(ProjectFailure) -> ProjectFolder {
        do { return try project(code, name: "bad\(number)") } catch {
            throw ProjectFailure(code: "test", reason: "\(error)")
        }
    }

    func executable(_ script: String) throws(ProjectFailure) -> ProjectFolder {
        do { return try project(["main": script], name: "executable") } catch {
            throw ProjectFailure(code: "test", reason: "\(error)")
        }
    }
}
