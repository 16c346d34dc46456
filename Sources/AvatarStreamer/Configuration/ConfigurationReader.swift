/// Lays a YAML file and the environment over the embedded defaults and collects everything that is wrong.
struct ConfigurationReader {
    private let file: String
    private var configuration = Configuration()
    private var problems: [ConfigurationProblem] = []
    /// Where each key got its value, for complaints about values that contradict each other.
    private var places: [String: ConfigurationProblem.Place] = [:]

    /// `text` is the file's content (nil for the embedded defaults alone), `environment` the process's variables.
    static func read(
        _ text: [UInt8]?, file: String, environment: [String: String]
    ) throws(InvalidConfiguration) -> Configuration {
        var reader = ConfigurationReader(file: file)
        if let text { reader.apply(text) }
        reader.apply(environment)
        reader.checkRelations()
        guard reader.problems.isEmpty else { throw InvalidConfiguration(problems: reader.problems) }
        return reader.configuration
    }

    private init(file: String) {
        self.file = file
    }

    // MARK: The file

    private mutating func apply(_ text: [UInt8]) {
        let root: YAMLNode
        do throws(YAMLParseError) {
            root = try YAMLParser.parse(text)
        } catch {
            report(.syntax, line: error.line, key: "", found: error.found, expected: error.expected)
            return
        }
        guard case .mapping(let entries) = root.content else {
            report(.syntax, line: root.line, key: "", found: root.summary, expected: "keys and sections")
            return
        }
        for entry in entries {
            if let setting = Configuration.settings.first(where: { $0.key == entry.key }) {
                store(entry, as: setting)
            } else if Configuration.settings.contains(where: { $0.section == entry.key }) {
                applySection(entry)
            } else {
                report(
                    .unknownSection, line: entry.line, key: entry.key, found: "an unknown key",
                    expected: "one of \(Self.topLevelNames.joined(separator: ", "))")
            }
        }
    }

    private mutating func applySection(_ section: YAMLNode.Entry) {
        // A section whose keys are all commented out.
        if case .scalar("", isPlain: true) = section.value.content { return }
        guard case .mapping(let entries) = section.value.content else {
            report(
                .wrongValue, line: section.value.line, key: section.key, found: section.value.summary,
                expected: "a section of keys")
            return
        }
        let settings = Configuration.settings.filter { $0.section == section.key }
        for entry in entries {
            if let setting = settings.first(where: { $0.name == entry.key }) {
                store(entry, as: setting)
            } else {
                report(
                    .unknownKey, line: entry.line, key: "\(section.key).\(entry.key.prefix(60))",
                    found: "an unknown key", expected: "one of \(settings.map(\.name).joined(separator: ", "))")
            }
        }
    }

    private mutating func store(_ entry: YAMLNode.Entry, as setting: Setting) {
        places[setting.key] = .file(file, line: entry.line)
        if let value = Self.value(entry.value), setting.store(value, &configuration) { return }
        report(
            .wrongValue, line: entry.line, key: setting.key,
            found: setting.isSecret ? "another value" : entry.value.summary, expected: setting.expected)
    }

    private static func value(_ node: YAMLNode) -> Setting.Value? {
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

    private static var topLevelNames: [String] {
        var names: [String] = []
        for setting in Configuration.settings {
            let name = setting.section ?? setting.key
            if !names.contains(name) { names.append(name) }
        }
        return names
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

    // MARK: What must fit together

    private mutating func checkRelations() {
        // A value that is wrong in itself need not be complained of twice.
        guard problems.isEmpty else { return }
        let webRTC = configuration.webRTC
        if webRTC.portMaximum < webRTC.portMinimum {
            contradict(
                "webrtc.port_max", found: "\(webRTC.portMaximum)",
                expected: "at least webrtc.port_min, which is \(webRTC.portMinimum)")
        }
        if configuration.management.port == configuration.signaling.port {
            contradict(
                "signaling.port", found: "\(configuration.signaling.port)",
                expected: "another port than management.port has")
        }
        for (key, value) in [
            ("avatar.width", configuration.avatar.width), ("avatar.height", configuration.avatar.height),
        ]
        where value % 2 != 0 {
            contradict(key, found: "\(value)", expected: "an even number: VP8 halves the colour planes")
        }
        checkExternalRelay()
    }

    private mutating func checkExternalRelay() {
        let webRTC = configuration.webRTC
        guard configuration.relay == .external, configuration.connectivity != .direct else { return }
        if webRTC.turnServer.isEmpty {
            contradict("webrtc.turn_server", found: "nothing", expected: "turn:HOST:PORT, since relay is external")
        }
        if webRTC.turnSharedSecret.isEmpty, webRTC.turnUsername.isEmpty || webRTC.turnPassword.isEmpty {
            contradict(
                "webrtc.turn_username", found: "no complete credential",
                expected: "turn_username and turn_password, or turn_shared_secret, since relay is external")
        }
    }

    private mutating func contradict(_ key: String, found: String, expected: String) {
        problems.append(
            ConfigurationProblem(
                code: .contradiction, place: places[key] ?? .defaults, key: key, found: found, expected: expected))
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
