import Testing

@testable import AvatarStreamer

@Suite("The command line")
struct CommandTests {
    @Test("Commands and their options are understood")
    func understood() {
        #expect(Command(["serve"]) == .serve(configurationFile: nil))
        #expect(Command(["serve", "--config", "x.yaml"]) == .serve(configurationFile: "x.yaml"))
        #expect(Command(["serve", "--config=x.yaml"]) == .serve(configurationFile: "x.yaml"))
        #expect(Command(["check-config", "--config", "x.yaml"]) == .checkConfiguration(file: "x.yaml"))
        #expect(
            Command(["serve", "--import", "old.yaml", "--config", "x.yaml"])
                == .serve(configurationFile: "x.yaml", importing: "old.yaml"))
        #expect(Command(["check-config", "--import=o"]) == .checkConfiguration(file: nil, importing: "o"))
        #expect(Command(["version"]) == .version)
        #expect(Command(["--version"]) == .version)
        #expect(Command([]) == .help)
        #expect(Command(["--help"]) == .help)
        #expect(Command(["serve", "--help"]) == .help)
    }

    @Test("Anything else is misuse that says why")
    func misuse() {
        #expect(Command(["dance"]) == .misuse("there is no command dance"))
        #expect(Command(["serve", "--config"]) == .misuse("--config needs a file"))
        #expect(Command(["serve", "--port", "1"]) == .misuse("serve does not know --port"))
        #expect(Command(["version", "x"]) == .misuse("version takes no x"))
    }

    @Test("check-config prints every setting and no credential")
    func settings() throws {
        var configuration = Configuration()
        configuration.whep.bearerToken = "hush"
        let text = ReportCommands.settings(of: configuration)
        #expect(text.contains("bearer_token: (set)"))
        #expect(!text.contains("hush"))
        for setting in Configuration.settings where !setting.isSecret {
            #expect(text.contains("\(setting.section == nil ? setting.key : setting.name): "), "\(setting.key)")
        }
        // What it prints for the defaults can be read back.
        let defaults = ReportCommands.settings(of: Configuration())
        #expect(try ConfigurationReader.read(Array(defaults.utf8), file: "", environment: [:]) == Configuration())
    }
}
