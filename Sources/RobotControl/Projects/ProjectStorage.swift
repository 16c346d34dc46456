internal import Core
internal import FoundationEssentials
internal import Glibc

/// The folders of ``ProjectStore`` and what is done to them; docs/protocols/projects.md draws them. Holds nothing but the
/// folder's lock, so each call is one deed on the disk.
struct ProjectStorage: Sendable {
    /// Absolute, without links.
    let root: String
    private let lock: StorageLock

    var current: String { "\(root)/current" }
    var staging: String { "\(root)/staging" }
    var versions: String { "\(root)/versions" }
    var defaultProject: String { "\(root)/default" }

    func folder(_ name: String) -> String { "\(versions)/\(name)" }
    private func record(_ name: String) -> String { "\(versions)/\(name).json" }

    /// Makes what is missing, and empties the staging folder.
    init(directory: String) throws(ProjectFailure) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ProjectFailure(code: "storage_failed", reason: "\(directory) cannot be made: \(error)")
        }
        root = try Self.resolve(directory)
        lock = try StorageLock(path: "\(root)/.lock")
        try? FileManager.default.removeItem(atPath: "\(root)/staging")
        for folder in [staging, versions, defaultProject] {
            guard unsafe mkdir(folder, 0o700) == 0 || errno == EEXIST else {
                throw ProjectFailure(errno: errno, "make \(folder)")
            }
        }
    }

    /// The absolute path without links.
    static func resolve(_ path: String) throws(ProjectFailure) -> String {
        guard let resolved = unsafe realpath(path, nil) else { throw ProjectFailure(errno: errno, "use \(path)") }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    // MARK: Versions

    /// The versions whose record can be read, newest first. What has none was never committed and is removed, but for the
    /// folder that `current` points to.
    func readVersions() -> [ProjectVersion] {
        var found: [ProjectVersion] = []
        let linked = linkedName()
        // Only what has a name of ours: the setting may name a folder that holds other things.
        for name in names(in: versions) where Int(name.prefix { $0 != "-" }) != nil {
            if name.hasSuffix(".json") {
                if !isFolder(folder(String(name.dropLast(5)))) { remove("\(versions)/\(name)") }
                continue
            }
            if let version = readRecord(name) {
                found.append(version)
            } else if name != linked, unsafe access(record(name), F_OK) != 0, errno == ENOENT {
                remove(folder(name))
            }
        }
        return found.sorted { $0.number > $1.number }
    }

    private func readRecord(_ name: String) -> ProjectVersion? {
        guard let file = try? ArchiveFile(path: record(name)), file.count <= 65_536,
            let text = try? file.bytes(at: 0, count: file.count),
            var version = try? JSONDecoder().decode(ProjectVersion.self, from: Data(text)), version.name == name
        else { return nil }
        version.folder = ProjectFolder(path: folder(name))
        return version
    }

    /// The largest number that any name in the folder begins with.
    func lastNumber() -> Int {
        names(in: versions).compactMap { Int($0.prefix { $0 != "-" }) }.max() ?? 0
    }

    /// Remembers a version, whole or not at all.
    func write(_ version: ProjectVersion) throws(ProjectFailure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let text = try? encoder.encode(version) else {
            throw ProjectFailure(code: "storage_failed", reason: "The version's record cannot be written.")
        }
        let temporary = "\(staging)/\(version.name).json"
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ProjectFailure(errno: errno, "write the version's record") }
        var code = writeAll([UInt8](text).span, to: descriptor)
        if code == 0, fsync(descriptor) != 0 { code = errno }
        close(descriptor)
        if code == 0, unsafe rename(temporary, record(version.name)) != 0 { code = errno }
        guard code == 0 else {
            unsafe unlink(temporary)
            throw ProjectFailure(errno: code, "write the version's record")
        }
        sync(versions)
    }

    func removeRecord(_ name: String) {
        unsafe unlink(record(name))
    }

    func removeVersion(_ name: String) {
        // The record first: without it, what a crash leaves is removed at the next start.
        removeRecord(name)
        remove(folder(name))
    }

    /// Moves a complete folder to where it stays.
    func settle(_ path: String, as name: String) throws(ProjectFailure) -> ProjectFolder {
        guard unsafe rename(path, folder(name)) == 0 else { throw ProjectFailure(errno: errno, "keep the project") }
        sync(versions)
        return ProjectFolder(path: folder(name))
    }

    // MARK: The current one

    /// The version that `current` points to; nil where it points to none of ours.
    func linkedName() -> String? {
        guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: current) else { return nil }
        let parts = target.split(separator: "/")
        guard parts.count == 2, parts[0] == "versions", isFolder(folder(String(parts[1]))) else { return nil }
        return String(parts[1])
    }

    /// Points `current` to a version, by one atomic rename.
    func link(_ name: String) throws(ProjectFailure) {
        let temporary = "\(staging)/current"
        unsafe unlink(temporary)
        guard unsafe symlink("versions/\(name)", temporary) == 0, unsafe rename(temporary, current) == 0 else {
            let code = errno
            unsafe unlink(temporary)
            throw ProjectFailure(errno: code, "make the project the current one")
        }
        sync(root)
    }

    // MARK: Folders

    func isFolder(_ path: String) -> Bool {
        var isDirectory = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory
    }

    func isLink(_ path: String) -> Bool {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
    }

    func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    func remove(_ path: String) {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Copies a folder with everything in it; nothing is left of a copy that fails.
    func copy(_ source: String, to target: String) throws(ProjectFailure) {
        do {
            try FileManager.default.copyItem(atPath: source, toPath: target)
        } catch {
            remove(target)
            let isFull = (error as? CocoaError)?.code == .fileWriteOutOfSpace
            throw ProjectFailure(
                code: isFull ? "disk_full" : "storage_failed",
                reason: isFull ? "The disk is full." : "\(source) cannot be copied: \(error)")
        }
    }

    /// Files in a folder and their bytes.
    func measure(_ folder: String) -> (files: Int, bytes: Int) {
        var files = 0
        var bytes = 0
        for path in (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? [] {
            var status = stat()
            guard unsafe lstat("\(folder)/\(path)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            files += 1
            bytes += Int(status.st_size)
        }
        return (files, bytes)
    }

    /// Puts a folder's names on the disk.
    private func sync(_ folder: String) {
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}

/// Keeps a second server out of the folder, which it would empty.
private final class StorageLock: Sendable {
    private let descriptor: Int32

    init(path: String) throws(ProjectFailure) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ProjectFailure(errno: errno, "open \(path)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw ProjectFailure(code: "storage_in_use", reason: "Another server uses the folder of \(path).")
        }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
