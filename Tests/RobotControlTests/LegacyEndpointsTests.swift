import Core
import Glibc
import Networking
import TestSupport
import Testing

@testable import RobotControl

/// The former endpoints, used by what used them: pyzmq.
@Suite(.timeLimit(.minutes(1)))
struct LegacyEndpointsTests {
    @Test func `commands are answered, rubbish too, and pushes come to who subscribed`() async throws {
        var template = Array("/tmp/as-legacy-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { PrivateFolder.remove(directory) }
        var configuration = LegacyEndpoints.Configuration()
        configuration.commands = "ipc://\(directory)/cmd"
        configuration.pushes = "ipc://\(directory)/push"
        let publisher = Watched<LegacyEndpoints?>(nil)
        let endpoints = try LegacyEndpoints(configuration) { command in
            publisher.current?.publish(event: "tick", data: ["n": 1])
            return ["status": "success", "data": command]
        }
        publisher.update { $0 = endpoints }
        var status = stat()
        #expect(stat(directory + "/cmd", &status) == 0 && status.st_mode & 0o777 == 0o600)
        let script = """
            import json, sys, zmq
            context = zmq.Context()
            deaf = context.socket(zmq.SUB)
            deaf.rcvhwm = 1
            deaf.subscribe(b'')
            deaf.connect(sys.argv[2])
            sub = context.socket(zmq.SUB)
            sub.subscribe(b'')
            sub.connect(sys.argv[2])
            req = context.socket(zmq.REQ)
            req.connect(sys.argv[1])
            def ask(*parts):
                req.send_multipart(parts)
                return req.recv().decode()
            print(ask(b'{"command":"process","params":{}}'), flush=True)
            for parts in ([b'rubbish'], [b''], [b'[1]'], [b'{}', b'{}'], [b'{}', b'{}', b'{}']): print(ask(*parts), flush=True)
            # Whoever goes without waiting for the answer holds up nobody.
            for _ in range(20):
                leaver = context.socket(zmq.REQ)
                leaver.connect(sys.argv[1])
                leaver.send(b'{"command":"start"}')
                leaver.close(linger=100)
            while True:
                ask(b'{}')
                if sub.poll(20): break
            print(sub.recv_multipart(), flush=True)
            """
        let lines = Watched<[String]>([])
        let hasEnded = Watched(false)
        _ = try ChildProcess(
            command: [
                RunnerFixture.python, "-c", script, "ipc://\(directory)/cmd", "ipc://\(directory)/push",
            ]
        ) { event in
            if case .line(let line, _) = event { lines.update { $0.append(line) } }
            if case .ended = event { hasEnded.update { $0 = true } }
        }
        #expect(await hasEnded.wait { $0 })
        let refusal = #"{"message":"A command is one JSON object","status":"error"}"#
        #expect(
            lines.current == [
                #"{"data":{"command":"process","params":{}},"status":"success"}"#, refusal, refusal, refusal, refusal,
                refusal,
                #"[b'tick', b'{"n":1}']"#,
            ])
        endpoints.close()
        endpoints.publish(event: "tick", data: 1)
        publisher.update { $0 = nil }
    }

    @Test func `an address that cannot be had is an error`() {
        var configuration = LegacyEndpoints.Configuration()
        configuration.commands = "ipc:///no/such/folder/cmd"
        #expect(throws: ProjectFailure.self) { _ = try LegacyEndpoints(configuration) { _ in .null } }
    }
}
