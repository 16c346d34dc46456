/// The commands that only print: `version` and `check-config`.
enum ReportCommands {
    /// This program's own version.
    static let programVersion = "0.1.0"

    /// One line per library, and whether it is inside its tested range.
    static func version() -> String {
        var lines = ["avatar-streamer \(programVersion)"]
        for library in TestedLibrary.all {
            let range = "tested \(library.from) to below \(library.below)"
            let name = library.name + String(repeating: " ", count: max(1, 15 - library.name.count))
            switch library.finding {
            case .tested(let version): lines.append("\(name)\(version)  ok (\(range))")
            case .untested(let version): lines.append("\(name)\(version)  NOT TESTED (\(range): \(library.reason))")
            case .missing: lines.append("\(name)not loaded  (apt-get install \(library.package))")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// Every setting as it will be used; credentials are not shown.
    static func settings(of configuration: Configuration) -> String {
        var lines = lines(of: configuration, Configuration.settings)
        lines += self.lines(of: configuration, Configuration.engineSection)
        lines += self.lines(of: configuration, Configuration.profileSection)
        lines += self.lines(of: configuration, Configuration.robotSection)
        lines += self.lines(of: configuration, Configuration.accessSection)
        return lines.joined(separator: "\n")
    }

    private static func lines<Entry>(of configuration: Configuration, _ section: NamedSection<Entry>) -> [String] {
        let entries = configuration[keyPath: section.path].sorted { $0.key < $1.key }
        guard !entries.isEmpty else { return ["\(section.name): {}"] }
        return ["\(section.name):"]
            + entries.flatMap { name, entry in
                ["  \(name):"] + lines(of: entry, section.settings).map { "    \($0)" }
            }
    }

    private static func lines<Root>(of root: Root, _ settings: [Setting<Root>]) -> [String] {
        var lines: [String] = []
        var section: String?
        for setting in settings {
            if setting.section != section, let name = setting.section { lines.append("\(name):") }
            section = setting.section
            let text = setting.text(root)
            let shown = setting.isSecret && text != "\"\"" && text != "[]" ? "(set)" : text
            lines.append("\(setting.section == nil ? "" : "  ")\(setting.name): \(shown)")
        }
        return lines
    }
}
