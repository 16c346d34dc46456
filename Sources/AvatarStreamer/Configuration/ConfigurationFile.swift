internal import Glibc

/// Loads the configuration as the commands use it: file, then environment.
enum ConfigurationFile {
    ///
    /// - Parameter former: the former robot control service's file, which `file` wins over.
    static func load(_ file: String?, importing former: String? = nil) throws(InvalidConfiguration) -> Configuration {
        let text = try file.map(read)
        var imported: (text: [UInt8], file: String)?
        if let former { imported = (try read(former), former) }
        return try ConfigurationReader.read(text, file: file ?? "", environment: environment(), former: imported)
    }

    private static func read(_ file: String) throws(InvalidConfiguration) -> [UInt8] {
        guard let text = FileContent.read(file, maximumLength: YAMLParser.maximumLength + 1) else {
            throw InvalidConfiguration(problems: [
                ConfigurationProblem(
                    code: .unreadable, place: .file(file, line: 0), key: "", found: "no readable file",
                    expected: "a YAML file of at most \(YAMLParser.maximumLength) bytes")
            ])
        }
        return text
    }

    /// The variables that the table of settings names.
    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        for name in Configuration.settings.compactMap(\.environment) {
            if let value = unsafe getenv(name) { variables[name] = unsafe String(cString: value) }
        }
        return variables
    }
}

/// The check of a configuration text alone, as the fuzzer calls it.
package enum ConfigurationCheck {
    /// What is wrong with the text, one sentence each; empty where nothing is.
    package static func problems(in text: [UInt8]) -> [String] {
        do throws(InvalidConfiguration) {
            _ = try ConfigurationReader.read(text, file: "input", environment: [:])
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }
}
