/// Header fields in their order, looked up without regard to case.
package struct HTTPClientHeaders: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    package struct Field: Equatable, Sendable {
        package var name: String
        package var value: String
    }

    package private(set) var fields: [Field] = []

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// The first field of that name. Setting replaces every field of that name.
    package subscript(name: String) -> String? {
        get {
            let name = name.lowercased()
            return fields.first { $0.name.lowercased() == name }?.value
        }
        set {
            let folded = name.lowercased()
            fields.removeAll { $0.name.lowercased() == folded }
            if let newValue { append(name, newValue) }
        }
    }

    package mutating func append(_ name: String, _ value: String) {
        fields.append(Field(name: name, value: value))
    }

    /// The media type of `Content-Type`, lower-case and without parameters; nil where there is none.
    package var mediaType: String? {
        guard let field = self["Content-Type"] else { return nil }
        let type = field.prefix { $0 != ";" }.filter { !$0.isWhitespace }
        return type.isEmpty ? nil : type.lowercased()
    }

    /// Whole seconds of `Retry-After`; a date counts as none ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
    var retryAfter: Duration? {
        guard let field = self["Retry-After"], field.utf8.count <= 9 else { return nil }
        guard let seconds = Int(field), seconds >= 0 else { return nil }
        return .seconds(seconds)
    }

    /// Whether no field can become two: a line break in a value would be a header of somebody else's making.
    var areSendable: Bool {
        fields.allSatisfy { field in
            !field.name.isEmpty
                && field.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
                && field.value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
        }
    }
}
