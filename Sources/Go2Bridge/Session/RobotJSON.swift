package import Core

/// Why a robot's text is not JSON that we take.
package enum RobotJSONError: Error, Hashable, Sendable {
    case malformed(offset: Int)
    case tooDeep
    case tooManyValues
}

/// Reads what the robot prints as JSON.
///
/// Beside ``Core/JSONValue/init(parsing:)`` because a robot prints numbers with C's `printf`: `nan`, `-nan` and `inf` stand for
/// themselves (they are read as `null`), and a terminating zero may follow. Linear in time, and bounded in depth and
/// in the number of values, since other robots' messages wait on the same thread.
package struct RobotJSON {
    /// Values of one message, at most: a point cloud printed as text has some ten thousands.
    package static let maximumValues = 100_000
    /// Digits, sign, point and exponent of one number, at most.
    private static let maximumNumberLength = 64

    private let bytes: [UInt8]
    private var index = 0
    private var values = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package static func parse(_ bytes: [UInt8]) throws(RobotJSONError) -> JSONValue {
        var reader = RobotJSON(bytes)
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        while reader.peek == 0 { reader.index += 1 }
        guard reader.index == bytes.count else { throw .malformed(offset: reader.index) }
        return value
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private mutating func value(depth: Int) throws(RobotJSONError) -> JSONValue {
        guard depth <= JSONValue.maximumDepth else { throw .tooDeep }
        values += 1
        guard values <= Self.maximumValues else { throw .tooManyValues }
        skipSpace()
        guard let first = peek else { throw .malformed(offset: index) }
        switch first {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"): return try number()
        default: return try word()
        }
    }

    private mutating func object(depth: Int) throws(RobotJSONError) -> JSONValue {
        index += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if peek == UInt8(ascii: "}") {
            index += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw .malformed(offset: index) }
            let key = try string()
            skipSpace()
            guard peek == UInt8(ascii: ":") else { throw .malformed(offset: index) }
            index += 1
            members[key] = try value(depth: depth + 1)
            skipSpace()
            switch peek {
            case UInt8(ascii: ","): index += 1
            case UInt8(ascii: "}"):
                index += 1
                return .object(members)
            default: throw .malformed(offset: index)
            }
        }
    }

    private mutating func array(depth: Int) throws(RobotJSONError) -> JSONValue {
        index += 1
        var items: [JSONValue] = []
        skipSpace()
        if peek == UInt8(ascii: "]") {
            index += 1
            return .array(items)
        }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            switch peek {
            case UInt8(ascii: ","): index += 1
            case UInt8(ascii: "]"):
                index += 1
                return .array(items)
            default: throw .malformed(offset: index)
            }
        }
    }

    /// `true`, `false`, `null`, and what `printf` makes of numbers that are none.
    private mutating func word() throws(RobotJSONError) -> JSONValue {
        let start = index
        while let byte = peek, (byte | 0x20) >= UInt8(ascii: "a"), (byte | 0x20) <= UInt8(ascii: "z"),
            index - start < 10
        {
            index += 1
        }
        switch String(decoding: bytes[start..<index], as: UTF8.self).lowercased() {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "null", "nan", "inf", "infinity": return .null
        default: throw .malformed(offset: start)
        }
    }

    private mutating func number() throws(RobotJSONError) -> JSONValue {
        let start = index
        if peek == UInt8(ascii: "-") || peek == UInt8(ascii: "+") {
            index += 1
            if let byte = peek, byte | 0x20 == UInt8(ascii: "n") || byte | 0x20 == UInt8(ascii: "i") {
                return try word()
            }
        }
        var isWhole = true
        scan: while let byte = peek, index - start <= Self.maximumNumberLength {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                isWhole = false
            default: break scan
            }
            index += 1
        }
        guard index - start <= Self.maximumNumberLength else { throw .malformed(offset: start) }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let whole = Int64(text) { return .integer(whole) }
        guard let value = Double(text) else { throw .malformed(offset: start) }
        return value.isFinite ? .number(value) : .null
    }

    private mutating func string() throws(RobotJSONError) -> String {
        index += 1
        let start = index
        while let byte = peek {
            if byte == UInt8(ascii: "\"") {
                defer { index += 1 }
                return String(decoding: bytes[start..<index], as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            index += 1
        }
        throw .malformed(offset: start)
    }

    /// A string with escapes; `start` is where its text begins, `index` its first backslash.
    private mutating func escapedString(from start: Int) throws(RobotJSONError) -> String {
        var text = Array(bytes[start..<index])
        while let byte = peek {
            index += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            guard let escape = peek else { break }
            index += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"): text.append(contentsOf: Character(try escapedScalar()).utf8)
            default: throw .malformed(offset: index)
            }
        }
        throw .malformed(offset: start)
    }

    /// Behind `\u`: four digits, or two times four for a pair of surrogates; a lone surrogate becomes U+FFFD.
    private mutating func escapedScalar() throws(RobotJSONError) -> Unicode.Scalar {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        index += 2
        let second = try codeUnit()
        guard second >= 0xDC00, second <= 0xDFFF else { return "\u{FFFD}" }
        return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
    }

    private mutating func codeUnit() throws(RobotJSONError) -> UInt32 {
        guard index + 4 <= bytes.count else { throw .malformed(offset: index) }
        var unit: UInt32 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw .malformed(offset: index) }
            unit = unit << 4 | UInt32(digit)
        }
        index += 4
        return unit
    }
}
