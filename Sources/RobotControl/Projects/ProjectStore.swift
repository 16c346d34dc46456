internal import Core
internal import Glibc

/// The projects on disk: uploads are unpacked beside the running project and take its place in one step.
///
/// ``stage(_:origin:progress:)`` puts a project where it will stay, so that a worker can load it; ``commit(_:)`` makes it
/// the current version; ``discard(_:)`` forgets it. A crash in between leaves the former version the current one.
package actor ProjectStore {
    package struct Settings: Sendable {
        /// `storage/projects`; made where it is missing.
        package var directory: String
        /// Becomes the first version where there is none and `default/` is empty.
        package var builtInProject: String?
        package var limits = ZipLimits()
        /// How many versions are kept; the current one always is.
        package var maximumVersions = 10
        /// Unpacked bytes of all versions that are kept.
        package var maximumBytes = 4 << 30

        package init(directory: String) { self.directory = directory }
    }

    package nonisolated let settings: Settings
    private nonisolated let storage: ProjectStorage
    /// Newest first.
    private var versions: [ProjectVersion]
    private var currentName: String?
    private var lastNumber: Int

    /// Takes up what an earlier run left: see docs/protocols/projects.md.
    package init(_ settings: Settings) throws(ProjectFailure) {
        self.settings = settings
        let storage = try ProjectStorage(directory: settings.directory)
        self.storage = storage
        let start = try ProjectStoreStart(storage, builtInProject: settings.builtInProject)
        versions = start.versions
        currentName = start.currentName
        lastNumber = max(start.lastNumber, storage.lastNumber())
    }

    /// Where everything lies, absolute.
    package nonisolated var directory: String { storage.root }

    // MARK: What there is

    package func current() -> ProjectVersion? { versions.first { $0.name == currentName } }

    /// Newest first.
    package func history() -> [ProjectVersion] { versions }

    package func version(_ number: Int) -> ProjectVersion? { versions.first { $0.number == number } }

    // MARK: Staging

    /// A file for an upload that begins.
    package nonisolated func makeUpload(_ encoding: UploadFile.Encoding) throws(ProjectFailure) -> UploadFile {
        let name = "upload-\(RandomSource.system.bytes(8).hexadecimal).zip"
        return try UploadFile(
            path: "\(storage.staging)/\(name)", encoding: encoding, limit: settings.limits.archiveBytes)
    }

    /// Finishes, checks and unpacks an upload, whose file is removed in any case. The running project notices nothing.
    @concurrent
    package nonisolated func stage(
        _ upload: UploadFile, origin: ProjectOrigin = ProjectOrigin(),
        progress: @Sendable (ArchiveProgress) -> Void = { _ in }
    ) async throws(ProjectFailure) -> StagedProject {
        defer { upload.discard() }
        try upload.finish()
        return try await stage(archiveAt: upload.path, origin: origin, progress: progress)
    }

    @concurrent
    package nonisolated func stage(
        archiveAt path: String, origin: ProjectOrigin = ProjectOrigin(),
        progress: @Sendable (ArchiveProgress) -> Void = { _ in }
    ) async throws(ProjectFailure) -> StagedProject {
        try await withTaskExecutorPreference(DiskExecutor.shared) { () async throws(ProjectFailure) in
            try await unpack(path, origin: origin, progress: progress)
        }
    }

    @concurrent
    private nonisolated func unpack(
        _ path: String, origin: ProjectOrigin, progress: @Sendable (ArchiveProgress) -> Void
    ) async throws(ProjectFailure) -> StagedProject {
        let archive: ZipArchive
        let digest: String
        do throws(ArchiveFailure) {
            let source = ArchiveSource.file(try ArchiveFile(path: path))
            archive = try ZipArchive(reading: source, limits: settings.limits)
            digest = try source.sha256().hexadecimal
        } catch {
            throw ProjectFailure(error)
        }
        var version = await draft(source: "update", sha256: digest)
        version.bytes = archive.totalBytes
        version.files = archive.fileCount
        version.fileName = origin.fileName.map { ArchiveFailure.printable($0) }
        version.author = origin.author
        let path = "\(storage.staging)/\(version.name)"
        do throws(ArchiveFailure) {
            var sink = try FolderSink(path: path)
            try archive.extract(into: &sink, progress: progress)
        } catch {
            storage.remove(path)
            throw ProjectFailure(error)
        }
        return try settle(path, version)
    }

    /// A former version once more, to be loaded and committed like an upload.
    @concurrent
    package nonisolated func stage(
        rollbackTo number: Int, origin: ProjectOrigin = ProjectOrigin()
    ) async throws(ProjectFailure) -> StagedProject {
        try await withTaskExecutorPreference(DiskExecutor.shared) { () async throws(ProjectFailure) in
            try await copy(number, origin: origin)
        }
    }

    @concurrent
    private nonisolated func copy(_ number: Int, origin: ProjectOrigin) async throws(ProjectFailure) -> StagedProject {
        guard let former = await version(number) else {
            throw ProjectFailure(code: "unknown_version", reason: "There is no version \(number).")
        }
        var version = await draft(source: "rollback of \(number)", sha256: former.sha256)
        version.bytes = former.bytes
        version.files = former.files
        version.fileName = former.fileName
        version.author = origin.author
        let path = "\(storage.staging)/\(version.name)"
        try storage.copy(former.folder.path, to: path)
        return try settle(path, version)
    }

    private func draft(source: String, sha256: String?) -> ProjectVersion {
        lastNumber += 1
        return .draft(number: lastNumber, source: source, sha256: sha256)
    }

    private nonisolated func settle(_ path: String, _ draft: ProjectVersion) throws(ProjectFailure) -> StagedProject {
        var version = draft
        do throws(ProjectFailure) {
            version.folder = try storage.settle(path, as: draft.name)
        } catch {
            storage.remove(path)
            throw error
        }
        return StagedProject(version: version)
    }

    // MARK: Committing

    /// Makes a staged project the current version. On an error the former one still is.
    @discardableResult
    package func commit(_ staged: StagedProject) throws(ProjectFailure) -> ProjectVersion {
        guard storage.isFolder(staged.folder.path), !versions.contains(where: { $0.name == staged.version.name }) else {
            throw ProjectFailure(code: "unknown_version", reason: "The project is no longer staged.")
        }
        try storage.write(staged.version)
        do throws(ProjectFailure) {
            try storage.link(staged.version.name)
        } catch {
            storage.removeRecord(staged.version.name)
            throw error
        }
        versions.insert(staged.version, at: versions.firstIndex { $0.number < staged.version.number } ?? versions.count)
        currentName = staged.version.name
        prune()
        return staged.version
    }

    /// Forgets a staged project.
    package func discard(_ staged: StagedProject) {
        guard !versions.contains(where: { $0.name == staged.version.name }) else { return }
        storage.removeVersion(staged.version.name)
    }

    private func prune() {
        var kept = 0
        var bytes = current()?.bytes ?? 0
        var isFull = false
        for version in versions where version.name != currentName {
            kept += 1
            bytes += version.bytes
            isFull = isFull || kept >= settings.maximumVersions || bytes > settings.maximumBytes
            if isFull { storage.removeVersion(version.name) }
        }
        versions = versions.filter { storage.isFolder($0.folder.path) }
    }
}

extension ProjectVersion {
    /// A version of now.
    static func draft(number: Int, source: String, sha256: String?) -> ProjectVersion {
        let time = SystemClock.wallTime().iso8601
        let compact = time.prefix(19).filter { $0 != "-" && $0 != ":" }
        let digits = String(number)
        let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        let mark = sha256?.prefix(8) ?? source.prefix { $0 != " " }
        return ProjectVersion(
            number: number, name: "\(padded)-\(compact)-\(mark)", time: time, source: source, sha256: sha256, bytes: 0,
            files: 0)
    }
}

extension ArchiveSource {
    /// Of the whole archive.
    fileprivate func sha256() throws(ArchiveFailure) -> [UInt8] {
        var digest = SHA256Stream()
        var offset = 0
        while offset < count {
            let piece = try bytes(at: offset, count: min(1 << 20, count - offset))
            digest.update(piece.span)
            offset += piece.count
        }
        return digest.finish()
    }
}
