import Core
import Glibc
import Networking
import TestSupport
import Testing

@testable import RobotControl

/// A runner with real workers, and all that it told.
struct RunnerFixture: Sendable {
    let runner: ProjectRunner
    let directory: String
    let metrics = MetricsRegistry()
    let pushes = Watched<[(event: String, data: JSONValue)]>([])
    let lines = Watched<[LogLine]>([])
    let states = Watched<[RunnerStatus]>([])

    /// The repository's.
    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    static var python: String { root + "/.venv-worker/bin/python" }

    init(_ change: (inout RunnerConfiguration) -> Void = { _ in }) throws {
        var template = Array("/tmp/as-runner-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var configuration = RunnerConfiguration(directory: directory + "/run")
        configuration.supervision.interruptGrace = .milliseconds(500)
        configuration.supervision.terminationGrace = .milliseconds(500)
        configuration.supervision.firstPause = .milliseconds(20)
        change(&configuration)
        let (pushes, lines, states) = (pushes, lines, states)
        runner = try ProjectRunner(
            configuration: configuration,
            executors: [
                ExecutableExecutor(),
                PythonExecutor(interpreter: Self.python, workerPath: Self.root + "/Tests/RobotControlTests/Fixtures"),
            ], metrics: metrics
        ) { event in
            switch event {
            case .push(let name, let data): pushes.update { $0.append((name, data)) }
            case .line(let line): lines.update { $0.append(line) }
            case .state(let status): states.update { $0.append(status) }
            }
        }
    }

    /// A Python project of that code.
    func project(_ code: String, name: String = "project") throws -> ProjectFolder {
        try project(["main.py": code], name: name)
    }

    func project(_ files: [String: String], name: String) throws -> ProjectFolder {
        let path = "\(directory)/\(name)"
        #expect(mkdir(path, 0o755) == 0)
        for (file, text) in files {
            let handle = try #require(fopen("\(path)/\(file)", "w"))
            fputs(text, handle)
            fclose(handle)
            #expect(chmod("\(path)/\(file)", 0o755) == 0)
        }
        return ProjectFolder(path: path)
    }

    func call(_ method: String, _ arguments: [String: JSONValue] = [:], id: String? = nil) async -> CallOutcome {
        await runner.call(ProjectCall(id: id, object: "main", method: method, arguments: arguments))
    }

    func clientLeft() async {
        await withCheckedContinuation { continuation in runner.clientLeft { continuation.resume() } }
    }

    /// Ends everything, and looks that nothing is left.
    func end() async {
        await runner.shutdown()
        #expect(PrivateFolder.entries(directory + "/run").isEmpty)
        PrivateFolder.remove(directory)
        #expect(runner.status.runningCalls == 0 && runner.status.queuedCalls == 0)
    }

    func count(_ metric: String) -> UInt64 {
        let line = metrics.prometheusText().split(separator: "\n").first { $0.hasPrefix(metric + " ") }
        return line.flatMap { UInt64($0.split(separator: " ")[1]) } ?? 0
    }
}

extension CallOutcome {
    var code: String? { if case .error(let code, _, _) = self { code } else { nil } }
}

func isRunning(_ pid: Int32) -> Bool {
    guard let file = fopen("/proc/\(pid)/stat", "r") else { return false }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = fread(&bytes, 1, bytes.count, file)
    let text = String(decoding: bytes.prefix(count), as: UTF8.self)
    return !text.isEmpty && !text.contains(") Z") && !text.contains(") X")
}

/// Who was killed may take a moment to go; the test's time limit is the only one.
func hasEnded(_ pid: Int32) async -> Bool {
    while isRunning(pid) { try? await Task.sleep(for: .milliseconds(5)) }
    return true
}
