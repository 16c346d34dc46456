import Core
import Foundation
import Testing

@testable import RobotControl

struct LogBookTests {
    private func line(_ text: String, _ level: LogLevel = .info) -> LogEntry {
        LogEntry(time: WallTime(secondsSince1970: 0), level: level, source: .project, message: text)
    }

    @Test func `the last lines are kept, oldest first`() {
        let book = LogBook(capacity: 3, file: nil)
        for number in 0..<8 { book.add(line("\(number)")) }
        #expect(book.last(10).map(\.message) == ["5", "6", "7"])
        #expect(book.last(2).map(\.message) == ["6", "7"])
    }

    @Test func `lines below the level are not kept`() {
        let book = LogBook(capacity: 3, level: .warning, file: nil)
        #expect(!book.add(line("quiet")))
        #expect(book.add(line("loud", .error)))
        #expect(book.last(3).map(\.message) == ["loud"])
    }

    @Test func `a full file is set aside, and only so many are kept`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "app.log").path()
        let file = RotatingLogFile(path: path, maximumBytes: 50, keptFiles: 2)
        for number in 0..<10 { file.write("line \(number) of nineteen b\nx") }
        #expect(file.problem == nil)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path()).sorted()
        #expect(names == ["app.log", "app.log.1", "app.log.2"])
        let newest = try String(contentsOfFile: path, encoding: .utf8)
        #expect(newest.hasSuffix("line 9 of nineteen b x\n"))
        #expect(newest.utf8.count <= 50)
    }

    @Test func `a file that cannot be opened is told and stops nothing`() {
        let file = RotatingLogFile(path: "/nonexistent/app.log")
        let book = LogBook(capacity: 2, file: file)
        book.add(line("a"))
        #expect(book.fileProblem?.contains("/nonexistent/app.log") == true)
        #expect(book.last(1).map(\.message) == ["a"])
    }
}
