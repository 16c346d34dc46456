internal import Glibc

/// Loads the configuration as the commands use it: file, then environment.
enum ConfigurationFile {
    static func load(_ file: String?) throws(InvalidConfiguration) -> Configuration {
        var text: [UInt8]?
        if let file {
            text = FileContent.read(file, maximumLength: YAMLParser.maximumLength + 1)
            guard text != nil else {
                throw InvalidConfiguration(problems: [
                    ConfigurationProblem(
                        code: .unreadable, place: .file(file, line: 0), key: "", found: "no readable file",
                        expected: "a YAML file of at most \(YAMLParser.maximumLength) bytes")
                ])
            }
        }
        return try ConfigurationReader.read(text, file: file ?? "", environment: environment())
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
