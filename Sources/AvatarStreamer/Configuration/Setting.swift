internal import Core

/// One key of the configuration: its name, what it may hold, and where it is stored.
struct Setting: Sendable {
    enum Value: Equatable, Sendable {
        case scalar(String)
        case list([String])
    }

    /// The key with its section, `management.port`.
    let key: String
    /// The environment variable of the former service that wins over the file, if there is one.
    let environment: String?
    /// What the value must be, as the sentence "expected …" continues.
    let expected: String
    /// Credentials are never printed.
    let isSecret: Bool
    /// Stores the value; false where it is not what is expected.
    let store: @Sendable (Value, inout Configuration) -> Bool
    /// The value as a configuration file would hold it.
    let text: @Sendable (Configuration) -> String

    var section: String? {
        key.contains(".") ? String(key.prefix { $0 != "." }) : nil
    }
    var name: String {
        String(key.drop { $0 != "." }.dropFirst())
    }
}

extension Setting {
    static func text(
        _ key: String, _ path: any (WritableKeyPath<Configuration, String> & Sendable), expected: String,
        environment: String? = nil, isSecret: Bool = false, where isValid: @escaping @Sendable (String) -> Bool
    ) -> Setting {
        Setting(
            key: key, environment: environment, expected: expected, isSecret: isSecret,
            store: { value, configuration in
                guard case .scalar(let text) = value, text.utf8.count <= 4096, !text.utf8.contains(0), isValid(text)
                else { return false }
                configuration[keyPath: path] = text
                return true
            },
            text: { "\"\($0[keyPath: path])\"" })
    }

    static func integer(
        _ key: String, _ path: any (WritableKeyPath<Configuration, Int> & Sendable), _ range: ClosedRange<Int>,
        environment: String? = nil
    ) -> Setting {
        Setting(
            key: key, environment: environment,
            expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", isSecret: false,
            store: { value, configuration in
                guard case .scalar(let text) = value, let number = Int(text), range.contains(number) else {
                    return false
                }
                configuration[keyPath: path] = number
                return true
            },
            text: { "\($0[keyPath: path])" })
    }

    static func boolean(_ key: String, _ path: any (WritableKeyPath<Configuration, Bool> & Sendable)) -> Setting {
        Setting(
            key: key, environment: nil, expected: "true or false", isSecret: false,
            store: { value, configuration in
                guard case .scalar(let text) = value, text == "true" || text == "false" else { return false }
                configuration[keyPath: path] = text == "true"
                return true
            },
            text: { "\($0[keyPath: path])" })
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ key: String, _ path: any (WritableKeyPath<Configuration, Choice> & Sendable)
    ) -> Setting {
        Setting(
            key: key, environment: nil, expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "),
            isSecret: false,
            store: { value, configuration in
                guard case .scalar(let text) = value, let choice = Choice(rawValue: text) else { return false }
                configuration[keyPath: path] = choice
                return true
            },
            text: { $0[keyPath: path].rawValue })
    }

    static func list(
        _ key: String, _ path: any (WritableKeyPath<Configuration, [String]> & Sendable), expected: String
    ) -> Setting {
        Setting(
            key: key, environment: nil, expected: expected, isSecret: false,
            store: { value, configuration in
                guard case .list(let items) = value, items.count <= 64, items.allSatisfy({ !$0.isEmpty }) else {
                    return false
                }
                configuration[keyPath: path] = items
                return true
            },
            text: { "[" + $0[keyPath: path].map { "\"\($0)\"" }.joined(separator: ", ") + "]" })
    }
}
