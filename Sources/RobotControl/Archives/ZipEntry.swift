/// One file or folder of an archive, as the central directory tells of it
/// ([APPNOTE 6.3.10 §4.3.12](https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT)).
package struct ZipEntry: Sendable {
    enum Method: UInt16, Sendable {
        case stored = 0
        case deflated = 8
    }

    /// The names on the way to it, its own last.
    package internal(set) var path: [String]
    package internal(set) var isFolder: Bool
    /// The owner may execute it.
    package internal(set) var isExecutable: Bool
    /// Unpacked bytes.
    package internal(set) var size: Int

    var rawName: [UInt8]
    var flags: UInt16
    var method: Method
    var checksum: UInt32
    var packedSize: Int
    var headerOffset: Int
    /// Where its packed bytes begin: behind the local header.
    var dataOffset = 0

    package var name: String { path.joined(separator: "/") }
    /// Sizes and checksum stand behind the data.
    var hasDescriptor: Bool { flags & 1 << 3 != 0 }

    /// What macOS and its Finder add, and no project reads.
    var isLeftOut: Bool { path.first == "__MACOSX" || path.last == ".DS_Store" }

    /// What the name and the flags may be; the sizes are looked at with the whole archive.
    static func checkKind(flags: UInt16, attributes: UInt32, isFolder: Bool, name: String) throws(ArchiveFailure) {
        // Bits 0, 6 and 13: encrypted, strongly encrypted, masked headers.
        guard flags & 0x2041 == 0 else {
            throw ArchiveFailure(.encrypted, "The archive is encrypted.", entry: name)
        }
        guard flags & 1 << 5 == 0 else {
            throw ArchiveFailure(.method, "An entry is a patch of another file.", entry: name)
        }
        // The upper half is a Unix mode where the archive comes from Unix, and 0 where it does not.
        let mode = attributes >> 16
        switch mode & 0o170000 {
        case 0: break
        case 0o100000 where !isFolder: break
        case 0o040000 where isFolder: break
        case 0o120000: throw ArchiveFailure(.symbolicLink, "The archive contains a symbolic link.", entry: name)
        case 0o100000, 0o040000:
            throw ArchiveFailure(
                .headerMismatch, "An entry is a file by its name and a folder by its mode, or the reverse.", entry: name
            )
        default:
            throw ArchiveFailure(.specialFile, "The archive contains a device, a pipe or a socket.", entry: name)
        }
        // A folder's set-group-id only says whose its files are, and is not taken over.
        guard mode & (isFolder ? 0o4000 : 0o6000) == 0 else {
            throw ArchiveFailure(.setuid, "The archive contains a set-user-id or set-group-id file.", entry: name)
        }
    }
}
