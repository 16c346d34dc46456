internal import Core
internal import FoundationEssentials
internal import Glibc
internal import Networking

/// Virtual environments for projects that bring a `requirements.txt`, one for each different content.
///
/// An environment counts from the moment its stamp is written, which is the last step: what a crash leaves without one is
/// removed. It is made where it stays, because the programs that pip installs carry its path.
package actor EnvironmentCache {
    package struct Settings: Sendable {
        /// Made where it is missing.
        package var directory: String
        /// The worker's Python, which has pyzmq; projects without requirements run in it as it is.
        package var interpreter: String
        /// For making the environment and installing into it, together.
        package var timeLimit: Duration = .seconds(300)
        /// Given to `pip install` as they are, for example `["--index-url", "https://…"]`.
        package var pipArguments: [String] = []
        /// Whether requirements may name paths, editable folders and any option of pip.
        package var allowsAnyRequirement = false
        /// Environments that are kept, the most recently used ones.
        package var maximumEnvironments = 5

        package init(directory: String, interpreter: String) {
            self.directory = directory
            self.interpreter = interpreter
        }
    }

    /// What the worker's Python says of itself.
    private struct Base: Sendable {
        var version: String
        var sitePackages: [String]
    }

    private let settings: Settings
    private let directory: String
    private let interpreter: String
    private var base: Base?
    /// Installations that run, by hash: a second project with the same requirements waits for the first.
    private var running:
        [String: (task: Task<Result<PreparedRuntime, ProjectFailure>, Never>, process: InstallerProcess)] = [:]
    private var isStopped = false

    private static let stamp = ".complete"

    package init(_ settings: Settings) throws(ProjectFailure) {
        self.settings = settings
        do {
            try FileManager.default.createDirectory(
                atPath: settings.directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ProjectFailure(code: "storage_failed", reason: "\(settings.directory) cannot be made: \(error)")
        }
        directory = try ProjectStorage.resolve(settings.directory)
        // Not resolved: the link is what makes it the interpreter of its virtual environment.
        let isRelative = settings.interpreter.contains("/") && !settings.interpreter.hasPrefix("/")
        interpreter =
            (isRelative ? FileManager.default.currentDirectoryPath + "/" : "") + settings.interpreter
        // Only what has a name of ours: the setting may name a folder that holds other things.
        for name in Self.names(in: directory) where Self.isHash(name) && !Self.isComplete("\(directory)/\(name)") {
            try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
        }
    }

    /// The interpreter that has what the project requires; nil where it requires nothing. `log` is told what pip says.
    package func prepare(
        _ project: ProjectFolder, log: @escaping @Sendable (String) -> Void
    ) async throws(ProjectFailure) -> PreparedRuntime? {
        guard let requirements = try Requirements(of: project, allowsAnything: settings.allowsAnyRequirement) else {
            return nil
        }
        let base = try await askInterpreter()
        let hash = hash(requirements, base, project)
        let path = "\(directory)/\(hash)"
        if let former = running[hash] {
            log("waiting for another installation of the same requirements")
            return try await former.task.value.get()
        }
        guard !isStopped else { throw Self.stopped }
        if Self.isComplete(path) {
            Self.touch(path)
            return PreparedRuntime(interpreter: "\(path)/bin/python")
        }
        let process = InstallerProcess()
        let task = Task<Result<PreparedRuntime, ProjectFailure>, Never> {
            do throws(ProjectFailure) {
                try await self.install(project, at: path, base: base, process: process, log: log)
                return .success(PreparedRuntime(interpreter: "\(path)/bin/python"))
            } catch {
                Self.remove(path)
                return .failure(error)
            }
        }
        running[hash] = (task, process)
        let result = await task.value
        running[hash] = nil
        prune()
        return try result.get()
    }

    /// Ends the installations that run; there will be no others.
    package func stop() async {
        isStopped = true
        let former = running.values
        for entry in former { entry.process.stop() }
        for entry in former { _ = await entry.task.value }
    }

    // MARK: Installing

    /// Python runs isolated (-I): the project's folder is where it works, but not where it looks for modules.
    private func install(
        _ project: ProjectFolder, at path: String, base: Base, process: InstallerProcess,
        log: @escaping @Sendable (String) -> Void
    ) async throws(ProjectFailure) {
        let deadline = SystemClock.now() + settings.timeLimit
        Self.remove(path)
        log("making a virtual environment")
        let made = try await process.run(
            [interpreter, "-I", "-m", "venv", path], in: project.path, deadline: deadline, log: log)
        try check(made, process, failure: "environment_failed", "The virtual environment cannot be made.")
        let installed = try await process.run(
            [
                "\(path)/bin/python", "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
                "--progress-bar", "off",
            ] + settings.pipArguments + ["-r", "requirements.txt"], in: project.path, deadline: deadline, log: log)
        try check(installed, process, failure: "requirements_failed", "The project's requirements cannot be installed.")
        // The worker's own packages, behind those of the project.
        let link = base.sitePackages.joined(separator: "\n") + "\n"
        let folders = Self.names(in: "\(path)/lib").filter { $0.hasPrefix("python") }
        guard let folder = folders.first else {
            throw ProjectFailure(code: "environment_failed", reason: "The virtual environment has no packages' folder.")
        }
        try Self.write(link, to: "\(path)/lib/\(folder)/site-packages/avatar_streamer_worker.pth")
        try Self.write("", to: "\(path)/\(Self.stamp)")
    }

    private func check(
        _ outcome: InstallerProcess.Outcome, _ process: InstallerProcess, failure code: String, _ reason: String
    ) throws(ProjectFailure) {
        switch outcome {
        case .succeeded: return
        case .failed:
            throw ProjectFailure(code: code, reason: reason, details: process.lastLines.joined(separator: "\n"))
        case .timedOut:
            throw ProjectFailure(
                code: "requirements_timeout",
                reason: "The project's requirements were not installed within \(Int(settings.timeLimit.seconds)) s.",
                details: process.lastLines.joined(separator: "\n"))
        case .stopped: throw Self.stopped
        }
    }

    private static let stopped = ProjectFailure(code: "cancelled", reason: "The server is shutting down.")

    // MARK: The worker's Python

    private func askInterpreter() async throws(ProjectFailure) -> Base {
        if let base { return base }
        let process = InstallerProcess()
        let program = """
            import sys, sysconfig
            print(sys.version.replace(chr(10), " "))
            for path in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}): print(path)
            """
        let outcome = try await process.run(
            [interpreter, "-I", "-c", program], in: directory, deadline: SystemClock.now() + .seconds(30), log: { _ in }
        )
        let lines = process.lastLines
        guard outcome == .succeeded, lines.count >= 2 else {
            throw ProjectFailure(
                code: "environment_failed", reason: "\(settings.interpreter) is no Python that works.",
                details: lines.joined(separator: "\n"))
        }
        let base = Base(version: lines[0], sitePackages: Array(lines[1...]))
        self.base = base
        return base
    }

    private func hash(_ requirements: Requirements, _ base: Base, _ project: ProjectFolder) -> String {
        var parts = [base.version, interpreter] + base.sitePackages + settings.pipArguments
        // The text does not tell what lies in the project's own files; a version's folder never changes.
        if requirements.usesProjectFiles { parts.append(project.path) }
        let text = requirements.text + parts.joined(separator: "\0").utf8
        return String(MessageDigest.sha256.hash(text).hexadecimal.prefix(32))
    }

    // MARK: The folder

    private func prune() {
        let complete = Self.names(in: directory).filter { Self.isHash($0) }.map { "\(directory)/\($0)" }
            .filter { Self.isComplete($0) }
        let byUse = complete.map { (path: $0, time: Self.lastUse($0)) }.sorted { $0.time > $1.time }
        for (path, _) in byUse.dropFirst(max(settings.maximumEnvironments, 1)) { Self.remove(path) }
    }

    private static func isHash(_ name: String) -> Bool {
        name.utf8.count == 32 && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    private static func remove(_ path: String) {
        // The stamp first, so that what is half removed is not taken for whole.
        unsafe unlink("\(path)/\(stamp)")
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func isComplete(_ path: String) -> Bool {
        unsafe access("\(path)/\(stamp)", F_OK) == 0
    }

    private static func touch(_ path: String) {
        unsafe utimensat(AT_FDCWD, "\(path)/\(stamp)", nil, 0)
    }

    /// Nanoseconds since 1970.
    private static func lastUse(_ path: String) -> Int64 {
        var status = stat()
        guard unsafe stat("\(path)/\(stamp)", &status) == 0 else { return 0 }
        return Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    }

    private static func write(_ text: String, to path: String) throws(ProjectFailure) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ProjectFailure(errno: errno, "write \(path)") }
        let code = writeAll(Array(text.utf8).span, to: descriptor)
        close(descriptor)
        guard code == 0 else { throw ProjectFailure(errno: code, "write \(path)") }
    }
}
