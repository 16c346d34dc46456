import Core
import Glibc
import Networking
import TestSupport
import Testing

/// Programs of somebody else's, held by limits. What they say of themselves is what they find, so they are real programs.
@Suite(.timeLimit(.minutes(1)))
struct ConfinedProcessTests {
    private struct Run {
        let process: ChildProcess
        let events = Watched<[ChildProcess.Event]>([])

        init(_ script: String, environment: [String: String] = [:], _ change: (inout ChildProcess.Settings) -> Void)
            throws
        {
            try self.init(["python3", "-c", script], environment: environment, change)
        }

        init(
            _ command: [String], environment: [String: String] = [:], _ change: (inout ChildProcess.Settings) -> Void
        ) throws {
            var settings = ChildProcess.Settings()
            settings.inheritsEnvironment = false
            settings.limits = ProcessLimits()
            change(&settings)
            let events = events
            process = try ChildProcess(command: command, environment: environment, settings: settings) { event in
                events.update { $0.append(event) }
            }
        }

        func end() async -> [ChildProcess.Event] {
            _ = await events.wait { $0.last.map { if case .ended = $0 { true } else { false } } ?? false }
            return events.current
        }

        func lines() async -> [String] {
            await end().compactMap { if case .line(let text, _) = $0 { text } else { nil } }
        }

        func line(_ index: Int) async -> String {
            _ = await events.wait { events in
                events.count { if case .line = $0 { true } else { false } } > index || events.contains(where: \.isEnd)
            }
            let lines = events.current.compactMap { if case .line(let text, _) = $0 { text } else { nil } }
            return lines.indices.contains(index) ? lines[index] : ""
        }
    }

    private func folder() throws -> String {
        var template = Array("/tmp/avatar-streamer-test-XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func isRunning(_ pid: Int32) -> Bool {
        guard let file = fopen("/proc/\(pid)/stat", "r") else { return false }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        let text = String(decoding: bytes.prefix(count), as: UTF8.self)
        return !text.isEmpty && !text.contains(") Z") && !text.contains(") X")
    }

    @Test func `see nothing of our environment but PATH and LANG`() async throws {
        setenv("AVATAR_STREAMER_TEST_SECRET", "hidden", 1)
        let run = try Run(["/usr/bin/env"], environment: ["GIVEN": "x y"]) { _ in }
        let names = Set(await run.lines().map { String($0.prefix { $0 != "=" }) })
        #expect(names.contains("GIVEN") && names.contains("PATH"))
        #expect(names.isSubset(of: ["GIVEN", "PATH", "LANG"]))
    }

    @Test func `get no descriptor of ours`() async throws {
        // One that somebody forgot to mark close-on-exec.
        let leaked = open("/dev/zero", O_RDONLY)
        defer { close(leaked) }
        let run = try Run("import os; print(sorted(os.listdir('/proc/self/fd')))") { _ in }
        // 3 is the folder that is being listed.
        #expect(await run.lines() == ["['0', '1', '2', '3']"])
    }

    @Test func `are bound by the limits of the kernel`() async throws {
        let scratch = try folder()
        let script = """
            import os, resource, signal, sys
            try: x = bytearray(600 << 20); print('memory', len(x))
            except MemoryError: print('memory refused')
            try:
                kept = [open('/dev/null') for _ in range(100)]; print('files', len(kept))
            except OSError as error: kept = None; print('files', error.errno)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            try:
                with open(sys.argv[1] + '/big', 'wb', buffering=0) as f: print('wrote', f.write(b'x' * 5000), f.write(b'x'))
            except OSError as error: print('size', error.errno)
            print('core', resource.getrlimit(resource.RLIMIT_CORE), 'cpu', resource.getrlimit(resource.RLIMIT_CPU))
            print([l.split()[1] for l in open('/proc/self/status') if l.startswith('NoNewPrivs')])
            print(os.getsid(0) == os.getpid(), os.getcwd() == sys.argv[1])
            """
        let run = try Run(["python3", "-c", script, scratch]) { settings in
            settings.directory = scratch
            settings.limits?.addressSpace = 500 << 20
            settings.limits?.openFiles = 32
            settings.limits?.fileBytes = 5000
            settings.limits?.cpuSeconds = 1000
        }
        #expect(
            await run.lines() == [
                "memory refused", "files 24", "size 27", "core (0, 0) cpu (1000, 1005)", "['1']", "True True",
            ])
        #expect(unlink(scratch + "/big") == 0 && rmdir(scratch) == 0)
    }

    @Test func `write in their own folders alone, and signal nobody else`() async throws {
        let (mine, other) = (try folder(), try folder())
        defer { rmdir(other) }
        let script = """
            import os, sys
            def attempt(what):
                try: what(); return 'done'
                except OSError as error: return error.strerror
            print(attempt(lambda: open(sys.argv[1] + '/a', 'w').close()), attempt(lambda: os.remove(sys.argv[1] + '/a')))
            print(attempt(lambda: open(sys.argv[2] + '/a', 'w').close()), attempt(lambda: os.mkdir(sys.argv[2] + '/b')))
            print(attempt(lambda: open('/dev/null', 'w').close()), attempt(lambda: open('/etc/passwd').close()))
            print(attempt(lambda: os.kill(int(sys.argv[3]), 0)))
            """
        let run = try Run(["python3", "-c", script, mine, other, "\(getpid())"]) {
            $0.limits?.writableFolders = [mine]
        }
        guard run.process.confinement?.missing.contains(where: { $0.hasPrefix("Landlock") }) == false else { return }
        let lines = await run.lines()
        #expect(
            lines == ["done done", "Permission denied Permission denied", "done done", "Operation not permitted"])
        #expect(rmdir(mine) == 0)
    }

    @Test func `a folder that is not there cannot be allowed`() {
        #expect(throws: SocketError.self) {
            _ = try Run("") { $0.limits?.writableFolders = ["/no/such/folder"] }
        }
    }

    @Test func `that cannot be started are an error that says why`() {
        for (command, directory) in [("/no/such/program", nil), ("true", "/no/such/folder")] {
            do {
                _ = try Run([command]) { $0.directory = directory }
                Issue.record("started")
            } catch {
                #expect("\(error)".contains(directory == nil ? "start it" : "enter its folder"))
            }
        }
    }

    @Test(arguments: [true, false])
    func `leave nothing behind, whatever their children did`(usesControlGroup: Bool) async throws {
        // A daemon by the book: two forks, a session of its own, deaf to SIGTERM, with an empty environment.
        let script = """
            import os, signal, sys
            read, write = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    os.set_inheritable(write, True)
                    os.execve(sys.executable, ['x', '-c', f'''
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write({write}, b"x")
            while True: time.sleep(1)'''], {})
                print(os.getpid() + 1, flush=True)
                os._exit(0)
            os.wait()
            os.read(read, 1)
            import glob
            for stat in glob.glob('/proc/[0-9]*/stat'):
                try: fields = open(stat).read().rsplit(')', 1)[1].split()
                except OSError: continue
                if fields[1] == str(os.getpid()): print('daemon', stat.split('/')[2], flush=True)
            sys.stdin.read()
            """
        for ending in ["kill", "end", "crash"] {
            let run = try Run(script) { $0.usesControlGroup = usesControlGroup }
            let daemon = Int32(await run.line(1).split(separator: " ").last ?? "") ?? 0
            #expect(daemon > 0 && isRunning(daemon))
            switch ending {
            case "kill": run.process.kill()
            case "end": run.process.end(grace: .milliseconds(200))
            default: _ = Glibc.kill(run.process.identifier, SIGSEGV)
            }
            #expect(await run.end().last?.isEnd == true)
            #expect(!isRunning(daemon) && !isRunning(run.process.identifier))
        }
    }

    @Test(arguments: [true, false])
    func `end when they are over a limit that the kernel does not watch, and say which`(
        usesControlGroup: Bool
    ) async throws {
        let scratch = try folder()
        let cases: [(String, ProcessExcess, (inout ProcessLimits) -> Void)] = [
            ("x = bytearray(200 << 20)\nimport time\ntime.sleep(1000)", .memory, { $0.residentBytes = 100 << 20 }),
            (
                "import threading, time\n[threading.Thread(target=time.sleep, args=[1000]).start() for _ in range(30)]",
                .processes, { $0.processes = getuid() == 0 ? 20 : 10_000 }
            ),
            (
                "import sys, time\nopen('big', 'wb').write(b'x' * (4 << 20))\ntime.sleep(1000)", .disk,
                { $0.scratchBytes = 1 << 20 }
            ),
        ]
        for (script, excess, limit) in cases where excess != .processes || getuid() == 0 {
            let run = try Run(script) { settings in
                settings.directory = scratch
                settings.usesControlGroup = usesControlGroup
                settings.limits?.writableFolders = [scratch]
                settings.limits?.scratchFolder = scratch
                if var limits = settings.limits { limit(&limits); settings.limits = limits }
            }
            #expect(await run.end().last == .ended(.exceeded(excess)))
        }
        #expect(unlink(scratch + "/big") == 0 && rmdir(scratch) == 0)
    }

    @Test func `die with the process that started them`() async throws {
        let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
            var settings = ChildProcess.Settings()
            settings.limits = ProcessLimits()
            let child = try ChildProcess(command: ["sleep", "1000"], settings: settings) { _ in }
            let text = "child \(child.identifier)\n"
            _ = write(1, text, text.utf8.count)
            _ = Glibc.kill(getpid(), SIGKILL)
        }
        let output = String(decoding: result?.standardOutputContent ?? [], as: UTF8.self)
        let line = output.split(separator: "\n").first { $0.hasPrefix("child ") }
        let child = try #require(line.flatMap { Int32($0.dropFirst(6)) })
        // The signal is on its way: nothing tells a stranger of a death but looking.
        for _ in 0..<1000 where isRunning(child) { usleep(1000) }
        #expect(!isRunning(child))
    }

    @Test func `take messages on their input, and answer in raw lines`() async throws {
        let script = "import sys\nfor line in sys.stdin: print(len(line), line[:3], flush=True)\nprint('over')"
        let run = try Run(script) { settings in
            settings.takesInput = true
            settings.messageBytes = 20
        }
        #expect(run.process.write(Array("abc\n".utf8)))
        #expect(run.process.write([UInt8](repeating: 0x78, count: 3_000_000) + [0x0A]))
        #expect(await run.events.wait { $0.count >= 2 })
        #expect(
            run.events.current == [.message(Array("4 abc".utf8)), .message(Array("3000001 xxx".utf8))])
        run.process.kill()
        _ = await run.end()
        #expect(!run.process.write([0x0A]))
    }

    @Test func `that do not read are written to within bounds, and block nobody`() async throws {
        let run = try Run("import time\ntime.sleep(1000)") { $0.takesInput = true }
        let chunk = [UInt8](repeating: 0x78, count: 1 << 20)
        var taken = 0
        while taken < 100, run.process.write(chunk) { taken += 1 }
        #expect((30...40).contains(taken))
        run.process.kill()
        #expect(await run.end().last == .ended(.killed(signal: SIGKILL)))
    }

    @Test func `that print without end are heard a little, and counted`() async throws {
        let run = try Run("for i in range(300000): print('0123456789')") { $0.linesPerSecond = 100 }
        let events = await run.end()
        var (told, leftOut) = (0, 0)
        for event in events {
            if case .line = event { told += 1 }
            if case .linesLeftOut(let count) = event { leftOut += count }
        }
        #expect(told + leftOut == 300_000)
        #expect(told < 10_000)
        #expect(events.last == .ended(.exited(status: 0)))
    }
}

extension ChildProcess.Event {
    fileprivate var isEnd: Bool { if case .ended = self { true } else { false } }
}
