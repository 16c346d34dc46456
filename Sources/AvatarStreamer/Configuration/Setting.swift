internal import Core

/// A value as the file or the environment holds it.
enum SettingValue: Equatable, Sendable {
    case scalar(String)
    case list([String])
}

/// One key of a table of settings: its name, what it may hold, and where in `Root` it is stored.
///
/// `Root` is the whole configuration, or one named entry of it: an engine, a profile.
struct Setting<Root>: Sendable {
    /// The key with its section, `management.port`.
    let key: String
    /// The environment variable that wins over the file, if there is one.
    let environment: String?
    /// What the value must be, as the sentence "expected …" continues.
    let expected: String
    /// Credentials are never printed.
    let isSecret: Bool
    /// Stores the value; false where it is not what is expected.
    let store: @Sendable (SettingValue, inout Root) -> Bool
    /// The value as a configuration file would hold it.
    let text: @Sendable (Root) -> String

    var section: String? {
        key.contains(".") ? String(key.prefix { $0 != "." }) : nil
    }
    /// The key without its section.
    var name: String {
        section == nil ? key : String(key.drop { $0 != "." }.dropFirst())
    }

    /// The same key of a greater whole that holds `Root`.
    func within<Whole>(_ path: any (WritableKeyPath<Whole, Root> & Sendable)) -> Setting<Whole> {
        Setting<Whole>(
            key: key, environment: environment, expected: expected, isSecret: isSecret,
            store: { store($0, &$1[keyPath: path]) }, text: { text($0[keyPath: path]) })
    }
}

extension Setting {
    static func text(
        _ key: String, _ path: any (WritableKeyPath<Root, String> & Sendable), expected: String,
        maximumLength: Int = 4096, environment: String? = nil, isSecret: Bool = false,
        where isValid: @escaping @Sendable (String) -> Bool
    ) -> Setting {
        Setting(
            key: key, environment: environment, expected: expected, isSecret: isSecret,
            store: { value, root in
                guard case .scalar(let text) = value, text.utf8.count <= maximumLength, !text.utf8.contains(0),
                    isValid(text)
                else { return false }
                root[keyPath: path] = text
                return true
            },
            text: { quoted($0[keyPath: path]) })
    }

    static func integer(
        _ key: String, _ path: any (WritableKeyPath<Root, Int> & Sendable), _ range: ClosedRange<Int>,
        environment: String? = nil
    ) -> Setting {
        Setting(
            key: key, environment: environment,
            expected: "a whole number from \(range.lowerBound) to \(range.upperBound)", isSecret: false,
            store: { value, root in
                guard case .scalar(let text) = value, let number = Int(text), range.contains(number) else {
                    return false
                }
                root[keyPath: path] = number
                return true
            },
            text: { "\($0[keyPath: path])" })
    }

    /// A number that may be left open.
    static func number(
        _ key: String, _ path: any (WritableKeyPath<Root, Double?> & Sendable), _ range: ClosedRange<Double>
    ) -> Setting {
        Setting(
            key: key, environment: nil,
            expected: "a number from \(range.lowerBound) to \(range.upperBound), or nothing", isSecret: false,
            store: { value, root in
                guard case .scalar(let text) = value else { return false }
                let number = Double(text)
                // Not-a-number is in no range.
                guard text.isEmpty || number.map(range.contains) == true else { return false }
                root[keyPath: path] = number
                return true
            },
            text: { $0[keyPath: path].map { "\($0)" } ?? quoted("") })
    }

    static func boolean(_ key: String, _ path: any (WritableKeyPath<Root, Bool> & Sendable)) -> Setting {
        Setting(
            key: key, environment: nil, expected: "true or false", isSecret: false,
            store: { value, root in
                guard case .scalar(let text) = value, text == "true" || text == "false" else { return false }
                root[keyPath: path] = text == "true"
                return true
            },
            text: { "\($0[keyPath: path])" })
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ key: String, _ path: any (WritableKeyPath<Root, Choice> & Sendable), environment: String? = nil
    ) -> Setting {
        Setting(
            key: key, environment: environment,
            expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "),
            isSecret: false,
            store: { value, root in
                // Environments are written in capitals: LOG_LEVEL=DEBUG.
                guard case .scalar(let text) = value,
                    let choice = Choice(rawValue: text) ?? Choice(rawValue: text.lowercased())
                else { return false }
                root[keyPath: path] = choice
                return true
            },
            // A bare `off` is a truth value to other readers of YAML.
            text: { $0[keyPath: path].rawValue == "off" ? quoted("off") : $0[keyPath: path].rawValue })
    }

    static func list(
        _ key: String, _ path: any (WritableKeyPath<Root, [String]> & Sendable), expected: String,
        isSecret: Bool = false, where isValid: @escaping @Sendable (String) -> Bool = { !$0.isEmpty }
    ) -> Setting {
        Setting(
            key: key, environment: nil, expected: expected, isSecret: isSecret,
            store: { value, root in
                guard case .list(let items) = value, items.count <= 64,
                    items.allSatisfy({ $0.utf8.count <= 4096 && !$0.utf8.contains(0) && isValid($0) })
                else { return false }
                root[keyPath: path] = items
                return true
            },
            text: { "[" + $0[keyPath: path].map(quoted).joined(separator: ", ") + "]" })
    }

    /// Double-quoted as YAML reads it; JSON's escapes are YAML's as well.
    private static func quoted(_ text: String) -> String { JSONValue.string(text).text }
}

/// What texts of the configuration may look like.
enum SettingRule {
    static func isAddress(_ text: String) -> Bool { IPAddress(text) != nil }

    static func isToken(_ text: String) -> Bool {
        text.utf8.count <= 512 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// 1 to 64 letters, digits, hyphens and underscores.
    static func isPlainName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
                default: false
                }
            }
    }

    static func isServer(_ text: String, schemes: [String]) -> Bool {
        guard let server = ServerURL(text) else { return false }
        return schemes.contains(server.scheme)
    }

    /// `http://…` or `https://…` with a host and without credentials, which belong into `api_key_env`.
    static func isServiceURL(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix), isToken(text) else { return false }
        let host = text.dropFirst(scheme.count).prefix { $0 != "/" }
        return !host.isEmpty && !host.contains("@") && !text.contains("?") && !text.contains("#")
    }

    /// The name of an environment variable.
    static func isVariable(_ text: some StringProtocol) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first), text.utf8.count <= 128 else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
            default: false
            }
        }
    }
}
