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
            guard case .mapping(let inner) = entry.value.content, !inner.isEmpty else {
                found.insert(entry.key)
                continue
            }
            for key in inner { found.insert("\(entry.key).\(key.key)") }
        }
        #expect(found == Set(Configuration.settings.map(\.key)).union(Configuration.namedSections))
    }

    /// The sample with the examples of named entries switched on.
    private func sampleWithExamples() throws -> String {
        try sample().split(separator: "\n", omittingEmptySubsequences: false).map { line in
            if line.hasPrefix("#  ") { return String(line.dropFirst()) }
            return line.hasSuffix(": {}") ? String(line.dropLast(3)) : String(line)
        }.joined(separator: "\n")
    }

    @Test("Its example of an engine holds every key with its default, that of a profile is one")
    func examples() throws {
        let text = try sampleWithExamples()
        let configuration = try ConfigurationReader.read(Array(text.utf8), file: "sample", environment: [:])
        #expect(configuration.engines == ["player": Configuration.Engine()])
        let profile = try #require(configuration.profiles["avatar_tutor_5"])
        #expect(profile.engine == "player")
        #expect(profile.conversation.answering.systemPrompt.contains("patient"))
        #expect(profile.conversation.voice == Configuration.Voice())
        guard case .mapping(let sections) = try YAMLParser.parse(Array(text.utf8)).content,
            case .mapping(let engines) = sections.first(where: { $0.key == "engines" })?.value.content,
            case .mapping(let keys) = engines.first?.value.content
        else {
            Issue.record("no engine in the sample")
            return
        }
        #expect(Set(keys.map(\.key)) == Set(Configuration.Engine.settings.map(\.key)))
    }

    @Test("Its examples of a robot and a token hold every key, the robot with its defaults")
    func robotExamples() throws {
        let text = try sampleWithExamples()
        let configuration = try ConfigurationReader.read(Array(text.utf8), file: "sample", environment: [:])
        var dog = Configuration.Robot()
        dog.address = "192.168.12.1"
        #expect(configuration.robots == ["dog": dog])
        var pilot = Configuration.Access()
        pilot.tokenEnvironment = "DOG_PILOT_TOKEN"
        #expect(configuration.access == ["pilot": pilot])
        #expect(try keys(of: "robots", in: text) == Set(Configuration.Robot.settings.map(\.key)))
        #expect(try keys(of: "access", in: text) == Set(Configuration.Access.settings.map(\.key)))
    }

    /// The keys of a section's first entry, with those of the sections within it.
    private func keys(of section: String, in text: String) throws -> Set<String> {
        guard case .mapping(let sections) = try YAMLParser.parse(Array(text.utf8)).content,
            case .mapping(let entries) = sections.first(where: { $0.key == section })?.value.content,
            case .mapping(let keys) = entries.first?.value.content
        else { return [] }
        var found: Set<String> = []
        for key in keys {
            guard case .mapping(let inner) = key.value.content else {
                found.insert(key.key)
                continue
            }
            for one in inner { found.insert("\(key.key).\(one.key)") }
        }
        return found
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
