import Core
import Glibc
import Networking
import Testing

@Suite("Child processes")
struct ChildProcessTests {
    private func start(
        _ script: String, environment: [String: String] = [:]
    ) throws -> (ChildProcess, AsyncStream<ChildProcess.Event>) {
        let (stream, continuation) = AsyncStream.makeStream(of: ChildProcess.Event.self)
        let process = try ChildProcess(command: ["sh", "-c", script], environment: environment) { event in
            continuation.yield(event)
            if case .ended = event { continuation.finish() }
        }
        return (process, stream)
    }

    private func all(_ stream: AsyncStream<ChildProcess.Event>) async -> [ChildProcess.Event] {
        var events: [ChildProcess.Event] = []
        for await event in stream { events.append(event) }
        return events
    }

    @Test("say what they say line by line, and end with their status")
    func lines() async throws {
        let (_, stream) = try start("echo one; echo $WORD; printf 'three'; exit 7", environment: ["WORD": "two"])
        #expect(
            await all(stream) == [
                .line("one", isError: false), .line("two", isError: false), .line("three", isError: false),
                .ended(.exited(status: 7)),
            ])
    }

    @Test("speak on standard error as well")
    func errorOutput() async throws {
        let (_, stream) = try start("echo oh >&2")
        #expect(await all(stream) == [.line("oh", isError: true), .ended(.exited(status: 0))])
    }

    @Test("lead a process group of their own, which ends with them")
    func group() async throws {
        let (process, stream) = try start("sleep 1000 & echo $!; ps -o pgid= -p $$; exit 0")
        let events = await all(stream)
        guard case .line(let grandchild, _) = events.first, case .line(let group, _) = events.dropFirst().first else {
            Issue.record("unexpected: \(events)")
            return
        }
        #expect(Int32(group.filter(\.isNumber)) == process.identifier)
        // Killed, though perhaps nobody has reaped it yet.
        let state = try String(decoding: readFile("/proc/\(grandchild)/stat"), as: UTF8.self)
        #expect(state.isEmpty || state.contains(") Z") || state.contains(") X"))
    }

    private func readFile(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }

    @Test("are asked to end before they are killed")
    func termination() async throws {
        let (process, stream) = try start("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        var events: [ChildProcess.Event] = []
        for await event in stream {
            events.append(event)
            if events.count == 1 { process.end(grace: .seconds(30)) }
        }
        #expect(events.last == .ended(.exited(status: 3)))
        #expect(events.contains(.line("bye", isError: false)))
    }

    @Test("are killed when they do not care")
    func killing() async throws {
        let (process, stream) = try start("trap '' TERM; echo ready; while :; do sleep 0.05; done")
        var events: [ChildProcess.Event] = []
        for await event in stream {
            events.append(event)
            if events.count == 1 { process.end(grace: .milliseconds(100)) }
        }
        #expect(events.last == .ended(.killed(signal: SIGKILL)))
    }

    @Test("find their standard input open, and its end when we let go")
    func input() async throws {
        // `read` would end at once with an input that is closed.
        let (process, stream) = try start("echo ready; read line; echo over")
        var events: [ChildProcess.Event] = []
        for await event in stream {
            events.append(event)
            if events.count == 1 { process.kill() }
        }
        #expect(events == [.line("ready", isError: false), .ended(.killed(signal: SIGKILL))])
    }

    @Test("that do not exist are an error")
    func missing() {
        #expect(throws: SocketError.self) { _ = try ChildProcess(command: ["/no/such/program"]) { _ in } }
        #expect(throws: SocketError.self) { _ = try ChildProcess(command: []) { _ in } }
    }

    @Test("cannot flood us: long lines keep their beginning, and what is no text is replaced")
    func capture() {
        var lines = LineCapture(maximumLength: 4)
        #expect(lines.take(Array("abcdefgh\nx\r\n\n\u{1B}[0m\nrest".utf8)) == ["abcd", "x", "?[0m"])
        #expect(lines.finish() == "rest")
        #expect(lines.finish() == nil)
        #expect(lines.take([0xFF, 0x0A]) == ["\u{FFFD}"])
    }
}
