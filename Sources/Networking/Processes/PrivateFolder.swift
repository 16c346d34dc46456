internal import CLinux
internal import Glibc

/// Folders of our own that others write into: made for nobody else (mode 0700), removed with whatever they hold then.
package enum PrivateFolder {
    /// Makes it, and what is missing above it. One that is there already must be ours, and becomes private.
    package static func make(_ path: String) throws(SocketError) {
        var above = ""
        for part in path.split(separator: "/").dropLast() {
            above += (above.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            guard unsafe mkdir(above, 0o755) == 0 || errno == EEXIST else { throw failure("make \(above)") }
        }
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make \(path)") }
        var status = stat()
        // A link could lead to where somebody else waits.
        guard unsafe lstat(path, &status) == 0 else { throw failure("look at \(path)") }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid() else {
            throw SocketError(code: .permissionDenied, place: "use \(path), which is no folder of ours")
        }
        guard unsafe chmod(path, 0o700) == 0 else { throw failure("make \(path) private") }
    }

    /// However deep and hostile what it holds is. False where something is left.
    @discardableResult
    package static func remove(_ path: String) -> Bool {
        unsafe clinux_remove_folder(path) == 0
    }

    package static func entries(_ path: String) -> [String] { folderEntries(path) }

    private static func failure(_ place: String) -> SocketError {
        SocketError(returned: -errno, place: place)
    }
}
