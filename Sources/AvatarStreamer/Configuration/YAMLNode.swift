/// One value of a YAML file and where it stands, so that a complaint about it can say so.
struct YAMLNode: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        /// The text as written, quotes removed. `isPlain` is false for quoted and block text.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([Entry])
    }

    struct Entry: Equatable, Sendable {
        var key: String
        /// The key's line, from 1.
        var line: Int
        var value: YAMLNode
    }

    var content: Content
    /// Line of the value's first character, from 1.
    var line: Int

    /// The value in a few words, for a complaint.
    var summary: String {
        switch content {
        case .scalar(let text, isPlain: true) where text.isEmpty: "nothing"
        case .scalar(let text, _): "\"\(text.prefix(60))\(text.count > 60 ? "…" : "")\""
        case .sequence(let items): "a list of \(items.count)"
        case .mapping(let entries): "a section of \(entries.count) keys"
        }
    }
}

/// Why a text is not a configuration file at all.
struct YAMLParseError: Error, Equatable {
    enum Code: Equatable, Sendable {
        case tooLong, syntax, anchor, tag, tooDeep, tooManyValues, severalDocuments, keyIsNotText, duplicateKey
    }
    var code: Code
    /// From 1.
    var line: Int
    /// What was found there, and what was expected.
    var found: String
    var expected: String
}
