/// The rules for names in an archive, and what tells two of them apart on any file system.
enum ZipName {
    /// The names on a path; whether it is a folder's.
    static func parse(
        _ bytes: [UInt8], limits: ZipLimits
    ) throws(ArchiveFailure) -> (path: [String], isFolder: Bool) {
        // Without its UTF-8 flag a name should be code page 437, but macOS and zip write UTF-8 there as well.
        guard let name = String(validating: bytes, as: UTF8.self) else {
            throw ArchiveFailure(
                .nameEncoding, "A name is not UTF-8.", entry: String(decoding: bytes.prefix(200), as: UTF8.self))
        }
        guard !bytes.isEmpty else { throw ArchiveFailure(.name, "An entry has no name.") }
        guard bytes.count <= limits.nameBytes else {
            throw ArchiveFailure(.nameLength, "A path is longer than \(limits.nameBytes) bytes.", entry: name)
        }
        for scalar in name.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator:
                throw ArchiveFailure(.controlCharacter, "A name has a control character.", entry: name)
            default: break
            }
        }
        guard !bytes.contains(UInt8(ascii: "\\")) else {
            throw ArchiveFailure(.backslash, "A name has a backslash.", entry: name)
        }
        let hasDrive = bytes.count >= 2 && bytes[1] == UInt8(ascii: ":") && (bytes[0] | 0x20).isLowercaseLetter
        guard bytes[0] != UInt8(ascii: "/"), !hasDrive else {
            throw ArchiveFailure(.absolutePath, "A path is absolute.", entry: name)
        }
        var parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isFolder = parts.last?.isEmpty == true
        if isFolder { parts.removeLast() }
        for part in parts {
            guard !part.elementsEqual("..".utf8) else {
                throw ArchiveFailure(.traversal, "A path leads out of the project by \"..\".", entry: name)
            }
            guard !part.isEmpty, !part.elementsEqual(".".utf8) else {
                throw ArchiveFailure(.name, "A path has an empty name or \".\" in it.", entry: name)
            }
            guard part.count <= 255 else {
                throw ArchiveFailure(.nameLength, "A name is longer than 255 bytes.", entry: name)
            }
        }
        guard parts.count <= limits.depth else {
            throw ArchiveFailure(.depth, "Folders are nested deeper than \(limits.depth).", entry: name)
        }
        return (parts.map { String(decoding: $0, as: UTF8.self) }, isFolder)
    }

    /// The names that an archive has used so far.
    struct Register {
        private struct Known {
            var spelling: [UInt8]
            var isFolder: Bool
            var isListed: Bool
        }

        /// By folded path. Strings that Unicode holds to be equal are equal keys, however they are composed.
        private var known: [String: Known] = [:]

        mutating func add(_ entry: ZipEntry) throws(ArchiveFailure) {
            var folded = ""
            var spelling: [UInt8] = []
            for (index, part) in entry.path.enumerated() {
                let isLast = index == entry.path.count - 1
                let isFolder = !isLast || entry.isFolder
                // Upper case first: it takes apart what has no single lower-case twin (ß, ſ, ﬁ).
                folded += "/" + part.uppercased().lowercased()
                spelling.append(UInt8(ascii: "/"))
                spelling.append(contentsOf: part.utf8)
                guard var former = known[folded] else {
                    known[folded] = Known(spelling: spelling, isFolder: isFolder, isListed: isLast)
                    continue
                }
                guard former.spelling == spelling else {
                    throw ArchiveFailure(
                        .duplicate, "Two names differ in case or in Unicode composition alone.", entry: entry.name)
                }
                guard former.isFolder, isFolder else {
                    let reason =
                        former.isFolder != isFolder ? "A path is both a file and a folder." : "Two files have one name."
                    throw ArchiveFailure(.duplicate, reason, entry: entry.name)
                }
                guard isLast else { continue }
                guard !former.isListed else {
                    throw ArchiveFailure(.duplicate, "Two folders have one name.", entry: entry.name)
                }
                former.isListed = true
                known[folded] = former
            }
        }
    }
}

extension UInt8 {
    fileprivate var isLowercaseLetter: Bool { (0x61...0x7A).contains(self) }
}
