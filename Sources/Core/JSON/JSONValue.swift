/// A JSON value of any kind ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)).
///
/// The old clients are loose about types (`user_id` comes as a number or as text), and the order in which missing fields
/// are complained of is part of the protocol, so messages are read field by field instead of through `Codable` structs.
package enum JSONValue: Equatable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Arrays and objects within each other, at most.
    package static let maximumDepth = 16

    /// Parses UTF-8 text; nil for anything that is not JSON, or is nested deeper than ``maximumDepth``.
    package init?(parsing bytes: [UInt8]) {
        guard let value = unsafe bytes.withUnsafeBytes({ unsafe JSONParser.parse($0) }) else { return nil }
        self = value
    }

    /// Parses bytes that are only lent.
    package init?(parsing bytes: UnsafeRawBufferPointer) {
        guard let value = unsafe JSONParser.parse(bytes) else { return nil }
        self = value
    }

    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// The compact text, keys in alphabetical order.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// ``text`` as UTF-8.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    /// Appends ``text``.
    package func write(to bytes: inout [UInt8]) {
        JSONWriter.write(self, to: &bytes)
    }

    package var isNull: Bool { self == .null }

    package var stringValue: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// An integer, also one that was written as a whole decimal or as text, as the former service accepted it.
    package var integerValue: Int? {
        switch self {
        case .integer(let value): Int(exactly: value)
        case .number(let value): Int(exactly: value)
        case .string(let text): text.utf8.count <= 20 ? Int(text) : nil
        case .null, .boolean, .array, .object: nil
        }
    }

    package var booleanValue: Bool? {
        guard case .boolean(let value) = self else { return nil }
        return value
    }

    /// Text, or an integer as text: how the old clients write identifiers. Nil for empty text.
    package var identifierValue: String? {
        switch self {
        case .string(let text): text.isEmpty ? nil : text
        case .integer(let value): String(value)
        case .null, .boolean, .number, .array, .object: nil
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(arrayLiteral items: JSONValue...) { self = .array(items) }
    package init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(Dictionary(members, uniquingKeysWith: { _, last in last }))
    }

    /// Text, or null.
    package init(_ value: String?) { self = value.map(JSONValue.string) ?? .null }
    /// A number, or null.
    package init(_ value: Int?) { self = value.map { .integer(Int64($0)) } ?? .null }
}
