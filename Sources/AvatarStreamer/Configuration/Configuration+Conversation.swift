extension Configuration {
    /// A service behind an OpenAI-compatible HTTP API.
    struct Service: Hashable, Sendable {
        var url = ""
        var model = ""
        /// The key itself never stands in the file.
        var apiKeyEnvironment = ""
        var apiKeyFile = ""
        var timeoutSeconds = 30
    }

    struct Voice: Hashable, Sendable {
        enum Backend: String, CaseIterable, Sendable {
            case flite, openai
        }
        var backend = Backend.flite
        var service = Service()
        var voice = "alloy"
    }
    struct Hearing: Hashable, Sendable {
        enum Backend: String, CaseIterable, Sendable {
            case pocketsphinx, openai, off
        }
        var backend = Backend.pocketsphinx
        var modelDirectory = "/usr/share/pocketsphinx/model/en-us"
        var service = Service()
        var language = ""
        var pauseMilliseconds = 700
        var minimumSpeechMilliseconds = 200
        var allowsBargeIn = true
        var bargeInMilliseconds = 250
        var maximumTurnSeconds = 30
    }
    struct Answering: Hashable, Sendable {
        enum Backend: String, CaseIterable, Sendable {
            case script, openai
        }
        var backend = Backend.script
        var dialogueFile = "config/dialogue.yaml"
        var service = Service()
        var systemPrompt = ""
        var temperature: Double?
        var maximumTokens = 0
        var historyMessages = 40
        var historyCharacters = 24_000
        var maximumQuestionCharacters = 8_000
        var apology = "I am sorry, something went wrong on my side. Please ask me again."
    }

    /// How an avatar speaks, hears and answers.
    struct Conversation: Hashable, Sendable {
        var voice = Voice()
        var hearing = Hearing()
        var answering = Answering()
    }

    /// A process that draws avatars.
    struct Engine: Hashable, Sendable {
        var command: [String] = []
        var endpoint = ""
        var serverSecretKeyFile = ""
        var clientPublicKeys: [String] = []
        var environment: [String] = []
        var maximumRestarts = 20
        var idleMemoryMegabytes = 512
    }

    /// One avatar's own engine, and what it does differently in conversation.
    struct Profile: Hashable, Sendable {
        var engine = ""
        var engineAvatar = ""
        var conversation = Conversation()
    }
}

extension Configuration.Service {
    fileprivate static func settings(_ section: String, model: String) -> [Setting<Self>] {
        [
            .text(
                "\(section).url", \.url, expected: "http://HOST:PORT/v1 or https://HOST/v1, or nothing",
                where: { $0.isEmpty || SettingRule.isServiceURL($0) }),
            .text(
                "\(section).model", \.model, expected: "the name of a \(model) of at most 256 bytes, or nothing",
                maximumLength: 256, where: { _ in true }),
            .text(
                "\(section).api_key_env", \.apiKeyEnvironment,
                expected: "the name of an environment variable that holds the key, or nothing",
                where: { $0.isEmpty || SettingRule.isVariable($0) }),
            .text(
                "\(section).api_key_file", \.apiKeyFile, expected: "a file that holds the key, or nothing",
                where: { _ in true }),
            .integer("\(section).timeout_seconds", \.timeoutSeconds, 1...600),
        ]
    }
}

extension Configuration.Conversation {
    /// The keys of `voice`, `hearing` and `answering`, at the top and in each profile.
    static let settings: [Setting<Self>] =
        [.choice("voice.backend", \.voice.backend)]
        + Configuration.Service.settings("voice", model: "speech model").map { $0.within(\.voice.service) } + [
            .text(
                "voice.voice", \.voice.voice, expected: "the name of a voice of at most 256 bytes", maximumLength: 256,
                where: { !$0.isEmpty }),

            .choice("hearing.backend", \.hearing.backend),
            .text(
                "hearing.model_directory", \.hearing.modelDirectory, expected: "a folder", where: { !$0.isEmpty }),
        ]
        + Configuration.Service.settings("hearing", model: "transcription model").map { $0.within(\.hearing.service) }
        + [
            .text(
                "hearing.language", \.hearing.language, expected: "a language code such as en, or nothing",
                maximumLength: 16, where: { $0.isEmpty || SettingRule.isPlainName($0) }),
            .integer("hearing.pause_ms", \.hearing.pauseMilliseconds, 100...4_000),
            .integer("hearing.minimum_speech_ms", \.hearing.minimumSpeechMilliseconds, 40...2_000),
            .boolean("hearing.barge_in", \.hearing.allowsBargeIn),
            .integer("hearing.barge_in_speech_ms", \.hearing.bargeInMilliseconds, 60...2_000),
            .integer("hearing.maximum_turn_seconds", \.hearing.maximumTurnSeconds, 1...120),

            .choice("answering.backend", \.answering.backend),
            .text(
                "answering.dialogue_file", \.answering.dialogueFile, expected: "a YAML file", where: { !$0.isEmpty }),
        ] + Configuration.Service.settings("answering", model: "chat model").map { $0.within(\.answering.service) } + [
            .text(
                "answering.system_prompt", \.answering.systemPrompt, expected: "a text of at most 16384 bytes",
                maximumLength: 16_384, where: { _ in true }),
            .number("answering.temperature", \.answering.temperature, 0...2),
            .integer("answering.maximum_tokens", \.answering.maximumTokens, 0...100_000),
            .integer("answering.history_messages", \.answering.historyMessages, 1...1_000),
            .integer("answering.history_characters", \.answering.historyCharacters, 100...1_000_000),
            .integer("answering.maximum_question_characters", \.answering.maximumQuestionCharacters, 1...8_000),
            .text(
                "answering.apology", \.answering.apology, expected: "a sentence of at most 500 bytes",
                maximumLength: 500, where: { !$0.isEmpty }),
        ]
}

extension Configuration.Engine {
    static let settings: [Setting<Self>] = [
        .list(
            "command", \.command, expected: "a program and its arguments such as [\"avatar-engine-player\"], or []"),
        .text(
            "endpoint", \.endpoint, expected: "tcp://ADDRESS:PORT or ipc://PATH, or nothing",
            where: { $0.isEmpty || ["tcp://", "ipc://"].contains(where: $0.hasPrefix) && SettingRule.isToken($0) }),
        .text(
            "server_secret_key_file", \.serverSecretKeyFile, expected: "a file that holds a CURVE key, or nothing",
            where: { _ in true }),
        .list(
            "client_public_keys", \.clientPublicKeys, expected: "a list of CURVE public keys of 40 characters, or []",
            where: { $0.utf8.count == 40 && SettingRule.isToken($0) }),
        .list(
            "environment", \.environment, expected: "a list such as [\"CUDA_VISIBLE_DEVICES=0\"], or []",
            isSecret: true, where: { $0.contains("=") && SettingRule.isVariable($0.prefix { $0 != "=" }) }),
        .integer("maximum_restarts", \.maximumRestarts, 0...10_000),
        .integer("idle_memory_megabytes", \.idleMemoryMegabytes, 0...1_048_576),
    ]
}

extension Configuration.Profile {
    static let settings: [Setting<Self>] =
        [
            .text(
                "engine", \.engine, expected: "the name of one of engines, or nothing",
                where: { $0.isEmpty || SettingRule.isPlainName($0) }),
            .text(
                "engine_avatar", \.engineAvatar, expected: "the id of one of the engine's avatars, or nothing",
                maximumLength: 128, where: { _ in true }),
        ] + Configuration.Conversation.settings.map { $0.within(\.conversation) }
}
