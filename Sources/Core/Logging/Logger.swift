internal import Glibc
internal import Synchronization

/// How much a log line matters.
package enum LogLevel: Int, Comparable, Sendable, CaseIterable {
    case debug, info, warning, error

    package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
    package var name: String { String(describing: self) }
}

/// Writes structured log lines to standard error: text on a terminal, JSON elsewhere.
///
/// Messages are constant and lower-case; what varies goes into the metadata. Protocol cores never log.
package struct Logger: Sendable {
    package let label: StaticString

    package init(_ label: StaticString) {
        self.label = label
    }

    package func debug(_ message: StaticString, _ metadata: KeyValuePairs<String, LogValue> = [:]) {
        write(.debug, message, metadata)
    }
    package func info(_ message: StaticString, _ metadata: KeyValuePairs<String, LogValue> = [:]) {
        write(.info, message, metadata)
    }
    package func warning(_ message: StaticString, _ metadata: KeyValuePairs<String, LogValue> = [:]) {
        write(.warning, message, metadata)
    }
    package func error(_ message: StaticString, _ metadata: KeyValuePairs<String, LogValue> = [:]) {
        write(.error, message, metadata)
    }

    private func write(_ level: LogLevel, _ message: StaticString, _ metadata: KeyValuePairs<String, LogValue>) {
        let settings = LogOutput.settings.withLock { $0 }
        guard level >= settings.level else { return }
        let line =
            settings.usesJSON
            ? LogOutput.json(level, label, message, metadata, settings)
            : LogOutput.text(level, label, message, metadata, settings)
        if let sink = settings.sink { sink(line) } else { LogOutput.emit(line) }
    }
}

/// The process-wide log settings; set once at start.
package enum LogOutput {
    package struct Settings: Sendable {
        package var level: LogLevel = .info
        package var usesJSON: Bool = isatty(2) == 0
        package var showsAddresses: Bool = false
        /// Takes the lines; nil: standard error does.
        package var sink: (@Sendable (String) -> Void)?
        package init() {}
    }

    static let settings = Mutex(Settings())

    package static func configure(_ new: Settings) {
        settings.withLock { $0 = new }
    }

    static func emit(_ line: String) {
        var bytes = Array(line.utf8)
        bytes.append(0x0A)
        // One write a line: lines of several threads never mix.
        unsafe bytes.withUnsafeBytes { unsafe _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }

    static func text(
        _ level: LogLevel, _ label: StaticString, _ message: StaticString,
        _ metadata: KeyValuePairs<String, LogValue>, _ settings: Settings
    ) -> String {
        var line = "\(SystemClock.wallTime().iso8601) \(level.name) \(label): \(message)"
        for (key, value) in metadata { line += " \(key)=\(plain(value, settings))" }
        return line
    }

    static func json(
        _ level: LogLevel, _ label: StaticString, _ message: StaticString,
        _ metadata: KeyValuePairs<String, LogValue>, _ settings: Settings
    ) -> String {
        var line = "{\"time\":\"\(SystemClock.wallTime().iso8601)\",\"level\":\"\(level.name)\","
        line += "\"logger\":\(quoted("\(label)")),\"message\":\(quoted("\(message)"))"
        for (key, value) in metadata {
            line += ",\(quoted(key)):"
            switch value {
            case .integer, .number, .boolean: line += plain(value, settings)
            case .string, .address: line += quoted(plain(value, settings))
            }
        }
        return line + "}"
    }

    private static func plain(_ value: LogValue, _ settings: Settings) -> String {
        switch value {
        case .string(let text): text
        case .integer(let number): String(number)
        case .number(let number): number.isFinite ? String(number) : "null"
        case .boolean(let flag): flag ? "true" : "false"
        case .address(let text): settings.showsAddresses ? text : "[redacted]"
        }
    }

    /// A JSON string literal: quotes, backslashes and control characters escaped.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20:
                result += "\\u00" + [UInt8(scalar.value)].hexadecimal
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
