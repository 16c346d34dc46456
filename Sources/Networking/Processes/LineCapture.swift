internal import Glibc

/// Cuts a program's output into lines; a line that is too long keeps its beginning.
package struct LineCapture: Sendable {
    /// Bytes of one line that are kept.
    package let maximumLength: Int
    private var line: [UInt8] = []

    package init(maximumLength: Int = 4096) {
        self.maximumLength = maximumLength
    }

    /// The lines that these bytes end, without the line ends; bytes that are no UTF-8 and control characters are replaced.
    package mutating func take(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        unsafe Array(bytes).withUnsafeBytes { buffer in
            unsafe _ = cut(buffer, most: .max) { if let text = Self.text($0) { lines.append(text) } }
        }
        return lines
    }

    /// Hands over the raw lines that these bytes end, `most` at most, and counts the others without looking at them.
    package mutating func cut(
        _ bytes: UnsafeRawBufferPointer, most: Int, _ take: ([UInt8]) -> Void
    ) -> (taken: Int, leftOut: Int) {
        var start = 0
        var taken = 0
        var leftOut = 0
        while start < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
            let length = unsafe Self.lengthOfLine(rest)
            unsafe line.append(contentsOf: rest.prefix(min(length, max(0, maximumLength - line.count))))
            guard length < rest.count else { break }
            start += length + 1
            if taken < most {
                taken += 1
                take(line)
            } else {
                leftOut += 1
            }
            line.removeAll(keepingCapacity: line.capacity <= 1 << 16)
        }
        return (taken, leftOut)
    }

    /// Bytes before the line's end, all of them where none is there.
    private static func lengthOfLine(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let start = bytes.baseAddress, let end = unsafe memchr(start, 0x0A, bytes.count) else {
            return bytes.count
        }
        return unsafe UnsafeRawPointer(end) - start
    }

    /// What stands there without a line end; nil where it is nothing.
    package mutating func finish() -> String? {
        defer { line.removeAll() }
        return Self.text(line)
    }

    /// The raw bytes that stand there without a line end.
    package mutating func finishRaw() -> [UInt8] {
        defer { line.removeAll() }
        return line
    }

    /// Nil for an empty line.
    package static func text(_ line: [UInt8]) -> String? {
        let end = line.last == 0x0D ? line.count - 1 : line.count
        guard end > 0 else { return nil }
        let cleaned = line[..<end].map { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }
        return String(decoding: cleaned, as: UTF8.self)
    }
}
