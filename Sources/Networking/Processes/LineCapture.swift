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
        for byte in bytes {
            if byte == 0x0A {
                if let text = finish() { lines.append(text) }
            } else if line.count < maximumLength {
                line.append(byte)
            }
        }
        return lines
    }

    /// What stands there without a line end; nil where it is nothing.
    package mutating func finish() -> String? {
        defer { line.removeAll(keepingCapacity: true) }
        if line.last == 0x0D { line.removeLast() }
        guard !line.isEmpty else { return nil }
        let cleaned = line.map { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F ? UInt8(ascii: "?") : $0 }
        return String(decoding: cleaned, as: UTF8.self)
    }
}
