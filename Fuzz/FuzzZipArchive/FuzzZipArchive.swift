import Core
import RobotControl

/// What an operator uploads: a zip, and the base64 that carries it. What is taken stays within its limits and its folder.
@c(LLVMFuzzerTestOneInput)
package func fuzzZipArchive(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    fuzzBase64(input)
    var limits = ZipLimits()
    limits.totalBytes = 1 << 20
    limits.fileBytes = 1 << 19
    limits.ratioFreeBytes = 1 << 16
    limits.entries = 100
    guard let archive = try? ZipArchive(reading: .memory(input), limits: limits) else { return 0 }
    precondition(archive.entries.count <= limits.entries && archive.fileCount > 0, "a limit was passed")
    var sink = CheckingSink(limits: limits)
    let isWhole = (try? archive.extract(into: &sink)) != nil
    precondition(sink.bytes <= archive.totalBytes && archive.totalBytes <= limits.totalBytes, "more came out than may")
    precondition(!isWhole || sink.bytes == archive.totalBytes, "less came out than was said")
    precondition(!isWhole || sink.paths.count == archive.fileCount, "two files have one path")
    return 0
}

private struct CheckingSink: ArchiveSink {
    let limits: ZipLimits
    var paths: Set<[String]> = []
    var bytes = 0
    private var fileBytes = 0

    init(limits: ZipLimits) { self.limits = limits }

    mutating func makeFolder(_ path: [String]) throws(ArchiveFailure) {
        check(path)
    }

    mutating func beginFile(_ path: [String], isExecutable: Bool) throws(ArchiveFailure) {
        check(path)
        precondition(paths.insert(path).inserted, "two files have one path")
        fileBytes = 0
    }

    mutating func write(_ bytes: Span<UInt8>) throws(ArchiveFailure) {
        self.bytes += bytes.count
        fileBytes += bytes.count
        precondition(fileBytes <= limits.fileBytes, "a file is larger than it may be")
    }

    mutating func endFile() throws(ArchiveFailure) {}

    private func check(_ path: [String]) {
        precondition(!path.isEmpty && path.count <= limits.depth, "a path has no name, or too many")
        for name in path {
            let isHarmless =
                !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255
                && name.utf8.allSatisfy {
                    $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\")
                }
            precondition(isHarmless, "a name leads somewhere")
        }
    }
}

/// Whole or in pieces, the same comes out, and it is what the other decoder makes of it.
private func fuzzBase64(_ input: [UInt8]) {
    var whole: [UInt8] = []
    var decoder = Base64Decoder()
    let isWhole = (try? decoder.decode(input.span, into: &whole)) != nil && (try? decoder.finish()) != nil
    var parts: [UInt8] = []
    var second = Base64Decoder()
    var isSecondWhole = true
    for byte in input where isSecondWhole {
        isSecondWhole = (try? second.decode([byte].span, into: &parts)) != nil
    }
    isSecondWhole = isSecondWhole && (try? second.finish()) != nil
    precondition(isWhole == isSecondWhole && (!isWhole || whole == parts), "pieces decode to something else")
    if isWhole {
        let digits = input.filter { $0 != 0x0A && $0 != 0x0D }
        precondition(Base64.decode(String(decoding: digits, as: UTF8.self)) == whole, "two decoders disagree")
    }
}
