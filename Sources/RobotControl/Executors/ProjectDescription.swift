internal import Core
internal import Glibc

/// What a project's own `project.json` says of it; a project without one is known by its files.
struct ProjectDescription {
    var kind: String?
    /// The program and its arguments, of an executable.
    var command: [String] = []

    private static let maximumBytes = 65_536

    /// Nil where there is a `project.json` that is none.
    init?(of project: ProjectFolder) {
        let path = project.path + "/project.json"
        guard unsafe access(path, F_OK) == 0 else { return }
        guard let bytes = Self.read(path), let json = JSONValue(parsing: bytes), let kind = json["kind"]?.stringValue
        else { return nil }
        self.kind = kind
        guard case .array(let words)? = json["command"] else { return }
        command = words.compactMap(\.stringValue)
        guard command.count == words.count, !command.contains(where: { $0.utf8.contains(0) }) else { return nil }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
        let count = unsafe Glibc.read(descriptor, &bytes, bytes.count)
        return count >= 0 && count <= maximumBytes ? Array(bytes.prefix(count)) : nil
    }
}

extension ProjectFolder {
    func hasFile(_ name: String, executable: Bool = false) -> Bool {
        var status = stat()
        guard unsafe stat(path + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        return unsafe !executable || access(path + "/" + name, X_OK) == 0
    }
}
