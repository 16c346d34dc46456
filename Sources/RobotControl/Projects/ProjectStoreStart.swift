internal import Glibc

/// What the store finds at its start, put in order: a `current/` that an operator made becomes a version, and an empty one
/// is filled from `default/`.
struct ProjectStoreStart {
    private let storage: ProjectStorage
    private(set) var versions: [ProjectVersion]
    private(set) var currentName: String?
    private(set) var lastNumber: Int

    init(_ storage: ProjectStorage, builtInProject: String?) throws(ProjectFailure) {
        self.storage = storage
        versions = storage.readVersions()
        lastNumber = storage.lastNumber()
        currentName = storage.linkedName()
        if let name = currentName {
            if !versions.contains(where: { $0.name == name }) { try restoreRecord(of: name) }
            return
        }
        if storage.isFolder(storage.current), !storage.names(in: storage.current).isEmpty {
            // Their folder is moved; what their link points to is theirs and is copied.
            let isTheirs = storage.isLink(storage.current)
            let source = isTheirs ? try ProjectStorage.resolve(storage.current) : storage.current
            try add(source, source: "adopted", moves: !isTheirs)
            return
        }
        // A dangling link or an empty folder; a folder that is not empty stays.
        _ = storage.isLink(storage.current) ? unsafe unlink(storage.current) : unsafe rmdir(storage.current)
        if !storage.names(in: storage.defaultProject).isEmpty {
            try add(storage.defaultProject, source: "default", moves: false)
        } else if let builtInProject, storage.isFolder(builtInProject) {
            try add(builtInProject, source: "default", moves: false)
        }
    }

    private mutating func add(_ source: String, source word: String, moves: Bool) throws(ProjectFailure) {
        lastNumber += 1
        var version = ProjectVersion.draft(number: lastNumber, source: word, sha256: nil)
        let size = storage.measure(source)
        version.files = size.files
        version.bytes = size.bytes
        let path = moves ? source : "\(storage.staging)/\(version.name)"
        if !moves { try storage.copy(source, to: path) }
        // The record first: a folder without one would be taken for a half of an upload at the next start.
        try storage.write(version)
        do throws(ProjectFailure) {
            version.folder = try storage.settle(path, as: version.name)
        } catch {
            storage.removeRecord(version.name)
            throw error
        }
        try storage.link(version.name)
        versions.insert(version, at: 0)
        currentName = version.name
    }

    /// The current version's record is gone or damaged: what can be told is told anew.
    private mutating func restoreRecord(of name: String) throws(ProjectFailure) {
        let number = Int(name.prefix { $0 != "-" }) ?? lastNumber + 1
        var version = ProjectVersion.draft(number: number, source: "adopted", sha256: nil)
        version.name = name
        version.folder = ProjectFolder(path: storage.folder(name))
        let size = storage.measure(version.folder.path)
        version.files = size.files
        version.bytes = size.bytes
        try storage.write(version)
        versions.insert(version, at: versions.firstIndex { $0.number < number } ?? versions.count)
        lastNumber = max(lastNumber, number)
    }
}
