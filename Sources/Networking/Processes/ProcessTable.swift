internal import Glibc

/// One process, as `/proc/PID/stat` tells of it ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)).
struct ProcessEntry: Sendable {
    let identifier: Int32
    let parent: Int32
    let session: Int32
    let threads: Int
    let residentBytes: Int
    /// In clock ticks since the machine's start: tells a process from a later one of the same number.
    let startTime: UInt64
    /// Ended, and not reaped.
    let isZombie: Bool

    /// Nil for a process that is gone.
    init?(_ identifier: Int32) {
        guard let text = readSmallFile("/proc/\(identifier)/stat"), let name = text.lastIndex(of: ")") else {
            return nil
        }
        // After the name, which may contain anything: state ppid pgrp session … (fields 3, 4, 5, 6 …).
        let fields = text[name...].dropFirst(2).split(separator: " ")
        guard fields.count > 21, let parent = Int32(fields[1]), let session = Int32(fields[3]),
            let threads = Int(fields[17]), let startTime = UInt64(fields[19]), let pages = Int(fields[21])
        else { return nil }
        self.identifier = identifier
        self.parent = parent
        self.session = session
        self.threads = threads
        self.startTime = startTime
        residentBytes = pages * Int(getpagesize())
        isZombie = fields[0] == "Z" || fields[0] == "X"
    }

    var isStillRunning: Bool {
        guard let now = ProcessEntry(identifier) else { return false }
        return now.startTime == startTime && !now.isZombie
    }

    /// Every process of the machine that we can see.
    static func all() -> [ProcessEntry] {
        folderEntries("/proc").compactMap { Int32($0).flatMap { ProcessEntry($0) } }
    }

    /// How many processes and threads a user has, as `RLIMIT_NPROC` counts them.
    static func threadCount(of user: uid_t) -> Int {
        all().reduce(0) { total, entry in
            var status = stat()
            guard unsafe stat("/proc/\(entry.identifier)", &status) == 0, status.st_uid == user else {
                return total
            }
            return total + entry.threads
        }
    }

    /// Its hard limit of file locks, by which a tree is marked; nil where it has none.
    var mark: UInt64? {
        guard let limits = readSmallFile("/proc/\(identifier)/limits"),
            let line = limits.split(separator: "\n").first(where: { $0.hasPrefix("Max file locks") })
        else { return nil }
        return line.split(separator: " ").dropFirst(4).first.flatMap { UInt64($0) }
    }

    /// Its share of the memory that it uses with others; more exact than ``residentBytes``, and dear to ask for.
    var proportionalBytes: Int {
        guard let rollup = readSmallFile("/proc/\(identifier)/smaps_rollup"),
            let line = rollup.split(separator: "\n").first(where: { $0.hasPrefix("Pss:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return residentBytes }
        return kilobytes * 1024
    }
}

/// At most 16 KiB of a file of the kernel's; nil where it cannot be read.
func readSmallFile(_ path: String) -> String? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 16_384)
    var count = 0
    while count < bytes.count {
        let more = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count)
        }
        guard more != 0 else { break }
        guard more > 0 else { return nil }
        count += more
    }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
}

/// The names in a folder; none where it cannot be read.
func folderEntries(_ path: String) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe _ = closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
        let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}
