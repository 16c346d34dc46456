package import Core

/// Why a sample's bytes are not what its type says.
package enum CDRError: Error, Hashable, Sendable {
    /// Neither plain CDR of either byte order, nor its second version.
    case encapsulation(UInt16)
    case truncated(offset: Int)
    case tooManyValues
}

/// How a value lies in CDR, the encoding of DDS samples (OMG DDSI-RTPS 10.2, DDS-XTypes 7.4).
package indirect enum CDRShape: Sendable {
    case boolean
    case octet
    case int16
    case uint16
    case int32
    case uint32
    case int64
    case float
    case double
    case string
    /// A sequence of octets that nobody here reads; `null` as JSON, and sent empty.
    case blob
    case array(CDRShape, Int)
    case sequence(CDRShape)
    case structure([(name: String, shape: CDRShape)])

    /// Values of one sample, at most.
    package static let maximumValues = 100_000

    /// The sample as JSON; numbers that are none become `null`.
    /// - Parameter bytes: with the four bytes of encapsulation. Bytes behind the known fields are left alone.
    package func json(of bytes: [UInt8]) throws(CDRError) -> JSONValue {
        var reader = try CDRReader(bytes)
        return try reader.value(self)
    }

    /// The sample as plain CDR, little-endian, with its encapsulation. What `value` lacks is zero or empty.
    package func bytes(of value: JSONValue) -> [UInt8] {
        var writer = CDRWriter()
        writer.write(value, as: self)
        return writer.bytes
    }
}

struct CDRReader {
    private let bytes: [UInt8]
    private var index = 4
    private let isLittleEndian: Bool
    /// 8, or 4 in the second version.
    private let maximumAlignment: Int
    private var values = 0

    init(_ bytes: [UInt8]) throws(CDRError) {
        guard bytes.count >= 4 else { throw .truncated(offset: bytes.count) }
        let encapsulation = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
        switch encapsulation {
        case 0, 1: maximumAlignment = 8
        case 6, 7: maximumAlignment = 4
        default: throw .encapsulation(encapsulation)
        }
        isLittleEndian = encapsulation & 1 == 1
        self.bytes = bytes
    }

    mutating func value(_ shape: CDRShape) throws(CDRError) -> JSONValue {
        values += 1
        guard values <= CDRShape.maximumValues else { throw .tooManyValues }
        switch shape {
        case .boolean: return .boolean(try integer(UInt8.self) != 0)
        case .octet: return .integer(Int64(try integer(UInt8.self)))
        case .int16: return .integer(Int64(Int16(bitPattern: try integer(UInt16.self))))
        case .uint16: return .integer(Int64(try integer(UInt16.self)))
        case .int32: return .integer(Int64(Int32(bitPattern: try integer(UInt32.self))))
        case .uint32: return .integer(Int64(try integer(UInt32.self)))
        case .int64: return .integer(Int64(bitPattern: try integer(UInt64.self)))
        case .float: return Self.number(Double(Float(bitPattern: try integer(UInt32.self))))
        case .double: return Self.number(Double(bitPattern: try integer(UInt64.self)))
        case .string: return .string(try string())
        case .blob:
            _ = try take(Int(try integer(UInt32.self)))
            return .null
        case .array(let element, let count): return try elements(element, count)
        case .sequence(let element):
            let count = Int(try integer(UInt32.self))
            // Every element takes a byte at least, so a lie about the count costs nothing.
            guard count <= bytes.count - index else { throw .truncated(offset: index) }
            return try elements(element, count)
        case .structure(let fields):
            var members: [String: JSONValue] = [:]
            for field in fields { members[field.name] = try value(field.shape) }
            return .object(members)
        }
    }

    private static func number(_ number: Double) -> JSONValue { number.isFinite ? .number(number) : .null }

    private mutating func elements(_ shape: CDRShape, _ count: Int) throws(CDRError) -> JSONValue {
        var elements: [JSONValue] = []
        for _ in 0..<count { elements.append(try value(shape)) }
        return .array(elements)
    }

    private mutating func string() throws(CDRError) -> String {
        let text = try take(Int(try integer(UInt32.self)))
        return String(decoding: text.last == 0 ? text.dropLast() : text, as: UTF8.self)
    }

    private mutating func take(_ count: Int) throws(CDRError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - index else { throw .truncated(offset: index) }
        defer { index += count }
        return bytes[index..<index + count]
    }

    private mutating func integer<Number: FixedWidthInteger & UnsignedInteger>(
        _: Number.Type
    ) throws(CDRError) -> Number {
        let size = Number.bitWidth / 8
        let alignment = min(size, maximumAlignment)
        // Alignment counts from behind the encapsulation.
        let padding = (alignment - (index - 4) % alignment) % alignment
        _ = try take(padding)
        var number: Number = 0
        for (place, byte) in try take(size).enumerated() {
            number |= Number(byte) << Number((isLittleEndian ? place : size - 1 - place) * 8)
        }
        return number
    }
}

struct CDRWriter {
    private(set) var bytes: [UInt8] = [0, 1, 0, 0]

    mutating func write(_ value: JSONValue?, as shape: CDRShape) {
        switch shape {
        case .boolean: bytes.append(value?.booleanValue == true ? 1 : 0)
        case .octet: append(UInt8(clamping: value?.integerValue ?? 0))
        case .int16: append(UInt16(bitPattern: Int16(clamping: value?.integerValue ?? 0)))
        case .uint16: append(UInt16(clamping: value?.integerValue ?? 0))
        case .int32: append(UInt32(bitPattern: Int32(clamping: value?.integerValue ?? 0)))
        case .uint32: append(UInt32(clamping: value?.integerValue ?? 0))
        case .int64: append(UInt64(bitPattern: Int64(value?.integerValue ?? 0)))
        case .float: append(Float(value?.finiteNumber ?? 0).bitPattern)
        case .double: append((value?.finiteNumber ?? 0).bitPattern)
        case .string:
            // A zero would end the text early for its readers.
            let text = (value?.stringValue ?? "").utf8.filter { $0 != 0 }
            append(UInt32(clamping: text.count + 1))
            bytes.append(contentsOf: text)
            bytes.append(0)
        case .blob: append(UInt32(0))
        case .array(let element, let count):
            let elements = Self.elements(of: value)
            for index in 0..<count { write(index < elements.count ? elements[index] : nil, as: element) }
        case .sequence(let element):
            let elements = Self.elements(of: value)
            append(UInt32(clamping: elements.count))
            for one in elements { write(one, as: element) }
        case .structure(let fields):
            for field in fields { write(value?[field.name], as: field.shape) }
        }
    }

    private static func elements(of value: JSONValue?) -> [JSONValue] {
        guard case .array(let elements) = value else { return [] }
        return elements
    }

    private mutating func append<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        let size = Number.bitWidth / 8
        while (bytes.count - 4) % size != 0 { bytes.append(0) }
        for place in 0..<size { bytes.append(UInt8(truncatingIfNeeded: number >> Number(place * 8))) }
    }
}
