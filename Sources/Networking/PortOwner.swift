internal import Glibc

/// Finds out which process holds a port, from `/proc`.
package enum PortOwner {
    package enum Transport: String, Sendable {
        case udp, tcp
    }

    /// `pid 123 (coturn)`; nil where nobody holds the port, `another user's process` where it cannot be seen.
    package static func describe(_ port: UInt16, _ transport: Transport) -> String? {
        let inodes = socketInodes(port, transport)
        guard !inodes.isEmpty else { return nil }
        for process in entries(of: "/proc") {
            guard let pid = Int32(process) else { continue }
            for descriptor in entries(of: "/proc/\(process)/fd") {
                guard let link = target(of: "/proc/\(process)/fd/\(descriptor)"), link.hasPrefix("socket:["),
                    inodes.contains(String(link.dropFirst(8).dropLast()))
                else { continue }
                let name = contents(of: "/proc/\(process)/comm").filter { !$0.isNewline }
                return pid == getpid() ? "this process" : "pid \(pid) (\(name))"
            }
        }
        return "another user's process"
    }

    /// Inodes of the sockets that are bound to `port` (TCP: that listen on it).
    private static func socketInodes(_ port: UInt16, _ transport: Transport) -> Set<String> {
        var inodes: Set<String> = []
        for file in ["/proc/net/\(transport.rawValue)", "/proc/net/\(transport.rawValue)6"] {
            for line in contents(of: file).split(separator: "\n").dropFirst() {
                // sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
                let columns = line.split(separator: " ", omittingEmptySubsequences: true)
                guard columns.count > 9, let colon = columns[1].lastIndex(of: ":"),
                    UInt16(columns[1][columns[1].index(after: colon)...], radix: 16) == port
                else { continue }
                if transport == .tcp && columns[3] != "0A" { continue }  // 0A: TCP_LISTEN
                inodes.insert(String(columns[9]))
            }
        }
        return inodes
    }

    private static func entries(of directory: String) -> [String] {
        guard let handle = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    private static func target(of link: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            return unsafe readlink(link, start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }

    private static func contents(of file: String) -> String {
        let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
