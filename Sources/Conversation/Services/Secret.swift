internal import Glibc

/// A key or password. Every description of it, also inside other values, is `[redacted]`.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Bytes of a key, at most.
    package static let maximumLength = 4096

    private let text: String

    /// White space around it does not count. Nil for what cannot stand in a header: nothing at all, control characters,
    /// anything but ASCII, or more than ``maximumLength`` bytes.
    package init?(_ text: String) {
        let start = text.drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return nil }
        let trimmed = String(start[...last])
        guard trimmed.utf8.count <= Self.maximumLength, trimmed.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return nil
        }
        self.text = trimmed
    }

    /// The value of an environment variable.
    /// - Throws: ``BackendError`` with the code `unavailable`, which names the variable and `part`.
    package static func environment(_ name: String, part: String) throws(BackendError) -> Secret {
        guard let value = unsafe getenv(name) else {
            throw fault(part, "the environment variable \(name) is not set", "set \(name) to the key")
        }
        guard let secret = unsafe Secret(String(cString: value)) else {
            throw fault(part, "the environment variable \(name) holds no key", "set \(name) to the key alone")
        }
        return secret
    }

    /// The content of a file.
    /// - Throws: ``BackendError`` with the code `unavailable`, which names the file and `part`.
    package static func file(_ path: String, part: String) throws(BackendError) -> Secret {
        guard let bytes = read(path) else {
            throw fault(
                part, "the key's file \(path) cannot be read", "put the key into \(path), readable by the server")
        }
        guard let secret = Secret(String(decoding: bytes, as: UTF8.self)) else {
            throw fault(part, "the file \(path) holds no key", "put the key alone into \(path)")
        }
        return secret
    }

    private static func fault(_ part: String, _ reason: String, _ remedy: String) -> BackendError {
        BackendError(code: .unavailable, part: part, reason: reason, remedy: remedy)
    }

    /// The whole file, where it is one and no longer than any key.
    private static func read(_ path: String) -> [UInt8]? {
        // Not blocking, so that a pipe in place of a file does not hold up the start.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: maximumLength + 16)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    /// The key itself: for the one header that carries it.
    func revealed() -> String { text }

    /// `text` with every appearance of the key taken out.
    func redacting(_ other: String) -> String {
        var result = ""
        var rest = other[...]
        while let range = rest.firstRange(of: text) {
            result += rest[..<range.lowerBound] + "[redacted]"
            rest = rest[range.upperBound...]
        }
        return result + rest
    }

    package var description: String { "[redacted]" }
    package var debugDescription: String { "[redacted]" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
