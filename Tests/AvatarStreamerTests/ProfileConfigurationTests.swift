import Testing

@testable import AvatarStreamer

@Suite("Engines and profiles in the configuration")
struct ProfileConfigurationTests {
    private func read(_ text: String) throws(InvalidConfiguration) -> Configuration {
        try ConfigurationReader.read(Array(text.utf8), file: "x.yaml", environment: [:])
    }

    private func problems(_ text: String) -> [String] {
        do throws(InvalidConfiguration) {
            _ = try read(text)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("A profile begins as what holds for every avatar, wherever that stands in the file")
    func inheritance() throws {
        let configuration = try read(
            """
            profiles:
              anna:
                answering: {system_prompt: "You are Anna."}
              ben:
                voice: {backend: flite}
                hearing: {backend: "off"}
            answering: {backend: openai, url: "http://h:11434/v1", model: m}
            voice:
              backend: openai
              url: http://h:8000/v1
              model: tts
            """)
        let (anna, ben) = (configuration.profiles["anna"], configuration.profiles["ben"])
        #expect(anna?.conversation.answering.systemPrompt == "You are Anna.")
        #expect(anna?.conversation.answering.service == configuration.conversation.answering.service)
        #expect(anna?.conversation.answering.service.model == "m")
        #expect(anna?.conversation.voice == configuration.conversation.voice)
        #expect(ben?.conversation.voice.backend == .flite)
        #expect(ben?.conversation.voice.service.url == "http://h:8000/v1")
        #expect(ben?.conversation.hearing.backend == .off)
        #expect(configuration.conversation.hearing.backend == .pocketsphinx)
    }

    @Test("Every key of an engine and of a profile is stored where it belongs")
    func everyKey() throws {
        let key = String(repeating: "k", count: 40)
        let configuration = try read(
            """
            engines:
              musetalk:
                command: [avatar-engine-musetalk, --models, /srv]
                endpoint: tcp://0.0.0.0:5555
                server_secret_key_file: /etc/key
                client_public_keys: ["\(key)"]
                environment: ["CUDA_VISIBLE_DEVICES=1", "A="]
                maximum_restarts: 3
                idle_memory_megabytes: 64
            profiles:
              avatar_tutor_5: {engine: musetalk, engine_avatar: anna}
            """)
        var engine = Configuration.Engine()
        engine.command = ["avatar-engine-musetalk", "--models", "/srv"]
        engine.endpoint = "tcp://0.0.0.0:5555"
        engine.serverSecretKeyFile = "/etc/key"
        engine.clientPublicKeys = [key]
        engine.environment = ["CUDA_VISIBLE_DEVICES=1", "A="]
        engine.maximumRestarts = 3
        engine.idleMemoryMegabytes = 64
        #expect(configuration.engines == ["musetalk": engine])
        #expect(configuration.profiles["avatar_tutor_5"]?.engine == "musetalk")
        #expect(configuration.profiles["avatar_tutor_5"]?.engineAvatar == "anna")
    }

    @Test("Unknown keys, wrong values and wrong names are told with their line and their whole key")
    func complaints() {
        let found = problems(
            """
            engines:
              e1:
                comand: [x]
                maximum_restarts: often
                environment: [novalue]
            profiles:
              anna:
                voice:
                  backend: robot
                  loudness: 3
                engines: e1
              "two words": {}
              ben: [1]
            """)
        #expect(
            found == [
                "x.yaml:3: engines.e1.comand: found an unknown key, expected one of command, endpoint, "
                    + "server_secret_key_file, client_public_keys, environment, maximum_restarts, "
                    + "idle_memory_megabytes",
                "x.yaml:4: engines.e1.maximum_restarts: found \"often\", expected a whole number from 0 to 10000",
                "x.yaml:5: engines.e1.environment: found another value, "
                    + "expected a list such as [\"CUDA_VISIBLE_DEVICES=0\"], or []",
                "x.yaml:9: profiles.anna.voice.backend: found \"robot\", expected one of flite, openai",
                "x.yaml:10: profiles.anna.voice.loudness: found an unknown key, "
                    + "expected one of backend, url, model, api_key_env, api_key_file, timeout_seconds, voice",
                "x.yaml:11: profiles.anna.engines: found an unknown key, "
                    + "expected one of engine, engine_avatar, voice, hearing, answering",
                "x.yaml:12: profiles.two words: found that name, "
                    + "expected a name of 1 to 64 letters, digits, hyphens and underscores",
                "x.yaml:13: profiles.ben: found a list of 1, expected a section of keys",
            ])
        #expect(problems("profiles: 7\n") == ["x.yaml:1: profiles: found \"7\", expected a section of keys"])
        #expect(problems("profiles:\nengines:\n").isEmpty)
    }

    @Test("What does not fit together is told where it can be mended")
    func contradictions() {
        #expect(
            problems("answering:\n  backend: openai\n  model: m\n") == [
                "x.yaml:2: answering.url: found nothing, "
                    + "expected http://HOST:PORT/v1, since answering.backend is openai"
            ])
        #expect(
            problems("voice: {api_key_env: A, api_key_file: b}\nprofiles: {anna: {}}\n") == [
                "x.yaml:1: voice.api_key_file: found a file besides voice.api_key_env, expected one of the two"
            ])
        #expect(
            problems("profiles:\n  anna:\n    hearing: {backend: openai, url: 'http://h/v1'}\n") == [
                "x.yaml:3: profiles.anna.hearing.model: found nothing, "
                    + "expected the name of a model, since profiles.anna.hearing.backend is openai"
            ])
        #expect(
            problems("profiles:\n  anna:\n    engine: e2\nengines: {e1: {}}\n") == [
                "x.yaml:3: profiles.anna.engine: found \"e2\", expected one of e1"
            ])
        #expect(
            problems("profiles: {anna: {engine_avatar: a}}\n") == [
                "x.yaml:1: profiles.anna.engine_avatar: found \"a\", expected nothing, or profiles.anna.engine as well"
            ])
        #expect(problems("engines:\n  far:\n    endpoint: tcp://0.0.0.0:5555\n").count == 2)
    }

    @Test("Addresses of services hold no credentials, and keys are named, not written")
    func services() {
        for wrong in ["ftp://h/v1", "http://", "http://u:p@h/v1", "http://h/v1?key=x", "h:80/v1", "http://h/ v1"] {
            #expect(problems("voice: {url: \"\(wrong)\"}").count == 1, "\(wrong)")
        }
        #expect(problems("voice: {api_key: x}").first?.contains("unknown key") == true)
        #expect(problems("voice: {api_key_env: \"not a name\"}").count == 1)
        for wrong in ["nan", "inf", "-1", "2.5", "x"] {
            #expect(problems("answering: {temperature: \(wrong)}").count == 1, "\(wrong)")
        }
    }

    @Test("check-config prints engines and profiles in a form that can be read back, without their environment")
    func printed() throws {
        let text = """
            answering: {system_prompt: "He said \\"no\\".\\nTwice."}
            engines: {e1: {command: [run, "a b"], environment: ["TOKEN=hush"]}}
            profiles: {anna: {engine: e1, answering: {temperature: 0.5}}}
            """
        let configuration = try read(text)
        let printed = ReportCommands.settings(of: configuration)
        #expect(!printed.contains("hush"))
        #expect(printed.contains("    environment: (set)"))
        var again = try read(printed.replacing("environment: (set)", with: "environment: [\"TOKEN=hush\"]"))
        #expect(again == configuration)
        again.profiles = [:]
        #expect(again != configuration)
    }
}
