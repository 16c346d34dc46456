internal import Glibc
internal import Networking

/// The folder of one worker: its socket, and below it what the project may write to.
struct WorkerFolder: Sendable {
    let path: String
    var scratch: String { path + "/scratch" }

    private static let prefix = "worker-"
    /// Bytes of the path of the folder that holds them: a socket's path has 107 at most.
    private static let longestPath = 60

    /// Makes the folder that holds them, and removes what servers left there that were killed.
    static func prepare(_ directory: String) throws(SocketError) {
        guard directory.utf8.count <= longestPath else {
            throw SocketError(code: .system(errno: ENAMETOOLONG), place: "keep sockets in \(directory)")
        }
        try PrivateFolder.make(directory)
        for name in PrivateFolder.entries(directory) where name.hasPrefix(prefix) {
            guard let owner = name.dropFirst(prefix.count).split(separator: "-").first.flatMap({ Int32($0) }),
                owner != getpid(), Glibc.kill(owner, 0) != 0, errno == ESRCH
            else { continue }
            PrivateFolder.remove(directory + "/" + name)
        }
    }

    init(in directory: String, name: String) throws(SocketError) {
        path = "\(directory)/\(Self.prefix)\(getpid())-\(name)"
        try PrivateFolder.make(path)
        try PrivateFolder.make(path + "/scratch")
    }

    func remove() {
        PrivateFolder.remove(path)
    }
}
