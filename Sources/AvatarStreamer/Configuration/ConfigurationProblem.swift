/// One thing that is wrong with the configuration, and where.
struct ConfigurationProblem: Equatable, Sendable, CustomStringConvertible {
    enum Code: Equatable, Sendable {
        case unreadable, syntax, unknownKey, unknownSection, wrongValue, contradiction
    }
    /// Where a value came from.
    enum Place: Equatable, Sendable {
        case file(String, line: Int)
        case environment(String)
        case defaults
    }

    var code: Code
    var place: Place
    /// The key with its section; empty where the file as a whole is meant.
    var key: String
    var found: String
    var expected: String

    var description: String {
        let start =
            switch place {
            case .file(let name, let line): "\(name):\(line)"
            case .environment(let name): "environment variable \(name)"
            case .defaults: "embedded defaults"
            }
        return "\(start): \(key.isEmpty ? "" : "\(key): ")found \(found), expected \(expected)"
    }
}

/// All that is wrong with a configuration; never empty.
struct InvalidConfiguration: Error, Equatable {
    var problems: [ConfigurationProblem]
}
