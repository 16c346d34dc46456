package import Core
internal import FoundationEssentials

/// The avatars that operators registered, by id, remembered in `avatars.json` of their folder; and those of the
/// configuration, which stand beside them and cannot be changed here.
///
/// An actor of its own, so that writing a large upload holds up nothing else.
package actor AvatarLibrary {
    package struct Entry: Codable, Equatable, Sendable {
        package var id: String
        /// The video's file; empty where an engine needs none.
        package var path: String
        package var appliesBlur: Bool
        package var tutorID: Int?
        /// Whether the file is ours and goes with the entry.
        package var isUploaded: Bool
        /// The engine that shows the avatar, and its own id of it.
        package var engine: String?
        package var engineAvatar: String?
        /// Whether the engine has made its avatar of the video.
        package var isPrepared: Bool?

        /// Where the avatar comes from, as clients are told it.
        package var location: String {
            guard path.isEmpty, let engine else { return path }
            return "engine://\(engine)/\(engineAvatar ?? id)"
        }
        /// The engine has work to do before it can show the avatar.
        package var needsPreparation: Bool { engine != nil && !path.isEmpty && isPrepared != true }
    }

    private let directory: String
    private let videoRoots: [String]
    private let maximumCount: Int
    /// What the configuration's profiles show, by avatar id.
    private let configured: [String: StagePicture]
    private var entries: [String: Entry] = [:]
    /// How far preparations are, and why they failed.
    private var statuses: [String: AvatarStatus] = [:]
    /// Why avatars cannot be kept; nil where all is well.
    private var directoryFault: DegradedPart?

    /// Reads the list of an earlier run. A folder that cannot be used is reported as degraded, not fatal.
    package init(
        directory: String, videoRoots: [String], maximumCount: Int, configured: [String: StagePicture] = [:]
    ) {
        self.directory = directory
        self.videoRoots = videoRoots.compactMap(Self.canonical)
        self.maximumCount = maximumCount
        self.configured = configured
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            for name in try FileManager.default.contentsOfDirectory(atPath: directory)
            where name.hasPrefix(Self.uploadPrefix) {
                // Left by a run that was killed while it looked at an upload.
                try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
            }
            let list = "\(directory)/avatars.json"
            if FileManager.default.fileExists(atPath: list) {
                let known = try JSONDecoder().decode([Entry].self, from: Data(contentsOf: URL(filePath: list)))
                for entry in known where AvatarID.isValid(entry.id) { entries[entry.id] = entry }
            }
        } catch {
            directoryFault = DegradedPart(
                part: "avatars", reason: "\(directory) cannot be used: \(error)",
                remedy: "make the folder writable, or set avatars.directory")
        }
    }

    package var ids: [String] { Set(entries.keys).union(configured.keys).sorted() }

    package func entry(_ id: String) -> Entry? { entries[id] }

    package func configuredPicture(_ id: String) -> StagePicture? { configured[id] }

    package var degradedParts: [DegradedPart] {
        var parts = directoryFault.map { [$0] } ?? []
        for (id, status) in statuses.sorted(by: { $0.key < $1.key }) {
            guard case .failed(let reason) = status else { continue }
            parts.append(
                DegradedPart(
                    part: "avatar:\(id)", reason: reason, remedy: "register the avatar again, or delete it"))
        }
        return parts
    }

    /// What a stage of that avatar shows. An id that nobody registered shows the built-in avatar; one that its engine
    /// has not made yet shows the video.
    package func picture(for id: String?) -> StagePicture {
        guard let id else { return .builtIn }
        guard let entry = entries[id] else { return configured[id] ?? .builtIn }
        guard let engine = entry.engine, !entry.needsPreparation else { return .video(path: entry.path) }
        return .engine(name: engine, avatar: entry.engineAvatar ?? id)
    }

    // MARK: Registering

    /// The absolute path of a video that is on this machine already, in one of the allowed folders.
    package func allowedVideo(_ videoPath: String) throws(RequestError) -> String {
        guard let path = Self.canonical(videoPath) else { throw RequestError(404, "video_path does not exist") }
        // Links were resolved, so that no link leads out of the allowed folders.
        guard videoRoots.contains(where: { path.hasPrefix($0 == "/" ? "/" : "\($0)/") }) else {
            throw RequestError(403, "video_path is outside of avatars.video_roots; upload the video instead")
        }
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory else {
            throw RequestError(422, "video_path is not a file")
        }
        return path
    }

    /// Registers an avatar; `path` is an allowed video's, empty where an engine needs none.
    package func register(_ request: AvatarRequest, path: String) throws(RequestError) -> Entry {
        try checkRoom(for: request.avatarID)
        return try add(request, path: path, isUploaded: false)
    }

    /// Writes an upload to a file of its own, to be looked at before it takes the place of anything.
    package func write(_ video: [UInt8], for id: String, name: String) throws(RequestError) -> String {
        try checkRoom(for: id)
        let path = "\(directory)/\(Self.uploadPrefix)\(name)"
        do {
            try Data(video).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw RequestError(500, "The video cannot be written to avatars.directory")
        }
        return path
    }

    /// An upload that is no good.
    package func discard(_ path: String) {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Keeps an upload that was written. Only the extension of the client's file name is used.
    package func store(_ request: AvatarRequest, fileName: String, written: String) throws(RequestError) -> Entry {
        let suffix = fileName.split(separator: ".").last.map { $0.lowercased() } ?? ""
        let known = ["mp4", "mov", "webm", "mkv", "avi", "m4v"].contains(suffix) ? suffix : "video"
        let path = "\(directory)/\(request.avatarID).\(known)"
        do throws(RequestError) {
            // Others may have registered meanwhile.
            try checkRoom(for: request.avatarID)
        } catch {
            discard(written)
            throw error
        }
        let former = entries[request.avatarID]
        do {
            if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
            try FileManager.default.moveItem(atPath: written, toPath: path)
        } catch {
            discard(written)
            throw RequestError(500, "The video cannot be kept in avatars.directory")
        }
        if let former, former.isUploaded, former.path != path { discard(former.path) }
        return try add(request, path: path, isUploaded: true)
    }

    /// False where there was none.
    package func remove(_ id: String) throws(RequestError) -> Bool {
        guard let entry = entries.removeValue(forKey: id) else { return false }
        statuses.removeValue(forKey: id)
        if entry.isUploaded { discard(entry.path) }
        try save()
        return true
    }

    private func add(_ request: AvatarRequest, path: String, isUploaded: Bool) throws(RequestError) -> Entry {
        let entry = Entry(
            id: request.avatarID, path: path, appliesBlur: request.appliesBlur, tutorID: request.tutorID,
            isUploaded: isUploaded, engine: request.engine?.name, engineAvatar: request.engine?.avatar)
        if let former = entries[entry.id], former.isUploaded, former.path != path { discard(former.path) }
        entries[entry.id] = entry
        statuses.removeValue(forKey: entry.id)
        try save()
        return entry
    }

    private func checkRoom(for id: String) throws(RequestError) {
        guard entries[id] != nil || entries.count < maximumCount else {
            throw RequestError(507, "Maximum avatars (\(maximumCount)) reached")
        }
    }

    // MARK: Preparing

    /// Avatars that an engine has not made yet.
    package var unprepared: [Entry] { entries.values.filter(\.needsPreparation).sorted { $0.id < $1.id } }

    /// What that engine has made of videos.
    package func prepared(by engine: String) -> [Entry] {
        entries.values.filter { $0.engine == engine && !$0.path.isEmpty && $0.isPrepared == true }
    }

    /// The engine has lost its avatar, as one that keeps nothing does when it is started again; what is to be made anew.
    package func noteLost(_ id: String) -> Entry? {
        entries[id]?.isPrepared = false
        return entries[id]
    }

    /// How far the preparation is; nil where there is none.
    package func status(_ id: String) -> AvatarStatus? { statuses[id] }

    /// Notes how far the preparation of that very entry is.
    package func note(_ status: AvatarStatus, of entry: Entry) {
        guard entries[entry.id] == entry else { return }
        statuses[entry.id] = status
        guard status == .ready else { return }
        entries[entry.id]?.isPrepared = true
        statuses.removeValue(forKey: entry.id)
        // Lost with a full disk, the engine is asked once more after the next start.
        try? save()
    }

    // MARK: Files

    private static let uploadPrefix = ".upload-"

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
