internal import Glibc

/// A control group (version 2) of one worker's own, below the group that the server is in.
///
/// Nothing leaves it that the server did not let go: what it holds can be counted, and killed at one stroke.
/// - SeeAlso: [cgroup v2](https://docs.kernel.org/admin-guide/cgroup-v2.html)
final class ControlGroup: Sendable {
    let path: String
    /// Open for writing: `0`, written by the child, moves it in.
    let processesDescriptor: Int32
    let limitsMemory: Bool
    let limitsProcesses: Bool

    /// Nil where the kernel has none, or it is not ours to write, or Linux is older than 5.14 (`cgroup.kill`).
    init?(mark: UInt64, limits: ProcessLimits) {
        guard let own = Self.ownGroup() else { return nil }
        let parent = own.hasSuffix(Self.serverGroup) ? String(own.dropLast(Self.serverGroup.count)) : own
        Self.sweep(parent)
        // Refused where the parent holds processes and is not the root. In a group that was given to us, as a systemd unit's is, the server makes
        // room by going down itself; otherwise the worker's group counts and kills, and limits nothing.
        if !Self.write(Self.controllers, to: parent + "/cgroup.subtree_control"), errno == EBUSY {
            Self.moveDown(from: parent)
            Self.write(Self.controllers, to: parent + "/cgroup.subtree_control")
        }
        let path = parent + "/\(Self.prefix)\(getpid())-\(mark)"
        guard unsafe mkdir(path, 0o755) == 0 else { return nil }
        let descriptor = unsafe open(path + "/cgroup.procs", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0, unsafe access(path + "/cgroup.kill", W_OK) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            unsafe _ = rmdir(path)
            return nil
        }
        self.path = path
        processesDescriptor = descriptor
        limitsMemory = limits.residentBytes.map { Self.write("\($0)", to: path + "/memory.max") } ?? false
        if limitsMemory { Self.write("0", to: path + "/memory.swap.max") }
        limitsProcesses = limits.processes.map { Self.write("\($0)", to: path + "/pids.max") } ?? false
    }

    deinit {
        close(processesDescriptor)
        remove()
    }

    /// The processes in it. Its own cannot make groups below it: Landlock and, for other users, the file system forbid it.
    var members: [Int32] {
        (readSmallFile(path + "/cgroup.procs") ?? "").split(separator: "\n").compactMap { Int32($0) }
    }

    var isPopulated: Bool { readSmallFile(path + "/cgroup.events")?.contains("populated 1") ?? false }

    /// Bytes that it uses; nil where memory is not counted.
    var memoryBytes: Int? {
        readSmallFile(path + "/memory.current").flatMap { Int($0.prefix { $0.isNumber }) }
    }

    /// Whether the kernel had to kill for memory.
    var wasKilledForMemory: Bool {
        guard let events = readSmallFile(path + "/memory.events") else { return false }
        return events.split(separator: "\n").contains { $0.hasPrefix("oom_kill ") && $0 != "oom_kill 0" }
    }

    /// Once nothing runs in it.
    func remove() {
        unsafe _ = rmdir(path)
    }

    func kill() {
        Self.write("1", to: path + "/cgroup.kill")
    }

    private static let prefix = "avatar-streamer-worker-"
    private static let serverGroup = "/avatar-streamer-server"
    private static let controllers = "+memory +pids"

    /// This process, and the children that it has already, into a group of their own.
    private static func moveDown(from parent: String) {
        guard unsafe mkdir(parent + serverGroup, 0o755) == 0 || errno == EEXIST else { return }
        for process in (readSmallFile(parent + "/cgroup.procs") ?? "").split(separator: "\n") {
            write(String(process), to: parent + serverGroup + "/cgroup.procs")
        }
    }

    /// Ends what servers that were killed left behind.
    private static func sweep(_ parent: String) {
        for name in folderEntries(parent) where name.hasPrefix(prefix) {
            guard let owner = name.dropFirst(prefix.count).split(separator: "-").first.flatMap({ Int32($0) }),
                unsafe access("/proc/\(owner)", F_OK) != 0
            else { continue }
            write("1", to: parent + "/" + name + "/cgroup.kill")
            // Where something has still to die, the next sweep removes it.
            unsafe _ = rmdir(parent + "/" + name)
        }
    }

    /// The folder of the group that this process is in.
    private static func ownGroup() -> String? {
        guard let groups = readSmallFile("/proc/self/cgroup"), let mounts = readSmallFile("/proc/self/mountinfo"),
            let own = groups.split(separator: "\n").first(where: { $0.hasPrefix("0::") })?.dropFirst(3),
            let mount = mounts.split(separator: "\n").first(where: { $0.contains(" - cgroup2 ") })
        else { return nil }
        let fields = mount.split(separator: " ")
        // The mount's own root is not part of the paths below it.
        guard fields.count > 4, own.hasPrefix(fields[3]) || fields[3] == "/" else { return nil }
        let below = fields[3] == "/" ? own[...] : own.dropFirst(fields[3].count)
        return below == "/" || below.isEmpty ? String(fields[4]) : String(fields[4]) + below
    }

    @discardableResult
    private static func write(_ text: String, to path: String) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
    }
}
