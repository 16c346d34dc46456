import FoundationEssentials
import Glibc
import Networking
import Synchronization
import Testing

@testable import RobotControl

@Suite(.serialized, .timeLimit(.minutes(5)))
struct EnvironmentCacheTests {
    private let folder = TemporaryFolder()

    /// The worker's Python where it was made, else the system's.
    private static var python: String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let worker = "/\(root)/.venv-worker/bin/python"
        return access(worker, X_OK) == 0 ? worker : "python3"
    }

    private func makeCache(
        interpreter: String = python, _ change: (inout EnvironmentCache.Settings) -> Void = { _ in }
    ) throws -> EnvironmentCache {
        var settings = EnvironmentCache.Settings(directory: "\(folder.path)/environments", interpreter: interpreter)
        settings.pipArguments = ["--no-index", "--find-links", folder.path]
        change(&settings)
        return try EnvironmentCache(settings)
    }

    private func makeProject(_ name: String, _ requirements: String) -> ProjectFolder {
        folder.write("\(name)/requirements.txt", requirements.utf8)
        return ProjectFolder(path: "\(folder.path)/\(name)")
    }

    private var environments: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/environments").sorted()) ?? []
    }

    private func makeWheel() async throws {
        try await runProgram(
            "python3", "-c",
            """
            import sys, zipfile
            with zipfile.ZipFile(sys.argv[1] + "/robotlegs-1.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr("robotlegs.py", "COUNT = 4\\n")
                info = "robotlegs-1.0.dist-info/"
                wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: robotlegs\\nVersion: 1.0\\n")
                wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nlegs = robotlegs:COUNT.bit_length\\n")
                wheel.writestr(info + "RECORD", "")
            """, folder.path)
    }

    @Test func `projects with the same requirements share one installation`() async throws {
        try await makeWheel()
        let old = (1...3).map { String(repeating: "\($0)", count: 32) }
        for (index, name) in old.enumerated() {
            folder.write("environments/\(name)/.complete", [])
            var times = [timespec(tv_sec: index * 1000, tv_nsec: 0), timespec(tv_sec: index * 1000, tv_nsec: 0)]
            utimensat(AT_FDCWD, "\(folder.path)/environments/\(name)/.complete", &times, 0)
        }
        // Left by a crash.
        folder.write("environments/\(String(repeating: "a", count: 32))/bin/python", [])
        folder.write("environments/notes.txt", [])
        let cache = try makeCache { $0.maximumEnvironments = 2 }
        #expect(environments == old + ["notes.txt"])
        // A file of the project that hides a module of Python's.
        folder.write("one/logging.py", "raise SystemExit(3)".utf8)
        let lines = Mutex<[String]>([])
        let log: @Sendable (String) -> Void = { line in lines.withLock { $0.append(line) } }
        let (one, two) = (makeProject("one", "robotlegs\n"), makeProject("two", "robotlegs\n"))
        async let first = cache.prepare(one, log: log)
        async let second = cache.prepare(two, log: log)
        let runtimes = try await (first, second)
        let runtime = try #require(runtimes.0)
        #expect(runtimes.1 == runtime)
        #expect(lines.withLock { $0.count { $0 == "making a virtual environment" } } == 1)
        #expect(lines.withLock { $0.contains { $0.contains("Successfully installed robotlegs-1.0") } })
        let said = try await runProgram(
            runtime.interpreter, "-c",
            "import robotlegs, sys; print(robotlegs.COUNT); print([p for p in sys.path if 'site-packages' in p])")
        #expect(said.lines.first == "4")
        if Self.python.hasPrefix("/") {
            #expect(try await runProgram(runtime.interpreter, "-c", "import zmq").ending == .exited(status: 0))
            // Its own packages come first.
            let paths = try #require(said.lines.last).split(separator: ",")
            #expect(paths.first?.contains("/environments/") == true)
        }
        // Programs of packages know where they are.
        let scripts = runtime.interpreter.dropLast("python".count)
        #expect(try await runProgram("\(scripts)legs").ending == .exited(status: 3))
        #expect(environments.count == 3 && environments.contains(old[2]))
        // Found again, also by the next server.
        let before = lines.withLock { $0.count }
        #expect(try await cache.prepare(one, log: log) == runtime)
        #expect(try await makeCache().prepare(two, log: log) == runtime)
        #expect(lines.withLock { $0.count } == before)
    }

    @Test func `a project without requirements runs in the worker's Python`() async throws {
        let cache = try makeCache(interpreter: "/nowhere/python")
        #expect(try await cache.prepare(ProjectFolder(path: folder.path), log: { _ in }) == nil)
        #expect(try await cache.prepare(makeProject("one", "# none\n"), log: { _ in }) == nil)
    }

    @Test func `a failed installation says what pip said and leaves nothing`() async throws {
        let cache = try makeCache()
        let project = makeProject("one", "surely-no-such-package\n")
        let failure = await #expect(throws: ProjectFailure.self) { try await cache.prepare(project, log: { _ in }) }
        #expect(failure?.code == "requirements_failed")
        #expect(failure?.details?.contains("No matching distribution found for surely-no-such-package") == true)
        #expect(environments.isEmpty)
    }

    @Test func `a Python that does not work is told`() async throws {
        for interpreter in ["/nowhere/python", "false"] {
            let cache = try makeCache(interpreter: interpreter)
            let project = makeProject("one", "robotlegs\n")
            let failure = await #expect(throws: ProjectFailure.self) { try await cache.prepare(project, log: { _ in }) }
            #expect(failure?.code == "environment_failed")
        }
    }

    /// Answers as a Python does, and then never ends, nor does what it started.
    private func makeEndlessPython() -> String {
        folder.write(
            "endless",
            """
            #!/bin/sh
            if [ "$2" = -c ]; then echo 3.11; echo /nowhere; exit; fi
            trap '' TERM
            sleep 1000 & echo $!; wait; sleep 1000
            """.utf8, executable: true)
        return "\(folder.path)/endless"
    }

    /// Gone, or waiting to be reaped by whoever inherited it.
    /// Who was killed may take a moment to go; the suite's time limit is the only one.
    private func isGone(_ process: String) async throws -> Bool {
        while true {
            let status = String(decoding: TemporaryFolder.bytes("/proc/\(process)/stat"), as: UTF8.self)
            if status.isEmpty || status.contains(") Z ") { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func `an installation that takes too long ends with all that it started`() async throws {
        let cache = try makeCache(interpreter: makeEndlessPython()) { $0.timeLimit = .milliseconds(300) }
        let project = makeProject("one", "robotlegs\n")
        let failure = await #expect(throws: ProjectFailure.self) { try await cache.prepare(project, log: { _ in }) }
        #expect(failure?.code == "requirements_timeout")
        #expect(environments.isEmpty)
        let child = try #require(failure?.details?.split(separator: "\n").last)
        #expect(try await isGone(String(child)))
    }

    @Test func `a server that shuts down ends its installations`() async throws {
        let cache = try makeCache(interpreter: makeEndlessPython())
        let project = makeProject("one", "robotlegs\n")
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let task = Task { try await cache.prepare(project, log: { continuation.yield($0) }) }
        // It has begun once it names its child.
        var child = ""
        for await line in lines where Int(line) != nil {
            child = line
            break
        }
        await cache.stop()
        let failure = await #expect(throws: ProjectFailure.self) { try await task.value }
        #expect(failure?.code == "cancelled")
        #expect(try await isGone(child))
        #expect(environments.isEmpty)
        await #expect(throws: ProjectFailure.self) { try await cache.prepare(project, log: { _ in }) }
    }
}
