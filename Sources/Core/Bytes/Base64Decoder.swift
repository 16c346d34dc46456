/// Decodes Base64 that comes piece by piece ([RFC 4648 §4](https://www.rfc-editor.org/rfc/rfc4648#section-4)): the standard
/// alphabet, with or without padding, line breaks anywhere.
package struct Base64Decoder: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        /// Neither a digit nor a line break, or anything but a line break behind the padding.
        case character(offset: Int)
        /// The text ends inside a byte, or with too much padding.
        case length(offset: Int)
    }

    private static let lineBreak: UInt8 = 0xFD
    private static let padding: UInt8 = 0xFE
    /// The value of each character; 0xFF for one that means nothing.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        values[0x0A] = lineBreak
        values[0x0D] = lineBreak
        values[Int(UInt8(ascii: "="))] = padding
        return values
    }()

    /// Characters taken so far.
    private var offset = 0
    private var digits = 0
    private var paddings = 0
    private var accumulator: UInt32 = 0

    package init() {}

    /// Appends what these characters complete.
    package mutating func decode(_ text: Span<UInt8>, into bytes: inout [UInt8]) throws(Failure) {
        let values = Self.values
        var index = 0
        while index < text.count {
            if digits & 3 == 0, paddings == 0, text.count - index >= 4 {
                let (a, b) = (values[Int(text[index])], values[Int(text[index + 1])])
                let (c, d) = (values[Int(text[index + 2])], values[Int(text[index + 3])])
                if a | b | c | d < 64 {
                    bytes.append(a << 2 | b >> 4)
                    bytes.append(b << 4 | c >> 2)
                    bytes.append(c << 6 | d)
                    index += 4
                    digits += 4
                    continue
                }
            }
            let value = values[Int(text[index])]
            if value < 64, paddings == 0 {
                take(value, &bytes)
            } else if value == Self.padding {
                paddings += 1
            } else if value != Self.lineBreak {
                throw .character(offset: offset + index)
            }
            index += 1
        }
        offset += text.count
    }

    /// The text is over.
    package func finish() throws(Failure) {
        guard digits & 3 != 1, paddings == 0 || paddings == (4 - digits & 3) & 3 else { throw .length(offset: offset) }
    }

    private mutating func take(_ value: UInt8, _ bytes: inout [UInt8]) {
        accumulator = accumulator << 6 | UInt32(value)
        digits += 1
        switch digits & 3 {
        case 2: bytes.append(UInt8(truncatingIfNeeded: accumulator >> 4))
        case 3: bytes.append(UInt8(truncatingIfNeeded: accumulator >> 2))
        case 0: bytes.append(UInt8(truncatingIfNeeded: accumulator))
        default: break
        }
    }
}
