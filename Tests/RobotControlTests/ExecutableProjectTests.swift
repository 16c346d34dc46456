import Core
import Glibc
import Networking
import TestSupport
import Testing

@testable import RobotControl

/// The second kind of project: a program of any language that speaks a message a line.
@Suite(.timeLimit(.minutes(1)))
struct ExecutableProjectTests {
    private static let program = #"""
        #!/usr/bin/env python3
        import json, os, sys
        def send(**message): print(json.dumps(message), flush=True)
        send(type="hello", protocol=1, token=os.environ["AVATAR_STREAMER_WORKER_TOKEN"], pid=os.getpid(), runtime="lines")
        send(type="loading")
        send(type="ready", import_seconds=0, objects=[{"name": "main", "kind": "module", "methods": []}])
        send(type="heartbeat", calls=0, pushes_dropped=0)
        for line in sys.stdin:
            order = json.loads(line)
            if order["type"] == "call":
                method, args = order["method"], order["args"]
                if method == "echo": send(type="result", id=order["id"], value=args.get("value"))
                elif method == "size": send(type="result", id=order["id"], value=len(line))
                elif method == "push":
                    send(type="push", event="tick", data=args)
                    send(type="log", level="warning", message="pushed")
                    print("on standard error", file=sys.stderr, flush=True)
                    send(type="result", id=order["id"], value=None)
                elif method == "big": send(type="result", id=order["id"], value="x" * args["n"])
                elif method == "twice":
                    for value in (1, 2): send(type="result", id=order["id"], value=value)
                elif method == "noise":
                    os.write(1, b"\x00\xff not json\n\n{}\n" + b"[" * 100000 + b"\n")
                    send(type="result", id=order["id"], value="heard")
                elif method == "never": send(type="push", event="on", data=1)
                else: send(type="error", id=order["id"], code="unknown_method", error="no " + method, traceback=None)
            elif order["type"] == "stop": send(type="stopped", errors=["sad"], threads=["busy"])
            elif order["type"] == "shutdown": break
        """#

    private func load() async throws -> RunnerFixture {
        let fixture = try RunnerFixture { $0.supervision.silenceTime = .seconds(60) }
        _ = try await fixture.runner.load(try fixture.executable(Self.program))
        #expect(fixture.runner.status.kind == "executable" && fixture.runner.status.runtime == "lines")
        return fixture
    }

    @Test func `it is called, pushes and logs like any other`() async throws {
        let fixture = try await load()
        #expect(await fixture.call("echo", ["value": "ü\n\u{0}"]) == .value("ü\n\u{0}"))
        #expect(await fixture.call("other").code == "unknown_method")
        #expect(await fixture.call("push", ["a": 1]) == .value(.null))
        #expect(await fixture.pushes.wait { $0.count == 1 })
        #expect(fixture.pushes.current.first?.data == ["a": 1])
        let lines = [
            LogLine(.project, level: "warning", "pushed"), LogLine(.errorOutput, level: "error", "on standard error"),
        ]
        #expect(await fixture.lines.wait { known in lines.allSatisfy(known.contains) })
        await fixture.clientLeft()
        #expect(fixture.lines.current.contains(LogLine(.server, level: "error", "stop(): sad")))
        await fixture.end()
    }

    @Test func `long messages pass both ways, and too long ones are refused`() async throws {
        let fixture = try await load()
        let text = JSONValue.string(String(repeating: "x", count: 1_000_000))
        guard case .value(.integer(let size)) = await fixture.call("size", ["value": text]) else {
            Issue.record("no answer")
            return
        }
        #expect((1_000_050...1_000_100).contains(size))
        guard case .value(.string(let answer)) = await fixture.call("big", ["n": 1_000_000]) else {
            Issue.record("no answer")
            return
        }
        #expect(answer.utf8.count == 1_000_000)
        let tooLong = JSONValue.string(String(repeating: "x", count: 17 << 20))
        #expect(await fixture.call("size", ["value": tooLong]).code == "too_large")
        await fixture.end()
    }

    @Test func `answers that come twice, never, or in nonsense harm nobody`() async throws {
        let fixture = try await load()
        #expect(await fixture.call("twice") == .value(1))
        #expect(await fixture.call("noise") == .value("heard"))
        #expect(fixture.count("avatar_streamer_robot_control_stray_answers_total") == 1)
        #expect(fixture.count("avatar_streamer_robot_control_rubbish_total") == 3)
        async let never = fixture.call("never", id: "never")
        #expect(await fixture.pushes.wait { !$0.isEmpty })
        async let next = fixture.call("echo", ["value": 3])
        #expect(fixture.runner.interrupt(id: "never") == 1)
        #expect(await never.code == "interrupted")
        #expect(await next == .value(3))
        #expect(await fixture.call("echo", ["value": 1]) == .value(1))
        await fixture.end()
    }

    @Test func `its description names its command`() async throws {
        let fixture = try RunnerFixture()
        let description = #"{"kind":"executable","command":["python3","robot.py"]}"#
        let project = try fixture.project(
            ["project.json": description, "robot.py": Self.program, "main.py": ""], name: "described")
        _ = try await fixture.runner.load(project)
        #expect(await fixture.call("echo", ["value": 2]) == .value(2))
        for (number, text) in [#"{"kind":"java"}"#, "{", #"{"kind":"executable","command":[1]}"#, "[]"].enumerated() {
            let other = try fixture.project(["project.json": text, "main.py": ""], name: "other\(number)")
            do throws(ProjectFailure) {
                _ = try await fixture.runner.load(other)
                Issue.record("loaded \(text)")
            } catch {
                #expect(error.code == "unknown_kind")
            }
        }
        let missing = try fixture.project(
            ["project.json": #"{"kind":"executable","command":["./no"]}"#], name: "missing")
        do throws(ProjectFailure) {
            _ = try await fixture.runner.load(missing)
            Issue.record("loaded")
        } catch {
            #expect(error.code == "launch_failed")
        }
        await fixture.end()
    }
}
