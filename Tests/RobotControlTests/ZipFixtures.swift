import FoundationEssentials
import Networking
import Testing

@testable import RobotControl

/// The zips of Tests/EndToEnd/hostile_zips.py, written once.
struct ZipFixtures: Sendable {
    struct Hostile: Sendable {
        var name: String
        var code: String
        var path: String
    }

    let folder: TemporaryFolder
    let hostile: [Hostile]
    /// The names of those that must be taken.
    let good: [String]

    func good(_ name: String) -> (path: String, content: [String: [UInt8]]) {
        let path = "\(folder.path)/good/\(name)"
        return (path + ".zip", TemporaryFolder.content(of: path))
    }

    static let shared = Task {
        let folder = TemporaryFolder()
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let script = root.appending(path: "EndToEnd/hostile_zips.py").path
        let (ending, lines) = try await runProgram("python3", script, folder.path)
        try #require(ending == .exited(status: 0), "\(lines)")
        var hostile: [Hostile] = []
        for code in try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/hostile") {
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/hostile/\(code)") {
                hostile.append(
                    Hostile(
                        name: String(name.dropLast(4)), code: code, path: "\(folder.path)/hostile/\(code)/\(name)"))
            }
        }
        let good = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/good").filter {
            $0.hasSuffix(".zip")
        }
        return ZipFixtures(folder: folder, hostile: hostile, good: good.map { String($0.dropLast(4)) })
    }
}

/// Counts what an archive would write.
struct CountingSink: ArchiveSink {
    var files = 0
    var bytes = 0

    mutating func makeFolder(_ path: [String]) throws(ArchiveFailure) {}
    mutating func beginFile(_ path: [String], isExecutable: Bool) throws(ArchiveFailure) { files += 1 }
    mutating func write(_ bytes: Span<UInt8>) throws(ArchiveFailure) { self.bytes += bytes.count }
    mutating func endFile() throws(ArchiveFailure) {}
}
