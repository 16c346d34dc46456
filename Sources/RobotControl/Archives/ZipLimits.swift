/// What an uploaded archive may ask of us. Sizes are counted while it is unpacked, whatever it says of itself.
package struct ZipLimits: Sendable, Equatable {
    /// Bytes of the archive itself.
    package var archiveBytes = 100 << 20
    /// Bytes of everything in it, unpacked.
    package var totalBytes = 512 << 20
    /// Bytes of one file, unpacked.
    package var fileBytes = 256 << 20
    package var entries = 20_000
    /// Names in a path, the file's own among them.
    package var depth = 20
    /// Bytes of a path in UTF-8; one name of it is at most 255 bytes, which is what file systems take.
    package var nameBytes = 512
    /// Unpacked bytes to each packed byte, of a file and of the whole. Deflate can do 1032; source code has about 5.
    package var ratio = 200
    /// What may be packed at any ratio: an empty map of 4096 × 4096 cells is no bomb.
    package var ratioFreeBytes = 20 << 20

    package init() {}

    /// Whether so many bytes come out of too few.
    func isBomb(packed: Int, unpacked: Int) -> Bool {
        unpacked > ratioFreeBytes && unpacked / max(ratio, 1) > packed
    }
}
