/// Lays a YAML file and the environment over the embedded defaults and collects everything that is wrong.
struct ConfigurationReader {
    private let file: String
    private(set) var configuration = Configuration()
    private(set) var problems: [ConfigurationProblem] = []
    /// Where each key got its value, for complaints about values that contradict each other.
    private var places: [String: ConfigurationProblem.Place] = [:]

    /// `text` is the file's content (nil for the embedded defaults alone), `environment` the process's variables.
    ///
    /// - Parameter former: a configuration of the former robot control service; what `text` says wins over it.
    static func read(
        _ text: [UInt8]?, file: String, environment: [String: String],
        former: (text: [UInt8], file: String)? = nil
    ) throws(InvalidConfiguration) -> Configuration {
        var whole = Configuration()
        var imported = ConfigurationReader(file: former?.file ?? "")
        if let former { imported.adopt(former.text, into: &whole) }
        var reader = ConfigurationReader(file: file)
        reader.problems = imported.problems
        reader.places = imported.places
        let entries = text.map { reader.parse($0) } ?? []
        reader.apply(
            entries.filter { !Configuration.namedSections.contains($0.key) }, of: Configuration.settings, to: &whole,
            besides: Configuration.namedSections)
        reader.configuration = whole
        reader.apply(environment)
        // A profile begins as what holds for every avatar, so it comes after all of that is known.
        for entry in entries {
            reader.apply(entry, as: Configuration.engineSection)
            reader.apply(entry, as: Configuration.profileSection)
            reader.apply(entry, as: Configuration.robotSection)
            reader.apply(entry, as: Configuration.accessSection)
        }
        // A value that is wrong in itself need not be complained of twice.
        if reader.problems.isEmpty { reader.checkRelations() }
        guard reader.problems.isEmpty else { throw InvalidConfiguration(problems: reader.problems) }
        return reader.configuration
    }

    private init(file: String) {
        self.file = file
    }

    // MARK: The files

    /// Whoever imports that service's settings wants the service.
    private mutating func adopt(_ text: [UInt8], into whole: inout Configuration) {
        let root: YAMLNode
        do throws(YAMLParseError) {
            root = try YAMLParser.parse(text)
        } catch {
            return report(.syntax, line: error.line, key: "", found: error.found, expected: error.expected)
        }
        let (entries, unknown) = FormerConfiguration.read(root)
        whole.robotControl.enabled = true
        for entry in entries {
            places[entry.key] = .file(file, line: entry.line)
            guard let setting = Configuration.settings.first(where: { $0.key == entry.key }),
                !setting.store(.scalar(entry.value), &whole)
            else { continue }
            report(
                .wrongValue, line: entry.line, key: entry.key, found: "\"\(entry.value.prefix(60))\"",
                expected: setting.expected)
        }
        for entry in unknown {
            report(
                .unknownKey, line: entry.line, key: String(entry.key.prefix(60)), found: "a key that is not understood",
                expected:
                    "host, port, max_message_size, storage_dir, max_execution_time, log_level and the two ipc:// sockets; "
                    + "take the line out to import the rest")
        }
    }

    private mutating func parse(_ text: [UInt8]) -> [YAMLNode.Entry] {
        let root: YAMLNode
        do throws(YAMLParseError) {
            root = try YAMLParser.parse(text)
        } catch {
            report(.syntax, line: error.line, key: "", found: error.found, expected: error.expected)
            return []
        }
        guard case .mapping(let entries) = root.content else {
            report(.syntax, line: root.line, key: "", found: root.summary, expected: "keys and sections")
            return []
        }
        return entries
    }

    /// Stores the keys and sections of one level, the file's own or that of a named entry below `prefix`.
    private mutating func apply<Root>(
        _ entries: [YAMLNode.Entry], of settings: [Setting<Root>], to root: inout Root,
        prefix: String = "", besides others: [String] = []
    ) {
        for entry in entries {
            if let setting = settings.first(where: { $0.key == entry.key }) {
                store(entry, as: setting, to: &root, key: prefix + entry.key)
                continue
            }
            let section = settings.filter { $0.section == entry.key }
            guard !section.isEmpty else {
                var known: [String] = []
                for name in settings.map({ $0.section ?? $0.key }) + others where !known.contains(name) {
                    known.append(name)
                }
                report(
                    prefix.isEmpty ? .unknownSection : .unknownKey, line: entry.line,
                    key: prefix + entry.key.prefix(60), found: "an unknown key",
                    expected: "one of \(known.joined(separator: ", "))")
                continue
            }
            for inner in keys(of: entry, prefix: prefix) {
                if let setting = section.first(where: { $0.name == inner.key }) {
                    store(inner, as: setting, to: &root, key: prefix + setting.key)
                } else {
                    report(
                        .unknownKey, line: inner.line, key: "\(prefix)\(entry.key).\(inner.key.prefix(60))",
                        found: "an unknown key",
                        expected: "one of \(section.map(\.name).joined(separator: ", "))")
                }
            }
        }
    }

    /// Stores the entries of a section in which the operator names the keys.
    private mutating func apply<Entry>(_ entry: YAMLNode.Entry, as section: NamedSection<Entry>) {
        guard entry.key == section.name else { return }
        let named = keys(of: entry, prefix: "")
        guard named.count <= section.maximumCount else {
            report(
                .wrongValue, line: entry.line, key: section.name, found: "\(named.count) entries",
                expected: "at most \(section.maximumCount)")
            return
        }
        for one in named {
            guard SettingRule.isPlainName(one.key) else {
                report(
                    .wrongValue, line: one.line, key: "\(section.name).\(one.key.prefix(60))", found: "that name",
                    expected: "a name of 1 to 64 letters, digits, hyphens and underscores")
                continue
            }
            places["\(section.name).\(one.key)"] = .file(file, line: one.line)
            var made = section.initial(configuration)
            apply(
                keys(of: one, prefix: "\(section.name)."), of: section.settings, to: &made,
                prefix: "\(section.name).\(one.key).")
            configuration[keyPath: section.path][one.key] = made
        }
    }

    /// The keys below a key; none where all of them are commented out.
    private mutating func keys(of section: YAMLNode.Entry, prefix: String) -> [YAMLNode.Entry] {
        switch section.value.content {
        case .scalar("", isPlain: true): return []
        case .mapping(let entries): return entries
        case .scalar, .sequence:
            report(
                .wrongValue, line: section.value.line, key: prefix + section.key.prefix(60),
                found: section.value.summary, expected: "a section of keys")
            return []
        }
    }

    private mutating func store<Root>(
        _ entry: YAMLNode.Entry, as setting: Setting<Root>, to root: inout Root, key: String
    ) {
        places[key] = .file(file, line: entry.line)
        if let value = Self.value(entry.value), setting.store(value, &root) { return }
        report(
            .wrongValue, line: entry.line, key: key,
            found: setting.isSecret ? "another value" : entry.value.summary, expected: setting.expected)
    }

    private static func value(_ node: YAMLNode) -> SettingValue? {
        switch node.content {
        case .scalar(let text, _): return .scalar(text)
        case .sequence(let items):
            var texts: [String] = []
            for item in items {
                guard case .scalar(let text, _) = item.content else { return nil }
                texts.append(text)
            }
            return .list(texts)
        case .mapping: return nil
        }
    }

    // MARK: The environment

    private mutating func apply(_ environment: [String: String]) {
        for setting in Configuration.settings {
            // An empty variable counts as unset, as it did in the former service.
            guard let name = setting.environment, let text = environment[name], !text.isEmpty else { continue }
            places[setting.key] = .environment(name)
            guard !setting.store(.scalar(text), &configuration) else { continue }
            problems.append(
                ConfigurationProblem(
                    code: .wrongValue, place: .environment(name), key: setting.key,
                    found: setting.isSecret ? "another value" : "\"\(text.prefix(60))\"", expected: setting.expected))
        }
    }

    // MARK: Complaints

    /// `key` is complained of where it stands, else where the first of `otherwise` does that was given at all.
    mutating func contradict(_ key: String, otherwise: String..., found: String, expected: String) {
        let place = ([key] + otherwise).compactMap { places[$0] }.first
        guard problems.count < 100 else { return }
        problems.append(
            ConfigurationProblem(
                code: .contradiction, place: place ?? .defaults, key: key, found: found, expected: expected))
    }

    private mutating func report(
        _ code: ConfigurationProblem.Code, line: Int, key: String, found: String, expected: String
    ) {
        guard problems.count < 100 else { return }
        problems.append(
            ConfigurationProblem(
                code: code, place: .file(file, line: line), key: key, found: found, expected: expected))
    }
}
