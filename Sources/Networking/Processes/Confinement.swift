internal import CLinux
internal import Core
internal import Glibc

/// What holds a program that we do not trust, and what this machine lacks for it.
package struct Confinement: Sendable, Equatable {
    package var inForce: [String] = []
    package var missing: [String] = []
    package init() {}
}

/// What is made for a confined program before it starts, and given back after its end.
struct Cell: Sendable {
    let limits: ProcessLimits
    /// For `RLIMIT_NPROC`, which counts all of a user's, the server's own threads too.
    let userProcesses: Int?
    let mark: UInt64
    let group: ControlGroup?
    /// Landlock's rules, -1 without; closed once the program runs.
    let rules: Int32
    let confinement: Confinement

    init(_ limits: ProcessLimits, usesControlGroup: Bool) throws(SocketError) {
        self.limits = limits
        userProcesses = limits.processes.map { $0 + (getuid() == 0 ? 0 : ProcessEntry.threadCount(of: getuid())) }
        mark = RandomSource.system.uint64() >> 2 | 1
        var confinement = Confinement()
        confinement.inForce = ["a session of its own", "no new privileges", "dies with the server", "no core files"]
        rules = try Self.landlock(limits, &confinement)
        group = usesControlGroup ? ControlGroup(mark: mark, limits: limits) : nil
        Self.describe(group, limits, &confinement)
        self.confinement = confinement
    }

    private static func landlock(
        _ limits: ProcessLimits, _ confinement: inout Confinement
    ) throws(SocketError) -> Int32 {
        guard let folders = limits.writableFolders else { return -1 }
        let version = clinux_landlock_version()
        guard version > 0 else {
            confinement.missing.append("Landlock, which this kernel lacks: it may write wherever the server may")
            return -1
        }
        var paths: [UnsafePointer<CChar>?] = unsafe folders.map { unsafe UnsafePointer(strdup($0)) }
        defer { unsafe paths.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }
        let rules = unsafe clinux_landlock_rules(&paths, Int32(folders.count))
        guard rules >= 0 else {
            throw SocketError(returned: rules, place: "allow writing in \(folders.joined(separator: " "))")
        }
        confinement.inForce.append("Landlock \(version): writes in its own folders alone")
        if version >= 6 {
            confinement.inForce.append("signals to its own processes alone")
        } else {
            confinement.missing.append("Landlock 6: it may send signals to other processes of its user")
        }
        return rules
    }

    private static func describe(_ group: ControlGroup?, _ limits: ProcessLimits, _ confinement: inout Confinement) {
        confinement.inForce.append(
            group == nil ? "its processes are found by a mark in /proc" : "a control group for its processes")
        if group == nil { confinement.missing.append("a writable control group (cgroup v2, Linux 5.14)") }
        if limits.residentBytes != nil {
            confinement.inForce.append(
                group?.limitsMemory == true
                    ? "the kernel limits its memory" : "its memory is looked at 4 times a second")
        }
        if limits.processes != nil {
            confinement.inForce.append(
                group?.limitsProcesses == true
                    ? "the kernel limits its processes" : "its processes are counted 4 times a second")
            if group?.limitsProcesses != true, getuid() == 0 {
                confinement.missing.append("a limit of processes from the kernel: RLIMIT_NPROC does not bind root")
            }
        }
    }

    func closeRules() {
        if rules >= 0 { clinux_close(rules) }
    }
}
