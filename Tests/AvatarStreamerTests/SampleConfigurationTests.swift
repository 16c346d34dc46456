import FoundationEssentials
import Testing

@testable import AvatarStreamer

@Suite("The sample configuration")
struct SampleConfigurationTests {
    private func sample() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "config/avatar-streamer.yaml"), encoding: .utf8)
    }

    @Test("Its values are the embedded defaults")
    func equalsDefaults() throws {
        let text = try sample()
        #expect(
            try ConfigurationReader.read(Array(text.utf8), file: "sample", environment: [:]) == Configuration())
    }

    @Test("It holds every key there is")
    func holdsEveryKey() throws {
        var found: Set<String> = []
        guard case .mapping(let entries) = try YAMLParser.parse(Array(sample().utf8)).content else {
            Issue.record("not a mapping")
            return
        }
        for entry in entries {
            guard case .mapping(let inner) = entry.value.content else {
                found.insert(entry.key)
                continue
            }
            for key in inner { found.insert("\(entry.key).\(key.key)") }
        }
        #expect(found == Set(Configuration.settings.map(\.key)))
    }

    @Test("It explains every key and names every environment variable")
    func explainsEveryKey() throws {
        let text = try sample()
        for name in Configuration.settings.compactMap(\.environment) {
            #expect(text.contains(name), "\(name)")
        }
        // A section, or a run of keys without a blank line between, begins with a comment.
        for block in text.split(separator: "\n\n") {
            #expect(block.contains("#"), "\(block)")
        }
    }
}
