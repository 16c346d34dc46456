package import Core
internal import FoundationEssentials

/// The avatars that operators registered: video files by id, remembered in `avatars.json` of their folder.
///
/// An actor of its own, so that writing a large upload holds up nothing else.
package actor AvatarLibrary {
    package struct Entry: Codable, Equatable, Sendable {
        package var id: String
        package var path: String
        package var appliesBlur: Bool
        package var tutorID: Int?
        /// Whether the file is ours and goes with the entry.
        package var isUploaded: Bool
    }

    private let directory: String
    private let videoRoots: [String]
    private let maximumCount: Int
    private var entries: [String: Entry] = [:]
    /// Why avatars cannot be kept; nil where all is well.
    package private(set) var degraded: DegradedPart?

    /// Reads the list of an earlier run. A folder that cannot be used is reported as degraded, not fatal.
    package init(directory: String, videoRoots: [String], maximumCount: Int) {
        self.directory = directory
        self.videoRoots = videoRoots.compactMap(Self.canonical)
        self.maximumCount = maximumCount
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let list = "\(directory)/avatars.json"
            if FileManager.default.fileExists(atPath: list) {
                let known = try JSONDecoder().decode([Entry].self, from: Data(contentsOf: URL(filePath: list)))
                for entry in known where AvatarID.isValid(entry.id) { entries[entry.id] = entry }
            }
        } catch {
            degraded = DegradedPart(
                part: "avatars", reason: "\(directory) cannot be used: \(error)",
                remedy: "make the folder writable, or set avatars.directory")
        }
    }

    package var ids: [String] { entries.keys.sorted() }

    package func entry(_ id: String) -> Entry? { entries[id] }

    /// What a stage of that avatar shows. An id that nobody registered shows the built-in avatar.
    package func picture(for id: String?) -> StagePicture {
        guard let id, let entry = entries[id] else { return .builtIn }
        return .video(path: entry.path)
    }

    /// Registers a video that is on this machine already, in one of the allowed folders.
    package func register(_ request: AvatarRequest, videoPath: String) throws(RequestError) -> Entry {
        guard let path = Self.canonical(videoPath) else { throw RequestError(404, "video_path does not exist") }
        // Links were resolved, so that no link leads out of the allowed folders.
        guard videoRoots.contains(where: { path.hasPrefix($0 == "/" ? "/" : "\($0)/") }) else {
            throw RequestError(403, "video_path is outside of avatars.video_roots; upload the video instead")
        }
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory else {
            throw RequestError(422, "video_path is not a file")
        }
        return try add(
            Entry(
                id: request.avatarID, path: path, appliesBlur: request.appliesBlur, tutorID: request.tutorID,
                isUploaded: false))
    }

    /// Keeps an uploaded video. Only the extension of the client's file name is used.
    package func store(_ request: AvatarRequest, fileName: String, video: [UInt8]) throws(RequestError) -> Entry {
        let suffix = fileName.split(separator: ".").last.map { $0.lowercased() } ?? ""
        let known = ["mp4", "mov", "webm", "mkv", "avi", "m4v"].contains(suffix) ? suffix : "video"
        let path = "\(directory)/\(request.avatarID).\(known)"
        guard entries[request.avatarID] != nil || entries.count < maximumCount else { throw Self.full(maximumCount) }
        do {
            try Data(video).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw RequestError(500, "The video cannot be written to avatars.directory")
        }
        if let former = entries[request.avatarID], former.isUploaded, former.path != path {
            try? FileManager.default.removeItem(atPath: former.path)
        }
        return try add(
            Entry(
                id: request.avatarID, path: path, appliesBlur: request.appliesBlur, tutorID: request.tutorID,
                isUploaded: true))
    }

    /// False where there was none.
    package func remove(_ id: String) throws(RequestError) -> Bool {
        guard let entry = entries.removeValue(forKey: id) else { return false }
        if entry.isUploaded { try? FileManager.default.removeItem(atPath: entry.path) }
        try save()
        return true
    }

    private func add(_ entry: Entry) throws(RequestError) -> Entry {
        guard entries[entry.id] != nil || entries.count < maximumCount else { throw Self.full(maximumCount) }
        entries[entry.id] = entry
        try save()
        return entry
    }

    private static func full(_ maximum: Int) -> RequestError {
        RequestError(507, "Maximum avatars (\(maximum)) reached")
    }

    private func save() throws(RequestError) {
        do {
            let list = try JSONEncoder().encode(entries.values.sorted { $0.id < $1.id })
            try list.write(to: URL(filePath: "\(directory)/avatars.json"), options: .atomic)
        } catch {
            throw RequestError(500, "The list of avatars cannot be written to avatars.directory")
        }
    }

    /// The absolute path without links; nil for a path that does not exist.
    private static func canonical(_ path: String) -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let absolute = path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
        var resolved = URL(filePath: absolute).resolvingSymlinksInPath().standardized.path
        while resolved.count > 1, resolved.hasSuffix("/") { resolved.removeLast() }
        return resolved
    }
}
