/// Reads one JSON text ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)), strictly: UTF-8, no control characters in strings, no lone
/// surrogates, no number past what a `Double` holds, nothing behind the value. Of equal keys the last one counts.
///
/// Written by hand because messages come by the ten thousand a second, and `JSONDecoder` asks every value by trial and error.
@safe struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    private init(_ bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
    }

    static func parse(_ bytes: UnsafeRawBufferPointer) -> JSONValue? {
        var parser = unsafe JSONParser(bytes)
        guard let value = parser.value(depth: 0), parser.skipBlanks() == nil else { return nil }
        return value
    }

    // MARK: Bytes

    private var next: UInt8? { unsafe index < bytes.count ? bytes[index] : nil }

    /// The next byte that is no blank; it is not taken.
    private mutating func skipBlanks() -> UInt8? {
        while let byte = next {
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            index += 1
        }
        return nil
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func take(word: StaticString) -> Bool {
        guard unsafe bytes.count - index >= word.utf8CodeUnitCount else { return false }
        for offset in 0..<word.utf8CodeUnitCount where unsafe bytes[index + offset] != word.utf8Start[offset] {
            return false
        }
        index += word.utf8CodeUnitCount
        return true
    }

    // MARK: Values

    private mutating func value(depth: Int) -> JSONValue? {
        switch skipBlanks() {
        case UInt8(ascii: "{"): object(depth: depth + 1)
        case UInt8(ascii: "["): array(depth: depth + 1)
        case UInt8(ascii: "\""): string().map(JSONValue.string)
        case UInt8(ascii: "t"): take(word: "true") ? .boolean(true) : nil
        case UInt8(ascii: "f"): take(word: "false") ? .boolean(false) : nil
        case UInt8(ascii: "n"): take(word: "null") ? .null : nil
        default: number()
        }
    }

    private mutating func object(depth: Int) -> JSONValue? {
        guard depth <= JSONValue.maximumDepth else { return nil }
        index += 1
        var members: [String: JSONValue] = [:]
        if skipBlanks() == UInt8(ascii: "}") { index += 1; return .object(members) }
        while skipBlanks() == UInt8(ascii: "\"") {
            guard let key = string(), skipBlanks() != nil, take(UInt8(ascii: ":")), let value = value(depth: depth)
            else {
                return nil
            }
            members[key] = value
            let separator = skipBlanks()
            index += 1
            if separator == UInt8(ascii: "}") { return .object(members) }
            guard separator == UInt8(ascii: ",") else { return nil }
        }
        return nil
    }

    private mutating func array(depth: Int) -> JSONValue? {
        guard depth <= JSONValue.maximumDepth else { return nil }
        index += 1
        var items: [JSONValue] = []
        if skipBlanks() == UInt8(ascii: "]") { index += 1; return .array(items) }
        while let value = value(depth: depth) {
            items.append(value)
            let separator = skipBlanks()
            index += 1
            if separator == UInt8(ascii: "]") { return .array(items) }
            guard separator == UInt8(ascii: ",") else { return nil }
        }
        return nil
    }

    // MARK: Numbers

    private mutating func digits() -> Int {
        let start = index
        while let byte = next, byte >= 0x30, byte <= 0x39 { index += 1 }
        return index - start
    }

    private mutating func number() -> JSONValue? {
        let start = index
        _ = take(UInt8(ascii: "-"))
        let first = next
        let count = digits()
        guard count > 0, count == 1 || first != UInt8(ascii: "0") else { return nil }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            guard digits() > 0 else { return nil }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isWhole = false
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            guard digits() > 0 else { return nil }
        }
        let text = unsafe String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        guard let value = Double(text), value.isFinite else { return nil }
        return .number(value)
    }

    // MARK: Strings

    private mutating func string() -> String? {
        index += 1
        let start = index
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
            guard byte >= 0x20 else { return nil }
            index += 1
        }
        guard next != UInt8(ascii: "\\") else { return escapedString(from: start) }
        guard next != nil else { return nil }
        defer { index += 1 }
        return unsafe String(validating: bytes[start..<index], as: UTF8.self)
    }

    private mutating func escapedString(from start: Int) -> String? {
        var text = unsafe [UInt8](bytes[start..<index])
        while let byte = next, byte >= 0x20 {
            index += 1
            if byte == UInt8(ascii: "\"") { return String(validating: text, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escape = next else { return nil }
            index += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = escapedScalar() else { return nil }
                text.append(contentsOf: Array(String(scalar).utf8))
            default: return nil
            }
        }
        return nil
    }

    private mutating func escapedScalar() -> Unicode.Scalar? {
        guard let first = hexadecimal() else { return nil }
        guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) }
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), let second = hexadecimal(), second & 0xFC00 == 0xDC00
        else { return nil }
        return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + (second & 0x3FF))
    }

    private mutating func hexadecimal() -> UInt32? {
        guard unsafe bytes.count - index >= 4 else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
