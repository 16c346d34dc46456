import FoundationEssentials
import Glibc
import Networking
import Synchronization

/// A folder that goes with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appending(path: "rc-\(UInt64.random(in: 0 ... .max))").path
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Everything under `folder`, with the files' bytes; folders end with "/" and links with "@".
    static func content(of folder: String) -> [String: [UInt8]] {
        var content: [String: [UInt8]] = [:]
        for name in (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? [] {
            var status = stat()
            guard lstat("\(folder)/\(name)", &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: content[name + "/"] = []
            case S_IFREG: content[name] = bytes("\(folder)/\(name)")
            default: content[name + "@"] = []
            }
        }
        return content
    }

    static func bytes(_ path: String) -> [UInt8] {
        // Foundation's own reading leaks a page for every empty file.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
        return bytes
    }

    func write(_ name: String, _ content: some Sequence<UInt8>, executable: Bool = false) {
        let target = URL(filePath: "\(path)/\(name)")
        try? FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? Data(content).write(to: target)
        if executable { chmod(target.path, 0o755) }
    }
}

/// Runs a program to its end; what it said.
@discardableResult
func runProgram(_ command: String...) async throws -> (ending: ChildProcess.Ending?, lines: [String]) {
    let (events, continuation) = AsyncStream.makeStream(of: ChildProcess.Event.self)
    let process = try ChildProcess(command: command) { event in
        continuation.yield(event)
        if case .ended = event { continuation.finish() }
    }
    var lines: [String] = []
    var ending: ChildProcess.Ending?
    for await event in events {
        switch event {
        case .line(let line, _): lines.append(line)
        case .ended(let value): ending = value
        case .linesLeftOut, .message: break
        }
    }
    _ = process
    return (ending, lines)
}
