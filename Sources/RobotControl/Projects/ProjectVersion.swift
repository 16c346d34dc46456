/// One version of the project: what is remembered of it beside its folder.
package struct ProjectVersion: Codable, Equatable, Sendable {
    /// Grows by the version; never used twice.
    package var number: Int
    /// The folder's name: number, time and the digest's beginning.
    package var name: String
    /// When it was unpacked: ISO 8601, UTC.
    package var time: String
    /// `update`, `default`, `adopted`, `rollback of 2`.
    package var source: String
    /// Of the zip, in hexadecimal; nil where there was none.
    package var sha256: String?
    /// Unpacked bytes.
    package var bytes: Int
    package var files: Int
    /// What the client said the upload is called.
    package var fileName: String?
    /// Who brought it.
    package var author: String?
    /// Where it lies; not remembered, because the storage folder may move.
    package internal(set) var folder = ProjectFolder(path: "")

    private enum CodingKeys: String, CodingKey {
        case number, name, time, source, sha256, bytes, files, author
        case fileName = "file_name"
    }
}

/// Where an upload comes from, as far as it is known.
package struct ProjectOrigin: Sendable {
    package var fileName: String?
    package var author: String?

    package init(fileName: String? = nil, author: String? = nil) {
        self.fileName = fileName
        self.author = author
    }
}

/// A project that is unpacked where it will stay, and is no version yet: load it, then commit or discard it.
package struct StagedProject: Equatable, Sendable {
    package let version: ProjectVersion
    package var folder: ProjectFolder { version.folder }
}
