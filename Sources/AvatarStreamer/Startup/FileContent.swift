internal import Glibc

/// Whole files, read and written with limits.
enum FileContent {
    /// Nil where the file cannot be opened or is longer than the limit.
    static func read(_ path: String, maximumLength: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while content.count <= maximumLength {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 { return nil }
            if count == 0 { return content }
            content += chunk.prefix(count)
        }
        return nil
    }

    /// Makes the folder and what is above it; false where that fails.
    static func makeDirectory(_ path: String) -> Bool {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made.hasSuffix("/") ? "\(part)" : "/\(part)"
            if unsafe mkdir(made, 0o755) != 0, errno != EEXIST { return false }
        }
        return true
    }

    /// The path from the root on, whatever the working folder is.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        guard let folder = unsafe getcwd(nil, 0) else { return path }
        defer { unsafe free(folder) }
        return unsafe String(cString: folder) + "/" + path
    }

    static func isReadable(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }
    static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

    /// Writes a file that only its owner may read; false where that fails.
    static func writePrivate(_ bytes: [UInt8], to path: String) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count
    }

    /// Standard output, for commands whose answer it is.
    static func print(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        unsafe _ = Glibc.write(1, bytes, bytes.count)
    }

    /// Standard error, for complaints that are not log lines.
    static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        unsafe _ = Glibc.write(2, bytes, bytes.count)
    }
}
