package import Core
internal import Synchronization

/// One line of the service's log: what the project printed, or what became of it.
package struct LogEntry: Equatable, Sendable {
    package enum Source: String, Sendable {
        case project, service
    }
    package var time: WallTime
    package var level: LogLevel
    package var source: Source
    package var message: String

    package init(time: WallTime, level: LogLevel, source: Source, message: String) {
        self.time = time
        self.level = level
        self.source = source
        self.message = message
    }

    package var json: JSONValue {
        [
            "time": .string(time.iso8601), "level": .string(level.name), "source": .string(source.rawValue),
            "message": .string(message),
        ]
    }
}

/// The last lines of the log, for whoever asks, and the file that keeps more of them.
package final class LogBook: Sendable {
    private struct Ring {
        var lines: [LogEntry] = []
        var first = 0
    }

    private let capacity: Int
    private let level: LogLevel
    private let file: RotatingLogFile?
    private let ring = Mutex(Ring())

    /// - Parameter level: lines below it are not kept.
    package init(capacity: Int = 1_000, level: LogLevel = .info, file: RotatingLogFile?) {
        precondition(capacity > 0, "a log book without lines")
        self.capacity = capacity
        self.level = level
        self.file = file
    }

    /// False where the line's level is not wanted.
    @discardableResult
    package func add(_ line: LogEntry) -> Bool {
        guard line.level >= level else { return false }
        ring.withLock { ring in
            if ring.lines.count < capacity {
                ring.lines.append(line)
            } else {
                ring.lines[ring.first] = line
                ring.first = (ring.first + 1) % capacity
            }
        }
        file?.write("\(line.time.iso8601) \(line.level.name) \(line.source.rawValue): \(line.message)")
        return true
    }

    /// The last ones, oldest first.
    package func last(_ count: Int) -> [LogEntry] {
        ring.withLock { ring in Array((ring.lines[ring.first...] + ring.lines[..<ring.first]).suffix(count)) }
    }

    /// Why the file cannot be written; nil while it can.
    package var fileProblem: String? { file?.problem }
}
