package import Core

/// A `.tar.gz` of a few text files, made without a library: ustar headers, and gzip whose blocks are stored as they are.
///
/// ```
/// tar    = { header, 512 | content, padded to 512 } ... | 1024 zeros
/// gzip   = 1f 8b 08 00 | time, 4 | 00 ff | { last?, 1 | length, 2 | ~length, 2 | bytes } ... | CRC-32, 4 | length, 4
/// ```
/// - SeeAlso: [RFC 1952](https://www.rfc-editor.org/rfc/rfc1952),
///   [RFC 1951 §3.2.4](https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4)
package struct BundleArchive: Sendable {
    private static let blockLength = 512
    private static let maximumNameLength = 100
    private static let maximumStoredLength = 65_535

    private var tar: [UInt8] = []
    private let time: UInt32

    /// - Parameter time: of every file in it.
    package init(time: WallTime) {
        self.time = UInt32(clamping: time.secondsSince1970)
    }

    /// Names are ASCII; 100 bytes of them are kept.
    package mutating func add(_ name: String, _ text: String) {
        let content = Array(text.utf8)
        let padding = (Self.blockLength - content.count % Self.blockLength) % Self.blockLength
        tar += header(name, length: content.count) + content + [UInt8](repeating: 0, count: padding)
    }

    /// The archive's bytes.
    package func finished() -> [UInt8] {
        let whole = tar + [UInt8](repeating: 0, count: 2 * Self.blockLength)
        var bytes: [UInt8] = [0x1F, 0x8B, 8, 0] + Self.littleEndian(time) + [0, 0xFF]
        var start = 0
        while start < whole.count {
            let end = min(start + Self.maximumStoredLength, whole.count)
            let length = UInt16(end - start)
            bytes.append(end == whole.count ? 1 : 0)
            for number in [length, ~length] { bytes += [UInt8(number & 255), UInt8(number >> 8)] }
            bytes += whole[start..<end]
            start = end
        }
        return bytes + Self.littleEndian(CRC32.checksum(whole.span))
            + Self.littleEndian(UInt32(truncatingIfNeeded: whole.count))
    }

    private func header(_ name: String, length: Int) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: Self.blockLength)
        func put(_ text: String, at offset: Int, _ maximum: Int = 12) {
            for (index, byte) in text.utf8.prefix(maximum).enumerated() { header[offset + index] = byte }
        }
        put(name, at: 0, Self.maximumNameLength)
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        put(Self.octal(length, digits: 11), at: 124)
        put(Self.octal(Int(time), digits: 11), at: 136)
        // The checksum is taken with blanks in its own place.
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put(Self.octal(header.reduce(0) { $0 + Int($1) }, digits: 6), at: 148)
        header[154] = 0
        return header
    }

    private static func octal(_ number: Int, digits: Int) -> String {
        let text = String(number, radix: 8)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private static func littleEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(value & 255), UInt8(value >> 8 & 255), UInt8(value >> 16 & 255), UInt8(value >> 24)]
    }
}
