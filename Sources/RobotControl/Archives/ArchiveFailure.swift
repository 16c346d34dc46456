internal import Glibc

/// Why an archive is refused, or could not be unpacked.
package struct ArchiveFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// What programs compare; docs/protocols/projects.md says when each is given.
    package enum Code: String, Sendable, CaseIterable {
        case notAZip = "zip_not_a_zip"
        case empty = "zip_empty"
        case damaged = "zip_damaged"
        case ambiguous = "zip_ambiguous"
        case hiddenData = "zip_hidden_data"
        case multiDisk = "zip_multi_disk"
        case encrypted = "zip_encrypted"
        case method = "zip_method"
        case headerMismatch = "zip_header_mismatch"
        case overlap = "zip_overlap"
        case size = "zip_size"
        case checksum = "zip_checksum"
        case traversal = "zip_traversal"
        case absolutePath = "zip_absolute_path"
        case backslash = "zip_backslash"
        case controlCharacter = "zip_control_character"
        case nameEncoding = "zip_name_encoding"
        case name = "zip_name"
        case nameLength = "zip_name_length"
        case depth = "zip_depth"
        case symbolicLink = "zip_symlink"
        case specialFile = "zip_special_file"
        case setuid = "zip_setuid"
        case duplicate = "zip_duplicate"
        case archiveSize = "zip_archive_size"
        case totalSize = "zip_total_size"
        case fileSize = "zip_file_size"
        case entries = "zip_entries"
        case ratio = "zip_bomb_ratio"
        case diskFull = "disk_full"
        case storage = "storage_failed"
        case cancelled = "cancelled"
    }

    package var code: Code
    /// One sentence, without the entry's name.
    package var reason: String
    /// The entry's name, fit to be printed.
    package var entry: String?

    package init(_ code: Code, _ reason: String, entry: String? = nil) {
        self.code = code
        self.reason = reason
        self.entry = entry.map { Self.printable($0) }
    }

    /// What the operating system refused.
    package init(errno code: Int32, _ deed: String, entry: String? = nil) {
        let isFull = code == ENOSPC || code == EDQUOT
        let cause = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
        self.init(
            isFull ? .diskFull : .storage, isFull ? "The disk is full." : "Cannot \(deed): \(cause).", entry: entry)
    }

    package var description: String { entry.map { "\(reason) (\($0))" } ?? reason }

    /// Cuts a name and replaces whatever is no visible character.
    static func printable(_ name: String) -> String {
        var text = ""
        for scalar in name.unicodeScalars.prefix(100) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                text += "?"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return name.unicodeScalars.count > 100 ? text + "…" : text
    }
}
